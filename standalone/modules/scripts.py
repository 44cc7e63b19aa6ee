"""Extensions' scripts: loading them, their controls in txt2img, and their part in making pictures."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from modules import errors, extensions, paths_internal, script_callbacks, script_loading, timer

AlwaysVisible = object()


class ScriptFile(NamedTuple):
    """A file of an extension."""

    basedir: str
    filename: str
    path: str


class ScriptClassData(NamedTuple):
    """A script class found in a file."""

    script_class: type[Script]
    path: str
    basedir: str
    module: Any


class PostprocessImageArgs:
    """A picture that a script may replace."""

    def __init__(self, image: Any) -> None:
        self.image = image


class Script:
    """What an extension's script derives from; methods and attributes as in the WebUI."""

    name: str | None = None
    section: str | None = None
    filename: str | None = None
    args_from = 0
    args_to = 0
    alwayson = False
    is_txt2img = True
    is_img2img = False
    group: Any = None
    create_group = True
    infotext_fields: list[Any] | None = None
    paste_field_names: list[str] | None = None
    controls: list[Any] | None = None
    tabname = "txt2img"

    def title(self) -> str:
        """The name to show."""
        raise NotImplementedError

    def ui(self, is_img2img: bool) -> list[Any] | None:
        """Builds the controls and returns them; their values are the further arguments of the other methods."""

    def show(self, is_img2img: bool) -> Any:
        """AlwaysVisible, True (selectable) or False."""
        return True

    def run(self, p: Any, *args: Any) -> Any:
        """Makes the pictures of a selected script; None leaves it to the host."""

    def before_process(self, p: Any, *args: Any) -> None:
        """Before anything else; settings of p may be changed."""

    def process(self, p: Any, *args: Any) -> None:
        """Before the first batch; prompts and seeds are known."""

    def before_process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Before a batch's extra networks are read from its prompts."""

    def process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Before a batch is sampled."""

    def postprocess_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """After a batch."""

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None:
        """At the end."""

    def describe(self) -> str:
        """More about the script."""
        return ""

    def elem_id(self, item_id: str) -> str:
        """An element id for a control of this script."""
        title = re.sub(r"[^a-z_0-9]+", "", re.sub(r"\s", "_", self.title().lower()))
        return f"script_{self.tabname}_{title}_{item_id}"


current_basedir = paths_internal.script_path


def basedir() -> str:
    """The folder of the extension whose script is being loaded."""
    return current_basedir


scripts_data: list[ScriptClassData] = []


def list_scripts(folder: str, extension: str) -> list[ScriptFile]:
    """The files with this ending in a folder of every extension, by name."""
    found = []
    for place in extensions.active():
        for path in sorted(Path(place.path, folder).glob(f"*{extension}")):
            found.append(ScriptFile(place.path, path.name, str(path)))
    return found


def list_files_with_name(filename: str) -> list[str]:
    """The files of this name in the extensions' folders."""
    places = [Path(extension.path, filename) for extension in extensions.active()]
    return [str(path) for path in places if path.is_file()]


def load_scripts() -> None:
    """Runs every extension's scripts, one by one, with its folder first on `sys.path`; an error is logged."""
    global current_basedir, scripts_txt2img, scripts_img2img  # noqa: PLW0603 - the WebUI's names are module variables
    scripts_data.clear()
    script_callbacks.clear_callbacks()
    for file in list_scripts("scripts", ".py"):
        before = list(sys.path)
        sys.path.insert(0, file.basedir)
        current_basedir = file.basedir
        try:
            module = script_loading.load_module(file.path)
        except Exception:
            errors.report(f"Error loading script: {file.filename}", exc_info=True)
            continue
        finally:
            sys.path[:] = before
            current_basedir = paths_internal.script_path
            timer.startup_timer.record(file.filename)
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, Script) and value is not Script:
                scripts_data.append(ScriptClassData(value, file.path, file.basedir, module))
    scripts_txt2img = ScriptRunner()
    scripts_img2img = ScriptRunner()


def _guarded(script: Script, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    except Exception:
        errors.report(f"Error calling: {script.filename}/{function.__name__}", exc_info=True)
        return None


class ScriptRunner:
    """The scripts of a tab."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.alwayson_scripts: list[Script] = []
        self.selectable_scripts: list[Script] = []
        self.infotext_fields: list[Any] = []
        self.inputs: list[Any] = [None]

    def initialize_scripts(self, is_img2img: bool = False) -> None:
        """Makes an object of each script class that wants to be shown."""
        self.__init__()  # type: ignore[misc]
        for data in scripts_data:
            script = data.script_class()
            script.filename = data.path
            script.is_txt2img, script.is_img2img = not is_img2img, is_img2img
            script.tabname = "img2img" if is_img2img else "txt2img"
            visibility = _guarded(script, script.show, is_img2img)
            if not visibility:
                continue
            self.scripts.append(script)
            script.alwayson = visibility is AlwaysVisible
            (self.alwayson_scripts if script.alwayson else self.selectable_scripts).append(script)

    def setup_ui(self) -> list[Any]:
        """Builds the scripts' controls; returns all inputs, the choice of a selectable script first."""
        titles = ["None", *(script.title() for script in self.selectable_scripts)]
        for script in self.alwayson_scripts:
            self._create(script)
        chosen = gr.Dropdown(
            label="Script", elem_id="script_list", choices=titles, value="None", type="index", visible=len(titles) > 1
        )
        self.inputs[0] = chosen
        for script in self.selectable_scripts:
            self._create(script)

        def select(index: int | None) -> list[Any]:
            return [gr.update(visible=number == index) for number in range(1, len(titles))]

        groups = [script.group for script in self.selectable_scripts]
        if groups:
            chosen.change(select, inputs=[chosen], outputs=groups, show_progress=False)
        return self.inputs

    def _create(self, script: Script) -> None:
        script.name = script.title().lower()
        script.args_from = script.args_to = len(self.inputs)
        with gr.Group(visible=script.alwayson) as script.group:
            controls = _guarded(script, script.ui, script.is_img2img)
        script.controls = controls or []
        self.infotext_fields += script.infotext_fields or []
        self.inputs += script.controls
        script.args_to = len(self.inputs)

    def script(self, title: str) -> Script | None:
        """The script of a title."""
        return next((script for script in self.scripts if script.name == title.lower()), None)

    def _args(self, script: Script, p: Any) -> list[Any]:
        return list(p.script_args[script.args_from : script.args_to])

    def _call(self, method: str, p: Any, *more: Any, **kwargs: Any) -> None:
        for script in self.alwayson_scripts:
            _guarded(script, getattr(script, method), p, *more, *self._args(script, p), **kwargs)

    def run(self, p: Any, *args: Any) -> Any:
        """Lets the selected script make the pictures; None if none is selected."""
        number = args[0] if args else 0
        if not number:
            return None
        script = self.selectable_scripts[number - 1]
        return script.run(p, *args[script.args_from : script.args_to])

    def before_process(self, p: Any) -> None:
        """Before anything else."""
        self._call("before_process", p)

    def process(self, p: Any) -> None:
        """Before the first batch."""
        self._call("process", p)

    def before_process_batch(self, p: Any, **kwargs: Any) -> None:
        """Before a batch's extra networks are read."""
        self._call("before_process_batch", p, **kwargs)

    def process_batch(self, p: Any, **kwargs: Any) -> None:
        """Before a batch is sampled."""
        self._call("process_batch", p, **kwargs)

    def postprocess_batch(self, p: Any, images: Any, **kwargs: Any) -> None:
        """After a batch."""
        self._call("postprocess_batch", p, images=images, **kwargs)

    def postprocess(self, p: Any, processed: Any) -> None:
        """At the end."""
        self._call("postprocess", p, processed)


scripts_txt2img = ScriptRunner()
scripts_img2img = ScriptRunner()
