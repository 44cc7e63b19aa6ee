"""Extensions' scripts: loading them, their controls in txt2img, and their part in making pictures."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr

from modules import extensions, script_callbacks

log = logging.getLogger("workbench.host")
AlwaysVisible = object()


class ScriptClassData(NamedTuple):
    """A script class found in a file."""

    script_class: type[Script]
    path: str
    module: Any


class Script:
    """What an extension's script derives from.

    Each of these methods is called where the script has it, with the values of its controls as further arguments:
    before_process(p) before anything else, process(p) when all prompts and seeds are known, before_process_batch(p)
    before a batch's extra networks are read, process_batch(p) before a batch is sampled, postprocess_batch(p) after
    it, postprocess(p, processed) at the end.
    """

    filename: str | None = None
    args_from = args_to = 0
    #: Set in `ui`: components, each with the key of an infotext or the function of its values that fills it.
    infotext_fields: list[tuple[Any, Any]] | None = None

    def title(self) -> str:
        """Return the name to show."""
        raise NotImplementedError

    def show(self, is_img2img: bool) -> Any:
        """Return AlwaysVisible, or anything else to be left out."""
        return False

    def ui(self, is_img2img: bool) -> list[Any] | None:
        """Build the controls and return them."""


scripts_data: list[ScriptClassData] = []


def load_scripts() -> None:
    """Run every extension's scripts, one by one, with its folder first on `sys.path`; an error is logged."""
    scripts_data.clear()
    script_callbacks.clear_callbacks()
    for file in extensions.files("scripts/*.py"):
        before = list(sys.path)
        sys.path.insert(0, str(file.parents[1]))
        try:
            module = extensions.load_module(file)
        except Exception:
            log.exception("Error loading script: %s", file.name)
            continue
        finally:
            sys.path[:] = before
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, Script) and value is not Script:
                scripts_data.append(ScriptClassData(value, str(file), module))


def _guarded(script: Script, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    except Exception:
        log.exception("Error calling: %s/%s", script.filename, function.__name__)
        return None


class ScriptRunner:
    """The scripts of a tab."""

    def __init__(self) -> None:
        self.alwayson_scripts: list[Script] = []
        self.inputs: list[Any] = []
        self.infotext_fields: list[tuple[Any, Any]] = []

    def initialize_scripts(self) -> None:
        """Make an object of each script class that wants to be shown."""
        self.alwayson_scripts, self.inputs, self.infotext_fields = [], [], []
        for data in scripts_data:
            script = data.script_class()
            script.filename = data.path
            if _guarded(script, script.show, False) is AlwaysVisible:
                self.alwayson_scripts.append(script)

    def setup_ui(self) -> list[Any]:
        """Build the scripts' controls and return them all."""
        for script in self.alwayson_scripts:
            script.args_from = len(self.inputs)
            with gr.Group():
                self.inputs += _guarded(script, script.ui, False) or []
            script.args_to = len(self.inputs)
            self.infotext_fields += script.infotext_fields or []
        return self.inputs

    def call(self, method: str, p: Any, *more: Any, **kwargs: Any) -> None:
        """Call a method of each script that has it, with the values of its controls."""
        for script in self.alwayson_scripts:
            function = getattr(script, method, None)
            if function is not None:
                _guarded(script, function, p, *more, *p.script_args[script.args_from : script.args_to], **kwargs)


scripts_txt2img = ScriptRunner()
