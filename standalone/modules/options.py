"""Settings: what there is, its current value, and the file it is kept in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from hypernetwork_workbench.hypernetworks import atomic

from modules import errors

log = logging.getLogger("workbench.host")


class OptionInfo:
    """One setting: its default, label and component; attributes as in the WebUI."""

    def __init__(
        self,
        default: Any = None,
        label: str = "",
        component: Any = None,
        component_args: Any = None,
        onchange: Callable[[], Any] | None = None,
        **more: Any,
    ) -> None:
        self.default, self.label = default, label
        self.component, self.component_args, self.onchange = component, component_args, onchange
        self.section: tuple[str | None, str] = more.get("section") or (None, "Other")
        self.refresh: Callable[[], Any] | None = more.get("refresh")
        self.comment_before: str = more.get("comment_before", "")
        self.comment_after: str = more.get("comment_after", "")
        self.infotext: str | None = more.get("infotext")
        self.category_id: str | None = more.get("category_id")
        self.restrict_api: bool = more.get("restrict_api", False)
        self.do_not_save = False

    def info(self, text: str) -> OptionInfo:
        """Adds an explanation after the label."""
        self.comment_after += f"<span class='info'>({text})</span>"
        return self

    def html(self, text: str) -> OptionInfo:
        """Adds HTML after the label."""
        self.comment_after += text
        return self

    def link(self, label: str, url: str) -> OptionInfo:
        """Adds a link before the label."""
        self.comment_before += f"[<a href='{url}' target='_blank'>{label}</a>]"
        return self

    def needs_reload_ui(self) -> OptionInfo:
        """Says that "Reload UI" is needed for a change to show."""
        return self.info("requires Reload UI")

    def needs_restart(self) -> OptionInfo:
        """Says that a restart is needed for a change to show."""
        return self.info("requires restart")


class OptionHTML(OptionInfo):
    """A piece of text among the settings."""

    def __init__(self, text: str) -> None:
        super().__init__(text.strip(), component=lambda **kw: gr.HTML(elem_classes="settings-info", **kw))
        self.do_not_save = True


def options_section(section: tuple[str, ...], options: dict[str, OptionInfo]) -> dict[str, OptionInfo]:
    """Puts the options into a section: (id, title) or (id, title, category)."""
    for info in options.values():
        info.section = (section[0], section[1])
        info.category_id = section[2] if len(section) > 2 else None  # noqa: PLR2004
    return options


class Options:
    """Values by attribute: `opts.name` reads and `opts.name = value` writes."""

    data_labels: dict[str, OptionInfo]
    data: dict[str, Any]
    _own = ("data_labels", "data")

    def __init__(self, data_labels: dict[str, OptionInfo], restricted_opts: set[str] | None = None) -> None:
        self.data_labels = data_labels
        self.data = {key: info.default for key, info in data_labels.items() if not info.do_not_save}

    def __setattr__(self, key: str, value: Any) -> None:
        if key in self._own or key not in self.data_labels:
            super().__setattr__(key, value)
        elif not self.data_labels[key].do_not_save:
            self.data[key] = value

    def __getattr__(self, key: str) -> Any:
        # Reached only for names that are no plain attributes.
        labels = self.__dict__.get("data_labels", {})
        values = self.__dict__.get("data", {})
        if key in values:
            return values[key]
        if key in labels:
            return labels[key].default
        raise AttributeError(f"there is no option {key!r}")

    def set(self, key: str, value: Any, is_api: bool = False, run_callbacks: bool = True) -> bool:
        """Sets an option and calls what waits for its change; False when nothing changed."""
        info = self.data_labels[key]
        old = self.data.get(key)
        if old == value or info.do_not_save or (is_api and info.restrict_api):
            return False
        self.data[key] = value
        if run_callbacks and info.onchange is not None:
            try:
                info.onchange()
            except Exception as error:
                errors.display(error, f"changing setting {key} to {value}")
                self.data[key] = old
                return False
        return True

    def get_default(self, key: str) -> Any:
        """The default of an option, None if there is none of this name."""
        info = self.data_labels.get(key)
        return None if info is None else info.default

    def add_option(self, key: str, info: OptionInfo) -> None:
        """Registers an option; a value read from the file earlier is kept."""
        self.data_labels[key] = info
        if key not in self.data and not info.do_not_save:
            self.data[key] = info.default

    def onchange(self, key: str, func: Callable[[], Any], call: bool = True) -> None:
        """Calls func whenever the option changes, and once now."""
        self.data_labels[key].onchange = func
        if call:
            func()

    def save(self, filename: str) -> None:
        """Writes all values, whole or not at all; raises HypernetworkFileError if the disk refuses."""
        atomic.write_text(filename, json.dumps(self.data, indent=4, ensure_ascii=False))

    def load(self, filename: str) -> None:
        """Reads the values; a file that is not JSON is set aside as `config.json.broken` and the defaults stay."""
        path = Path(filename)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except ValueError as error:
            values, reason = None, str(error)
        else:
            reason = "it holds no settings"
        if not isinstance(values, dict):
            kept = path.with_name(path.name + ".broken")
            path.replace(kept)
            log.warning("%s cannot be read (%s); it is kept as %s and the defaults are used", path, reason, kept.name)
            return
        self.data.update(values)

    def reorder(self) -> None:
        """Sorts the options so that the parts of one section stand together."""
        order: dict[Any, int] = {}
        for info in self.data_labels.values():
            order.setdefault(info.section, len(order))
        self.data_labels = dict(sorted(self.data_labels.items(), key=lambda item: order[item[1].section]))
