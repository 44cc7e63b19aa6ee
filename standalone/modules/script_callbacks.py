"""Callbacks that extensions register and the host calls at given moments; one that fails does not stop the others."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules import errors, timer

Function = Callable[..., Any]


@dataclass
class ScriptCallback:
    """A registered callback and the file that registered it."""

    script: str
    callback: Function
    name: str = "unnamed"


class UiTrainTabParams:
    """What a tab inside Train gets: the eight components of txt2img, prompt to height."""

    def __init__(self, txt2img_preview_params: list[Any]) -> None:
        self.txt2img_preview_params = txt2img_preview_params


class ImageSaveParams:
    """A picture about to be written, or just written."""

    def __init__(self, image: Any, p: Any, filename: str, pnginfo: dict[str, Any]) -> None:
        self.image, self.p, self.filename, self.pnginfo = image, p, filename, pnginfo


_CATEGORIES = (
    "app_started",
    "model_loaded",
    "ui_tabs",
    "ui_train_tabs",
    "ui_settings",
    "before_image_saved",
    "image_saved",
    "after_component",
    "infotext_pasted",
    "script_unloaded",
    "before_ui",
    "on_reload",
    "list_optimizers",
)
callback_map: dict[str, list[ScriptCallback]] = {f"callbacks_{name}": [] for name in _CATEGORIES}


def _add(category: str, function: Function, name: str | None) -> None:
    caller = next(frame.filename for frame in inspect.stack() if frame.filename != __file__)
    label = "/".join(part for part in (Path(caller).name, category, name) if part)
    callback_map[f"callbacks_{category}"].append(ScriptCallback(caller, function, label))


def _call(category: str, *args: Any, backwards: bool = False, **kwargs: Any) -> list[Any]:
    results = []
    callbacks = list(callback_map[f"callbacks_{category}"])
    for entry in reversed(callbacks) if backwards else callbacks:
        try:
            results.append(entry.callback(*args, **kwargs))
        except Exception:
            errors.report(f"Error executing callback {category} for {entry.script}", exc_info=True)
    return results


def clear_callbacks() -> None:
    """Forgets all callbacks."""
    for callbacks in callback_map.values():
        callbacks.clear()


def remove_current_script_callbacks() -> None:
    """Forgets what the calling script registered."""
    caller = next(frame.filename for frame in inspect.stack() if frame.filename != __file__)
    for callbacks in callback_map.values():
        callbacks[:] = [entry for entry in callbacks if entry.script != caller]


def remove_callbacks_for_function(function: Function) -> None:
    """Forgets one function."""
    for callbacks in callback_map.values():
        callbacks[:] = [entry for entry in callbacks if entry.callback is not function]


def on_app_started(callback: Function, *, name: str | None = None) -> None:
    """callback(demo, app): the server runs, routes can be added."""
    _add("app_started", callback, name)


def on_before_reload(callback: Function, *, name: str | None = None) -> None:
    """callback(): the page is about to be built anew."""
    _add("on_reload", callback, name)


def on_model_loaded(callback: Function, *, name: str | None = None) -> None:
    """callback(sd_model): a checkpoint was loaded."""
    _add("model_loaded", callback, name)


def on_ui_tabs(callback: Function, *, name: str | None = None) -> None:
    """callback() -> [(blocks, title, elem_id), ...]: tabs of the page."""
    _add("ui_tabs", callback, name)


def on_ui_train_tabs(callback: Function, *, name: str | None = None) -> None:
    """callback(UiTrainTabParams): builds its tabs inside Train."""
    _add("ui_train_tabs", callback, name)


def on_ui_settings(callback: Function, *, name: str | None = None) -> None:
    """callback(): adds options."""
    _add("ui_settings", callback, name)


def on_before_image_saved(callback: Function, *, name: str | None = None) -> None:
    """callback(ImageSaveParams): a picture is about to be written."""
    _add("before_image_saved", callback, name)


def on_image_saved(callback: Function, *, name: str | None = None) -> None:
    """callback(ImageSaveParams): a picture was written."""
    _add("image_saved", callback, name)


def on_after_component(callback: Function, *, name: str | None = None) -> None:
    """callback(component, elem_id=..., label=...): a component of txt2img is there; called when the tab is built."""
    _add("after_component", callback, name)


def on_infotext_pasted(callback: Function, *, name: str | None = None) -> None:
    """callback(infotext, params): an infotext was read; params may be changed."""
    _add("infotext_pasted", callback, name)


def on_script_unloaded(callback: Function, *, name: str | None = None) -> None:
    """callback(): the script is about to be loaded again; undo what it did."""
    _add("script_unloaded", callback, name)


def on_before_ui(callback: Function, *, name: str | None = None) -> None:
    """callback(): the page is about to be built."""
    _add("before_ui", callback, name)


def on_list_optimizers(callback: Function, *, name: str | None = None) -> None:
    """callback(found): adds attention optimizations to the list."""
    _add("list_optimizers", callback, name)


def app_started_callback(demo: Any, app: Any) -> None:
    """The server runs."""
    _call("app_started", demo, app)
    timer.startup_timer.record("app started callbacks")


def app_reload_callback() -> None:
    """The page is about to be built anew."""
    _call("on_reload")


def model_loaded_callback(sd_model: Any) -> None:
    """A checkpoint was loaded."""
    _call("model_loaded", sd_model)


def ui_tabs_callback() -> list[Any]:
    """The extensions' tabs of the page."""
    return [tab for tabs in _call("ui_tabs") for tab in tabs or []]


def ui_train_tabs_callback(params: UiTrainTabParams) -> None:
    """Lets the extensions build their tabs inside Train."""
    _call("ui_train_tabs", params)


def ui_settings_callback() -> None:
    """Lets the extensions add options."""
    _call("ui_settings")


def before_image_saved_callback(params: ImageSaveParams) -> None:
    """A picture is about to be written."""
    _call("before_image_saved", params)


def image_saved_callback(params: ImageSaveParams) -> None:
    """A picture was written."""
    _call("image_saved", params)


def after_component_callback(component: Any, **kwargs: Any) -> None:
    """A component was created."""
    _call("after_component", component, **kwargs)


def infotext_pasted_callback(infotext: str, params: dict[str, Any]) -> None:
    """An infotext was read."""
    _call("infotext_pasted", infotext, params)


def script_unloaded_callback() -> None:
    """The scripts are about to be loaded again: the last one registered undoes first."""
    _call("script_unloaded", backwards=True)


def before_ui_callback() -> None:
    """The page is about to be built."""
    _call("before_ui", backwards=True)


def list_optimizers_callback() -> list[Any]:
    """The extensions' attention optimizations."""
    found: list[Any] = []
    _call("list_optimizers", found)
    return found
