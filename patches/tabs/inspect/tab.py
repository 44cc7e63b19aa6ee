"""The tab Inspect Hypernetwork."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from modules import shared

from ....hypernetworks.base.errors import SettingsError, WorkbenchError
from ....hypernetworks.base.options import Option
from ....hypernetworks.files.convert import ConversionSettings
from ....hypernetworks.files.edit import NotesSettings, RenamingSettings
from ....hypernetworks.pages.sentences import done, refused
from ..form import Form
from ..frame import FIELD_PX, form_column, frame, panel_column, wipe_on
from . import work as inspecting

_ID = "hnw_inspect"
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
_FILE = Option(
    "Network",
    "A file whose name another one has already is listed by its path, such as styles/night.pt or night.safetensors.",
)
_OTHER = Option("Compare with", "Another network, of any structure.")


def build(_params: Any = None) -> None:
    """Build the tab inside the host's Train tab."""
    InspectTab().build()


class InspectTab:
    """The widgets of the tab and their handlers."""

    def __init__(self) -> None:
        self.form = Form(_ID)
        #: Handlers of the buttons, by action.
        self.handlers: dict[str, Callable[..., tuple[Any, ...]]] = {}
        self._statuses: dict[str, Any] = {}
        self._buttons: dict[str, Any] = {}

    def build(self) -> None:
        """Make the widgets inside the gradio block that is open now, and connect them."""
        with gr.Tab("Inspect Hypernetwork", elem_id=f"{_ID}_tab") as tab, frame():
            with form_column(_ID):
                self._inputs()
            with panel_column(_ID, scale=2):
                self._report = gr.HTML(elem_id=f"{_ID}_report")
        self._connect(tab)

    def _inputs(self) -> None:
        with gr.Row():
            self._chosen = self._dropdown("", "file", _FILE)
            self._refresh = gr.Button("Refresh list", elem_id=f"{_ID}_refresh", size="sm", scale=0, min_width=110)
        self._statuses["show"] = gr.HTML(elem_id=f"{_ID}_status")
        with self._action("compare", "Compare", "Compare") as fold:
            self._other = self._dropdown("compare", "other", _OTHER)
        with fold:  # below its button; above the report nobody would look for it
            self._comparison = gr.HTML(elem_id=f"{_ID}_comparison")
        with self._action("convert", "Convert", "Write the converted file"):
            self.form.add(ConversionSettings, {}, (), "convert")
        with self._action("rename", "Rename", "Rename"):
            self.form.add(RenamingSettings, {}, (), "rename")
        with self._action("notes", "Notes", "Write the notes"):
            self.form.add(NotesSettings, {}, (), "notes")

    def _dropdown(self, section: str, name: str, option: Option) -> Any:
        id_ = "_".join(filter(None, (_ID, section, name)))
        component = gr.Dropdown(
            inspecting.names(),
            value=None,
            label=option.label,
            info=option.help,
            elem_id=id_,
            elem_classes="hnw-networks",
            scale=1,
            min_width=FIELD_PX,
        )
        return self.form.add_component(section, name, option, component)

    @contextlib.contextmanager
    def _action(self, section: str, title: str, button: str) -> Iterator[Any]:
        """Make a fold for the fields of an action, with its button and its status below them."""
        with gr.Accordion(title, open=False, elem_id=f"{_ID}_{section}") as fold:
            yield fold
            self._buttons[section] = gr.Button(button, elem_id=f"{_ID}_{section}_button", elem_classes="hnw-main")
            self._statuses[section] = gr.HTML(elem_id=f"{_ID}_{section}_status")

    def _connect(self, tab: Any) -> None:
        lists = [self._chosen, self._other]
        fields = {field.address: field.component for field in self.form.fields}
        view = [self._report, self._comparison, *self._statuses.values()]
        view += [fields[name] for name in ("convert.name", "rename.name", "notes.optional_info")]
        self._refresh.click(refreshed, outputs=lists, show_progress="hidden")
        tab.select(refreshed, outputs=lists, show_progress="hidden")
        for event in (self._refresh.click, tab.select):
            event(self.gone, lists, [self._statuses["show"]], queue=False, show_progress="hidden")
        self._chosen.input(self.show, inputs=[self._chosen], outputs=view)
        for section, work, outputs in (
            ("compare", self.compare, [self._comparison]),
            ("convert", self.convert, lists),
            ("rename", self.rename, [*lists, self._report]),
            ("notes", self.write_notes, [self._report]),
        ):
            self.handlers[section] = self._handler(section, work, len(outputs))
            self._buttons[section].click(
                self.handlers[section],
                inputs=self.form.components,
                outputs=[self._statuses[section], *outputs],
            )

        wipe_on(list(self._buttons.values()), list(self._statuses.values()))
        wipe_on([self._buttons["compare"]], [self._comparison])
        self._other.input(lambda: ("", ""), outputs=[self._comparison, self._statuses["compare"]], **_QUICK)

    def _handler(
        self, section: str, work: Callable[[dict[str, Any]], tuple[Any, ...]], outputs: int
    ) -> Callable[..., tuple[Any, ...]]:
        """Return the handler of a button; an error becomes a sentence at the button, and all else stays."""

        def handler(*entered: Any) -> tuple[Any, ...]:
            try:
                return work(self.form.values(entered))
            except WorkbenchError as error:
                return (self.form.explain(error, section), *[gr.update()] * outputs)

        return handler

    def show(self, name: Any) -> tuple[Any, ...]:
        """Show the report of the chosen network, clear comparison and messages, and fill in its fields."""
        quiet = [""] * len(self._statuses)
        try:
            path = inspecting.network_path(name)
        except SettingsError as error:
            quiet[0] = self.form.explain(error)
            return ("", "", *quiet, *[gr.update()] * 3)
        return (inspecting.page(path), "", *quiet, path.stem, path.stem, inspecting.notes(path))

    def gone(self, *chosen: Any) -> Any:
        """Say which of the chosen networks are in the folder no more; leave the message as it is where none is."""
        shared.reload_hypernetworks()
        sentences = [
            f"{name} is not in your folder any more." for name in chosen if name and name not in inspecting.names()
        ]
        return refused(sentences) if sentences else gr.update()

    def compare(self, tables: dict[str, Any]) -> tuple[Any, ...]:
        """Show the comparison of both chosen networks."""
        return "", inspecting.compare(tables["file"], tables["compare"]["other"])

    def convert(self, tables: dict[str, Any]) -> tuple[Any, ...]:
        """Write the converted file and list it."""
        sentence = inspecting.write_converted(inspecting.network_path(tables["file"]), tables["convert"])
        return (done(sentence), *refreshed())

    def rename(self, tables: dict[str, Any]) -> tuple[Any, ...]:
        """Rename the file and show it under its new name."""
        name, sentence = inspecting.rename(inspecting.network_path(tables["file"]), tables["rename"])
        chosen, other = refreshed()
        page = inspecting.page(inspecting.network_path(name))
        return done(sentence), {**chosen, "value": name}, other, page

    def write_notes(self, tables: dict[str, Any]) -> tuple[Any, ...]:
        """Write the notes and show the file again."""
        path = inspecting.network_path(tables["file"])
        sentence = inspecting.write_notes(path, tables["notes"])
        return done(sentence), inspecting.page(path)


def refreshed() -> tuple[Any, Any]:
    """Return both lists, read again from the folder."""
    shared.reload_hypernetworks()
    names = inspecting.names()
    return gr.update(choices=names), gr.update(choices=names)
