"""Presets beside a form: the list of all, the advice of the chosen one, and a fold in which users keep their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from modules import paths

from ...hypernetworks.base.errors import SettingsError, WorkbenchError
from ...hypernetworks.jobs.preset_kinds import PresetKind, Shipped
from ...hypernetworks.jobs.presets import FIELD, NAME, Shelf
from ...hypernetworks.pages import presets as page
from ...hypernetworks.pages.sentences import done, in_page_words, refused
from ..patching.page import choices as kept_choices
from .form import Form
from .frame import FIELD_PX, wipe_on
from .preset_choice import OWN, preset_choice, shown_preset

_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
_NAME_HELP = "For Save and Rename."
_REPLACE_HELP = "Ticked, Save writes over your own one of this name."
_shelves: dict[tuple[str, Path], Shelf] = {}


@dataclass(frozen=True)
class Words:
    """The labels of a fold.

    Attributes:
        title: its heading.
        name, replace, compared: those of its fields.
    """

    title: str
    name: str
    replace: str
    compared: str


class OwnPresets:
    """The presets of one kind; made in the block that is open now.

    Args:
        prefix: start of the ids of the components.
        kind: what they are of.
        label, info: of the list.
        words: for the fold; labels are unique in a tab, since the host keeps defaults by them.
    """

    def __init__(self, prefix: str, kind: PresetKind, label: str, info: str, words: Words) -> None:
        self._prefix, self._kind, self._words = prefix, kind, words
        self.choice, self.advice = preset_choice(prefix, kind.shipped, label, info)
        self.choice.choices = kept_choices(self._choices())
        self.status = gr.HTML(elem_id=f"{prefix}_preset_status")
        with gr.Accordion(words.title, open=False, elem_id=f"{prefix}_presets"):
            self._parts = self._fold()

    @property
    def shelf(self) -> Shelf:
        """All presets of the kind, those of users in the host's data folder."""
        folder = Path(paths.data_path) / "hypernetwork-presets"
        return _shelves.setdefault((self._kind.name, folder), Shelf(self._kind, folder))

    @property
    def shown(self) -> list[Any]:
        """The components that `match` updates."""
        return [self.choice, self.advice]

    def match(self, values: Mapping[str, Any], chosen: str = "") -> list[Any]:
        """Return updates of the list and the advice for the preset whose values a form has, by its addresses.

        Args:
            chosen: what the list shows; it stays where several presets have these values.
        """
        return shown_preset(self.shelf.matching(values, chosen))

    def get(self, name: str) -> Shipped | None:
        """Return the preset of a name; None where there is none. Raises SettingsError where it cannot be read."""
        return self.shelf.get(name)

    def connect(
        self,
        choose: Callable[..., list[Any]],
        form: Form,
        inputs: Sequence[Any],
        filled: Sequence[Any],
        values: Callable[..., Mapping[str, Any]],
    ) -> Any:
        """Connect the events; return that of a choice.

        Args:
            choose: takes the name of a preset and the values of `inputs`; returns the updates of `filled`.
            form: has the labels for what is wrong.
            values: takes the values of `inputs`; returns those of the form by its addresses.
        """
        parts, listed = self._parts, [self.status, self.choice, self._parts["compared"]]
        wipe_on([parts[name] for name in ("save", "rename", "delete", "compare")], [self.status, parts["comparison"]])
        parts["save"].click(
            lambda name, replace, *given: self._save(form, name, replace, values(*given)),
            [parts["name"], parts["replace"], *inputs],
            listed,
            **_QUICK,
        )
        parts["rename"].click(partial(self._rename, form), [self.choice, parts["name"]], listed, **_QUICK)
        parts["delete"].click(partial(self._delete, form), [self.choice], listed, **_QUICK)
        parts["compare"].click(
            lambda names, *given: self._compare(form, names, values(*given)),
            [parts["compared"], *inputs],
            [self.status, parts["comparison"]],
            **_QUICK,
        )

        def chosen(name: str, *given: Any) -> list[Any]:
            try:
                return ["", *choose(name, *given)]
            except SettingsError as error:
                return [self._refusal(form, error), *(gr.update() for _ in filled)]

        return self.choice.input(chosen, [self.choice, *inputs], [self.status, *filled], **_QUICK)

    def refreshed(self) -> list[Any]:
        """Return updates of the list and of those to compare; another page may have saved some."""
        return [gr.update(choices=self._choices()), gr.update(choices=self.shelf.names())]

    @property
    def lists(self) -> list[Any]:
        """The components that `refreshed` updates."""
        return [self.choice, self._parts["compared"]]

    def _fold(self) -> dict[str, Any]:
        id_ = f"{self._prefix}_presets"
        with gr.Row():
            parts: dict[str, Any] = {
                "name": gr.Textbox(
                    "", label=self._words.name, info=_NAME_HELP, max_lines=1, min_width=FIELD_PX, elem_id=f"{id_}_name"
                ),
                "replace": gr.Checkbox(
                    False, label=self._words.replace, info=_REPLACE_HELP, min_width=FIELD_PX, elem_id=f"{id_}_replace"
                ),
            }
        with gr.Row():
            for name, text in (("save", "Save preset"), ("rename", "Rename"), ("delete", "Delete preset")):
                parts[name] = gr.Button(text, size="sm", min_width=90, elem_id=f"{id_}_{name}")
        parts["compared"] = gr.CheckboxGroup(
            self.shelf.names(),
            value=[],
            label=self._words.compared,
            elem_id=f"{id_}_compared",
            elem_classes="hnw-names",
        )
        parts["compare"] = gr.Button("Compare with the form", size="sm", elem_id=f"{id_}_compare")
        parts["comparison"] = gr.HTML(elem_id=f"{id_}_comparison")
        for name in ("name", "replace", "compared"):
            parts[name].do_not_save_to_config = True
        return parts

    def _choices(self) -> list[str]:
        return [OWN, *self.shelf.names()]

    def _save(self, form: Form, name: str, replace: bool, values: Mapping[str, Any]) -> list[Any]:
        try:
            saved = self.shelf.save(_named(name), values, bool(replace))
        except WorkbenchError as error:
            return self._answer(self._refusal(form, error))
        return self._answer(done(f"Saved as {saved.path}."), saved.name)

    def _rename(self, form: Form, chosen: str, name: str) -> list[Any]:
        try:
            self.shelf.rename(chosen, _named(name))
        except WorkbenchError as error:
            return self._answer(self._refusal(form, error))
        return self._answer(done(f"{chosen} is called {name.strip()} now."), name.strip())

    def _delete(self, form: Form, chosen: str) -> list[Any]:
        try:
            self.shelf.delete(chosen)
        except WorkbenchError as error:
            return self._answer(self._refusal(form, error))
        return self._answer(done(f"Deleted: {chosen}."), OWN)

    def _compare(self, form: Form, names: Sequence[str], values: Mapping[str, Any]) -> tuple[str, str]:
        if not names:
            return refused(["Tick a preset first."]), ""
        try:
            rows = self.shelf.comparison(names, values)
        except WorkbenchError as error:
            return self._refusal(form, error), ""
        return "", page.comparison(names, rows)

    def _answer(self, status: str, chosen: str | None = None) -> list[Any]:
        choices = {"choices": self._choices(), **({} if chosen is None else {"value": chosen})}
        return [status, gr.update(**choices), gr.update(choices=self.shelf.names())]

    def _refusal(self, form: Form, error: WorkbenchError) -> str:
        """Return what is wrong, with the label of the field; what is about the preset itself names no field."""
        if isinstance(error, SettingsError) and error.field == FIELD:
            return refused([in_page_words(f"{error.reason}.", {"replace": self._words.replace})])
        if isinstance(error, SettingsError) and error.field == NAME:
            return refused([f"{self._words.name}: {error.reason}"])
        return form.explain(error)


def _named(name: str | None) -> str:
    """Return a name that was entered; raises SettingsError for what the list says where no preset is chosen."""
    if (name or "").strip() == OWN:
        raise SettingsError(NAME, "stands in the list for no preset; choose another name")
    return name or ""
