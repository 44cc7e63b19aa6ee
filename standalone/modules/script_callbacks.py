"""Callbacks that extensions register and the host calls at given moments; one that fails does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

log = logging.getLogger("workbench.host")
Function = Callable[..., Any]


class ScriptCallback(NamedTuple):
    """A registered callback."""

    callback: Function


@dataclass
class UiTrainTabParams:
    """What a tab inside Train gets: the eight components of txt2img, prompt to height."""

    txt2img_preview_params: list[Any]


@dataclass
class ImageSaveParams:
    """A picture about to be written, or just written."""

    image: Any
    p: Any
    filename: str
    pnginfo: dict[str, Any]


callback_map: dict[str, list[ScriptCallback]] = {}


def _moment(category: str, backwards: bool = False) -> tuple[Callable[[Function], None], Callable[..., list[Any]]]:
    """Return the function with which extensions register for a moment, and the one with which the host announces it."""
    entries = callback_map.setdefault(f"callbacks_{category}", [])

    def register(callback: Function) -> None:
        entries.append(ScriptCallback(callback))

    def announce(*args: Any) -> list[Any]:
        results = []
        for entry in list(reversed(entries) if backwards else entries):
            try:
                results.append(entry.callback(*args))
            except Exception:
                log.exception("Error executing callback %s: %r", category, entry.callback)
        return results

    return register, announce


def clear_callbacks() -> None:
    """Forget all callbacks."""
    for entries in callback_map.values():
        entries.clear()


# After each pair, what the callback is given and when it is called.
on_model_loaded, model_loaded_callback = _moment("model_loaded")  # (sd_model): a checkpoint was loaded
on_ui_settings, ui_settings_callback = _moment("ui_settings")  # (): options can be added
on_before_ui, before_ui_callback = _moment("before_ui", backwards=True)  # (): the page is about to be built
on_ui_train_tabs, ui_train_tabs_callback = _moment("ui_train_tabs")  # (UiTrainTabParams): builds its tabs in Train
on_ui_tabs, _all_tabs = _moment("ui_tabs")  # () -> [(blocks, title, elem_id), ...]: tabs of the page
on_app_started, app_started_callback = _moment("app_started")  # (demo, app): the server runs, routes can be added
on_before_image_saved, before_image_saved_callback = _moment("before_image_saved")  # (ImageSaveParams)
on_image_saved, image_saved_callback = _moment("image_saved")  # (ImageSaveParams): a picture was written
on_infotext_pasted, infotext_pasted_callback = _moment("infotext_pasted")  # (infotext, params): may change params
on_before_reload, app_reload_callback = _moment("on_reload")  # (): the page is about to be built anew
on_script_unloaded, script_unloaded_callback = _moment("script_unloaded", backwards=True)  # (): undoes what it did


def ui_tabs_callback() -> list[Any]:
    """Return the extensions' tabs of the page."""
    return [tab for tabs in _all_tabs() for tab in tabs or []]
