"""Callbacks that extensions register and the host calls at given moments; one that fails does not stop the others."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("workbench.host")
Function = Callable[..., Any]


@dataclass
class ScriptCallback:
    """A registered callback and the file that registered it."""

    script: str
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


def _caller() -> str:
    return next(frame.filename for frame in inspect.stack() if frame.filename != __file__)


def _registration(category: str) -> Callable[[Function], None]:
    """The function with which extensions register for a moment."""
    entries = callback_map.setdefault(f"callbacks_{category}", [])

    def register(callback: Function) -> None:
        entries.append(ScriptCallback(_caller(), callback))

    return register


def _announcement(category: str, backwards: bool = False) -> Callable[..., list[Any]]:
    """The function with which the host announces a moment; it gives the callbacks' results."""

    def announce(*args: Any) -> list[Any]:
        results = []
        for entry in list(callback_map[f"callbacks_{category}"])[:: -1 if backwards else 1]:
            try:
                results.append(entry.callback(*args))
            except Exception:
                log.exception("Error executing callback %s for %s", category, entry.script)
        return results

    return announce


def clear_callbacks() -> None:
    """Forgets all callbacks."""
    for entries in callback_map.values():
        entries.clear()


def remove_current_script_callbacks() -> None:
    """Forgets what the calling script registered."""
    caller = _caller()
    for entries in callback_map.values():
        entries[:] = [entry for entry in entries if entry.script != caller]


# In the order of a start; after each name, what the callback is given and when it is called.
on_model_loaded = _registration("model_loaded")  # (sd_model): a checkpoint was loaded
on_ui_settings = _registration("ui_settings")  # (): options can be added
on_before_ui = _registration("before_ui")  # (): the page is about to be built
on_ui_train_tabs = _registration("ui_train_tabs")  # (UiTrainTabParams): builds its tabs inside Train
on_ui_tabs = _registration("ui_tabs")  # () -> [(blocks, title, elem_id), ...]: tabs of the page
on_app_started = _registration("app_started")  # (demo, app): the server runs, routes can be added
on_before_image_saved = _registration("before_image_saved")  # (ImageSaveParams): a picture is about to be written
on_image_saved = _registration("image_saved")  # (ImageSaveParams): a picture was written
on_infotext_pasted = _registration("infotext_pasted")  # (infotext, params): params may be changed
on_before_reload = _registration("on_reload")  # (): the page is about to be built anew
on_script_unloaded = _registration("script_unloaded")  # (): the script is loaded again next; it undoes what it did

model_loaded_callback = _announcement("model_loaded")
ui_settings_callback = _announcement("ui_settings")
before_ui_callback = _announcement("before_ui", backwards=True)
ui_train_tabs_callback = _announcement("ui_train_tabs")
app_started_callback = _announcement("app_started")
before_image_saved_callback = _announcement("before_image_saved")
image_saved_callback = _announcement("image_saved")
infotext_pasted_callback = _announcement("infotext_pasted")
app_reload_callback = _announcement("on_reload")
script_unloaded_callback = _announcement("script_unloaded", backwards=True)
_all_tabs = _announcement("ui_tabs")


def ui_tabs_callback() -> list[Any]:
    """The extensions' tabs of the page."""
    return [tab for tabs in _all_tabs() for tab in tabs or []]
