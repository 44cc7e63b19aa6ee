"""The Settings tab: a component for each option, by section."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import gradio as gr
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError

from modules import script_callbacks, shared
from modules.call_queue import wrap_gradio_call
from modules.options import OptionInfo
from modules.ui_common import create_refresh_button

_KINDS = {int: gr.Number, float: gr.Number, bool: gr.Checkbox}


def create_setting_component(key: str, info: OptionInfo) -> Any:
    """Return the component of an option, with its refresh button if it has one."""
    kind = info.component or _KINDS.get(type(info.default), gr.Textbox)
    common = {"label": info.label, "value": getattr(shared.opts, key), "elem_id": f"setting_{key}"}
    if info.refresh is None:
        return kind(**common, **info.arguments())
    with gr.Row():
        component = kind(**common, scale=6, **info.arguments())
        create_refresh_button(component, info.refresh, info.arguments, f"refresh_{key}")
    return component


def _checked(key: str, value: Any) -> Any:
    """Return the value as the option's type; raises SettingsError naming the option."""
    info = shared.opts.data_labels[key]
    if isinstance(info.default, bool):
        return bool(value)
    if isinstance(info.default, int | float):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SettingsError(info.label, f"must be a number, not {value!r}")
        args = info.arguments()
        low, high = args.get("minimum"), args.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            raise SettingsError(info.label, f"must be from {low} to {high}, not {value}")
        return int(value) if isinstance(info.default, int) and value == int(value) else value
    return value


def _values() -> str:
    """Return all settings, as JSON for the page's scripts."""
    return json.dumps(shared.opts.data, ensure_ascii=False, default=str)


def _labels(keys: list[str]) -> str:
    return ", ".join(shared.opts.data_labels[key].label for key in keys)


def apply(*values: Any) -> tuple[str, str]:
    """Take over all settings and write them to the file; raises SettingsError before anything is changed."""
    keys = list(shared.settings_components)
    checked = {key: _checked(key, value) for key, value in zip(keys, values, strict=True)}
    changed = [key for key, value in checked.items() if shared.opts.set(key, value)]
    refused = [key for key, value in checked.items() if getattr(shared.opts, key) != value]
    shared.opts.save(shared.config_filename)
    if refused:
        raise SettingsError(_labels(refused), "could not be changed, the log says why; the other settings are applied")
    return _values(), f"Changed: {_labels(changed)}." if changed else "Nothing was changed."


def create() -> gr.Blocks:
    """Build the tab."""
    script_callbacks.ui_settings_callback()
    shared.opts.reorder()
    shared.settings_components.clear()
    with gr.Blocks(analytics_enabled=False) as interface:
        with gr.Row():
            submit = gr.Button("Apply settings", variant="primary", elem_id="settings_submit")
            restart = gr.Button("Reload UI", elem_id="settings_restart_gradio")
        result = gr.HTML(elem_id="settings_result")
        with gr.Tabs(elem_id="settings"):
            groups = itertools.groupby(shared.opts.data_labels.items(), key=lambda item: item[1].section)
            for (section, title), options in groups:
                name = re.sub(r"[^a-zA-Z0-9]+", "_", section or title)
                with gr.Tab(title, elem_id=f"settings_{name}"):
                    for key, info in options:
                        shared.settings_components[key] = create_setting_component(key, info)
                        if info.comment_before or info.comment_after:
                            gr.HTML(f"{info.comment_before}{info.comment_after}", elem_classes="settings-comment")
        values = gr.Textbox(_values(), elem_id="settings_json", visible=False)
        submit.click(
            wrap_gradio_call(apply, extra_outputs=[gr.update()]),
            inputs=list(shared.settings_components.values()),
            outputs=[values, result],
            show_progress=False,
        )
        restart.click(shared.state.request_restart, _js="restart_reload", show_progress=False)
    return interface
