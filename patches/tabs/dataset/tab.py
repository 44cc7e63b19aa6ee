"""The layout of the tab Dataset, and the connections of its events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr
from modules import call_queue

from ....hypernetworks.base.options import Option, groups
from ....hypernetworks.data.settings import ENCODING
from ....hypernetworks.data.survey.conversion import ConversionSettings
from ....hypernetworks.data.survey.copies import CopySettings
from ....hypernetworks.data.survey.metadata_actions import MetadataSettings
from ....hypernetworks.data.survey.survey import SurveySettings
from ....hypernetworks.data.survey.tag_cleaning import CleaningSettings
from ....hypernetworks.data.survey.tagger import TaggerSettings
from ....hypernetworks.data.survey.tags import ADD, END, FRONT, REMOVE, TagSettings
from ....hypernetworks.pages.sentences import done
from ....hypernetworks.queue.kinds.caption import CaptionSettings
from ....hypernetworks.train.settings.job import SECTIONS
from ...model import taggers
from ...runs import tasks
from ...runs.side_jobs import beside
from .. import folders, start_size, start_values
from ..form import Form, blur_events
from ..frame import form_column, frame, of_inputs, panel_column, wipe_on
from ..train import tab
from .handlers import Handlers
from .panel import Panel

_ID = "hnw_dataset"
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
_NAME = Option("Name for [name]", "Name of the network, for [name] in the caption template.")
_MOVES = ("pick", "previous", "next", "discard")
_EDITS = (
    "save",
    "undo",
    "tags",
    "taggers",
    "queue",
    "conversion",
    "metadata",
    "copies",
    "add_first",
    "add_last",
    "remove",
)
#: After what puts another caption into its field, which is locked meanwhile, and after the jobs that do.
_ARRIVED, _DONE = "hnwDatasetArrive", "() => hnwDatasetWork(false)"
#: The actions that can wait in the queue.
_QUEUED = ("taggers",)


def build(_params: Any = None) -> None:
    """Build the tab inside the host's Train tab."""
    make_tab(start_values.tables(), tab.form_of_page())


def make_tab(start: dict[str, dict[str, Any]], train: Form | None = None) -> Handlers:
    """Make the tab in the block that is open now.

    Args:
        start: tables of a job with the initial values of the fields.
        train: the form of the tab Train Gamma, if it is on this page.
    """
    return _Tab(start, train).handlers


class _Tab:
    """The widgets of the tab."""

    def __init__(self, start: dict[str, dict[str, Any]], train: Form | None) -> None:
        self._form = Form(_ID)
        self._start = start_size.start_with(start)
        self._statuses: dict[str, Any] = {}
        self._buttons: dict[str, Any] = {}
        with gr.Tab("Dataset", elem_id=f"{_ID}_tab") as opened, frame():
            with form_column(_ID):
                self._fields(train)
                self._actions()
                folders.add(_ID)
            with panel_column(_ID, scale=2):
                self._panel = Panel(self._button, self._statuses)
            if not start_size.is_named(start):
                start_size.follow(opened, self._form)
        self.handlers = Handlers(self._form, self._panel.components)
        self._connect_view()
        self._connect_editor()
        self._connect_edits()
        self._connect_statuses()
        if train is not None:
            self._connect_train(train)

    def _fields(self, train: Form | None) -> None:
        data = {"data": SECTIONS["data"]}
        self._form.add_rows(data, self._start)
        self._train_row("gradient_accumulation")
        if train is not None:
            with gr.Row():
                self._button("take", "Fill in from Train Gamma", size="sm", min_width=140)
                self._button("give", "Use in Train Gamma", size="sm", min_width=140)
            self._statuses["train"] = gr.HTML(elem_id=f"{_ID}_train_status")
        # The encoding of pictures makes no difference to what this tab shows.
        self._form.add_folds(data, self._start, [one for one in groups(data.values()) if one != ENCODING])
        with gr.Accordion("Run and problems", open=False, elem_id=f"{_ID}_limits"):
            self._train_row("validation_share", "seed")
            name = gr.Textbox("", label=_NAME.label, info=_NAME.help, elem_id=f"{_ID}_name")
            self._form.add_component("", "name", _NAME, name)
            self._form.add(SurveySettings, {}, (), "limits")

    def _train_row(self, *names: str) -> None:
        """Make a row of the settings of a run that change its batches."""
        with gr.Row():
            self._form.add(SECTIONS["train"], self._start["train"], names, "train")

    def _actions(self) -> None:
        with self._action("tags", "Change tags everywhere", "Change the tags"):
            self._form.add(TagSettings, {}, (), "tags")
        with self._action("taggers", "Caption all pictures", "Caption all"):
            self._tagger_fields()
        with self._action("conversion", "Caption files in other encodings", "Convert to UTF-8"):
            self._form.add(ConversionSettings, {}, (), "conversion")
        with self._action("metadata", "Metadata files", "Do it"):
            self._form.add(MetadataSettings, {}, (), "metadata")
            self._form.add(CleaningSettings, {}, (), "cleaning")
        with self._action("copies", "Split and mirror", "Write the copies"):
            self._form.add(CopySettings, {}, (), "copies")

    def _tagger_fields(self) -> None:
        found = taggers.available()
        names, used = list(found), {fold for one in found.values() for fold in one.uses}
        option = next(option for name, _, option in CaptionSettings.options() if name == "tagger")
        tagger = gr.Dropdown(
            names, value=names[0], label=option.label, info=option.help, elem_id=f"{_ID}_taggers_tagger"
        )
        self._form.add_component("taggers", "tagger", option, tagger)
        kinds = {"taggers": TaggerSettings}
        self._form.add_rows(kinds)
        self._form.add_folds(kinds, {}, [one for one in groups(kinds.values()) if one in used])

    @contextlib.contextmanager
    def _action(self, section: str, title: str, button: str) -> Iterator[None]:
        """Make a fold for the fields of an action, with its button and its status below them."""
        with gr.Accordion(title, open=False, elem_id=f"{_ID}_{section}"):
            yield
            if button:
                self._button(section, button)
                if section in _QUEUED:
                    self._button("queue", "Add to queue")
                self._statuses[section] = gr.HTML(elem_id=f"{_ID}_{section}_status")

    def _button(self, name: str, text: str, **options: Any) -> Any:
        self._buttons[name] = gr.Button(text, elem_id=f"{_ID}_{name}_button", **options)
        return self._buttons[name]

    def _connect_view(self) -> None:
        handlers, components, buttons = self.handlers, self.handlers.components, self._buttons
        shown, view = handlers.shown, handlers.view
        self._job("look", handlers.look, [*view, *self._form.components], shown).then(None, _js=_DONE)
        buttons["interrupt"].click(tasks.interrupt, [self._panel.task], _js=f"() => hnwStartedJob('{_ID}')", **_QUICK)
        silent = [*shown, self._panel.picked]
        first = partial(handlers.turn, to_first=True)
        choosers = (components.show, components.tag, components.problem)
        for event in (*(one.input for one in choosers), components.words.change, components.per_page.change):
            event(first, view, silent, **_QUICK)
        for event in (components.page.submit, *blur_events(components.page)):
            event(handlers.turn, view, silent, **_QUICK)
        for name, by in (("before", -1), ("after", 1)):
            buttons[name].click(partial(handlers.turn, by=by), view, silent, **_QUICK)

    def _connect_editor(self) -> None:
        handlers, buttons = self.handlers, self._buttons
        outputs = [*handlers.shown, self._statuses["save"]]
        for name, handler, inputs in (
            ("pick", handlers.pick, [*handlers.view, self._panel.picked]),
            ("previous", partial(handlers.go, by=-1), handlers.view),
            ("next", partial(handlers.go, by=1), handlers.view),
            ("discard", handlers.discard, handlers.view),
        ):
            buttons[name].click(handler, inputs, outputs, **_QUICK).then(None, _js=_ARRIVED)
        buttons["save"].click(handlers.save_caption, handlers.view, outputs, **_QUICK)

    def _connect_edits(self) -> None:
        handlers, buttons, now = self.handlers, self._buttons, self.handlers.view
        for name, handler, inputs in (
            ("undo", handlers.undo, now),
            ("tags", handlers.change_tags, [*now, *self._form.components]),
            ("metadata", handlers.edit_metadata, [*now, *self._form.components]),
        ):
            outputs = [*handlers.shown, self._statuses[name]]
            buttons[name].click(handler, inputs, outputs, show_progress="hidden").then(None, _js=_ARRIVED)
        outputs = [*handlers.shown, self._statuses["selected"]]
        for name, action, place in (("add_first", ADD, FRONT), ("add_last", ADD, END), ("remove", REMOVE, FRONT)):
            handler = partial(handlers.tag_selected, action=action, place=place)
            inputs = [*now, self._panel.tags, self._panel.selected]
            buttons[name].click(handler, inputs, outputs, **_QUICK).then(None, _js=_ARRIVED)
        inputs = [*now, *self._form.components]
        self._job("conversion", handlers.convert, inputs, handlers.shown).then(None, _js=_DONE)
        queued = call_queue.wrap_gradio_gpu_call(
            handlers.caption_all, extra_outputs=[gr.update()] * len(handlers.shown)
        )
        self._connect_job("taggers", queued, inputs, handlers.shown).then(None, _js=_DONE)
        status = [self._statuses["taggers"]]
        buttons["queue"].click(handlers.queue_captions, self._form.components, status, **_QUICK)
        survey = handlers.components.survey
        self._job("copies", handlers.make_copies, [survey, *self._form.components], [self._panel.task])

    def _job(self, name: str, handler: Any, inputs: list[Any], outputs: list[Any]) -> Any:
        """Connect a button to a long job that runs beside the host's queue, and its progress; return its event."""
        return self._connect_job(name, beside(handler), inputs, outputs)

    def _connect_job(self, name: str, handler: Any, inputs: list[Any], outputs: list[Any]) -> Any:
        """Connect a button to a long job that tells the host when it ends, and its progress; return its event."""
        given = [self._panel.task, *inputs]
        return self._buttons[name].click(
            handler,
            _js=of_inputs(f"(...given) => hnwStartJob('{_ID}', given)", given),
            inputs=given,
            outputs=[*outputs, self._statuses[name]],
            show_progress="hidden",
        )

    def _connect_statuses(self) -> None:
        """Clear the messages of all actions as soon as one is pressed; that of a look stays while pictures are seen."""
        buttons, statuses = self._buttons, self._statuses
        wipe_on([buttons[name] for name in ("look", *_EDITS) if name in buttons], list(statuses.values()))
        wipe_on([buttons[name] for name in _MOVES], [one for name, one in statuses.items() if name != "look"])

    def _connect_train(self, train: Form) -> None:
        """Let each form be filled in from the other; both have fields of the same addresses."""
        there = {field.address: field.component for field in train.fields}
        pairs = [(there[one.address], one.component) for one in self._form.fields if one.address in there]
        theirs, ours = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        name = next(one.component for one in self._form.fields if one.name == "name")
        names = [there["output.name"], there["network.file"]]
        status = self._statuses["train"]
        self._buttons["take"].click(_taken, [*names, *theirs], [status, name, *ours], **_QUICK)
        self._buttons["give"].click(_given, ours, [status, *theirs], **_QUICK).then(
            None, _js="() => hnwLookSoon('hnw_train')"
        )


def _taken(saved_as: str, network: str | None, *values: Any) -> list[Any]:
    return [done("The settings of Train Gamma are filled in."), saved_as or network or "", *values]


def _given(*values: Any) -> list[Any]:
    return [done("Train Gamma has these settings now."), *values]
