"""The handlers of the tab Dataset: what the page shows after each action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from ....hypernetworks.base.errors import DatasetError, SettingsError, WorkbenchError
from ....hypernetworks.data.captions import METADATA
from ....hypernetworks.data.survey.captioning import text_to_edit
from ....hypernetworks.data.survey.survey import Survey
from ....hypernetworks.pages import dataset, dataset_pictures
from ....hypernetworks.pages.sentences import done, note, refused
from ...queue.adding import added
from ..form import Form
from . import work as dataset_work
from .view import NOTHING, View, wrong_numbers

Updates = dict[str, Any]


@dataclass(frozen=True)
class Components:
    """The components that show a survey, and those in which a person chooses what is shown."""

    survey: Any
    show: Any
    tag: Any
    problem: Any
    words: Any
    page: Any
    per_page: Any
    number: Any
    caption: Any
    held: Any
    overview: Any
    undo: Any
    pictures: Any
    pager: Any
    before: Any
    after: Any
    cards: Any
    chosen: Any
    tags: Any
    editor: Any


_NAMES = [field.name for field in fields(Components)]
_OF_VIEW = len(View._fields)


class Handlers:
    """Functions for the events of the tab; each returns updates of all components, and a status behind them."""

    def __init__(self, form: Form, components: Components) -> None:
        self.form = form
        self.components = components

    @property
    def view(self) -> list[Any]:
        """Components that make a `View`."""
        return self.shown[:_OF_VIEW]

    @property
    def shown(self) -> list[Any]:
        """Components that an action updates, before its status."""
        return [getattr(self.components, name) for name in _NAMES]

    def look(self, _task: str, *given: Any) -> tuple[Any, ...]:
        """Survey the dataset that the form describes; `given` are `view` and the form."""
        view, entered = View.of(given[:_OF_VIEW]), given[_OF_VIEW:]
        if wrong := list(wrong_numbers(given[:_OF_VIEW], is_page_used=False)):
            return _answer(refused(wrong))
        try:
            self._kept(view)
            found = dataset_work.look(self.form.values(entered))
        except WorkbenchError as error:
            return _answer(self.form.explain(error))
        status = done(f"{len(found.samples) + len(found.scan.left_out):,} pictures were found.")
        return _answer(status, **self._all(view.looked_again(found)))

    def turn(self, *given: Any, by: int = 0, to_first: bool = False) -> tuple[Any, ...]:
        """Show the chosen pictures, `by` pages after the given one or from the first on."""
        view = View.of(given)
        if view.survey is None:
            return _answer(gr.update())
        if wrong := list(wrong_numbers(given, is_page_used=not to_first)):
            return _answer(gr.update(), pager=refused(wrong))
        return _answer(gr.update(), **self._page(view._replace(page=1 if to_first else view.page + by)))

    def pick(self, *given: Any) -> tuple[Any, ...]:
        """Show a picture with its caption to edit, the one before saved; `given` are `view` and its number."""
        view = View.of(given[:_OF_VIEW])
        target = int(given[_OF_VIEW])
        return self._go(view, lambda _: target if view.survey and 0 <= target < len(view.survey.samples) else None)

    def go(self, *given: Any, by: int) -> tuple[Any, ...]:
        """Show the picture before (-1) or after (1) the one that is edited, which is saved."""
        view = View.of(given)
        return self._go(view, lambda seen: seen.beside(by) if seen.survey else None, by)

    def save_caption(self, *given: Any) -> tuple[Any, ...]:
        """Write the caption of the picture that is shown."""
        view = View.of(given)
        try:
            seen = _looked(view)
            found, sentence = dataset_work.set_caption(seen, view.number, view.text)
        except WorkbenchError as error:
            return _answer(self.form.explain(error))
        changes = self._all(view._replace(survey=found))
        # What was typed meanwhile stays, and is not saved yet.
        return _answer(done(sentence), **{**changes, "caption": gr.update(), "held": view.text})

    def discard(self, *given: Any) -> tuple[Any, ...]:
        """Put back the caption that the file has."""
        view = View.of(given)
        return _answer("", **self._editor(view.survey, view.number))

    def undo(self, *given: Any) -> tuple[Any, ...]:
        """Undo the newest edit; a caption that is not saved yet stays in its field."""
        view = View.of(given)
        try:
            found, sentence = dataset_work.undo(_looked(view))
        except WorkbenchError as error:
            return _answer(self.form.explain(error))
        changes = self._all(view._replace(survey=found))
        if view.is_unsaved:
            changes["caption"] = gr.update()
        return _answer(done(sentence), **changes)

    def change_tags(self, *given: Any) -> tuple[Any, ...]:
        """Change tags everywhere; `given` are `view` and the form."""
        tables = self.form.values(given[_OF_VIEW:])
        return self._edit(given, lambda seen: dataset_work.set_tags(seen, tables["tags"]), "tags")

    def tag_selected(self, *given: Any, action: str, place: str) -> tuple[Any, ...]:
        """Change the tags of pictures; `given` are `view`, the tags, and the numbers of the pictures as text."""
        tags, numbers = given[_OF_VIEW : _OF_VIEW + 2]
        values = {"action": action, "tag": tags or "", "place": place}
        return self._edit(given, lambda seen: dataset_work.set_tags(seen, values, _numbers(seen, numbers)), "tags")

    def convert(self, _task: str, *given: Any) -> tuple[Any, ...]:
        """Convert captions to UTF-8; `given` as for `change_tags`."""
        tables = self.form.values(given[_OF_VIEW:])
        return self._edit(given, lambda seen: dataset_work.convert(seen, tables["conversion"]), "conversion")

    def edit_metadata(self, *given: Any) -> tuple[Any, ...]:
        """Make, clean or write back kohya's metadata; `given` are `view` and the form."""
        tables = self.form.values(given[_OF_VIEW:])
        values = tables["metadata"], tables["cleaning"]
        return self._edit(given, lambda seen: dataset_work.edit_metadata(seen, *values), "metadata")

    def caption_all(self, _task: str, *given: Any) -> tuple[Any, ...]:
        """Caption pictures with a tagger of the host; `given` as for `change_tags`."""
        values = dict(self.form.values(given[_OF_VIEW:])["taggers"])
        tagger = values.pop("tagger")
        return self._edit(given, lambda seen: dataset_work.caption_all(seen, tagger, values), "taggers")

    def queue_captions(self, *entered: Any) -> str:
        """Add the captioning of the pictures that the form names to the queue; return the status."""
        tables = self.form.values(entered)
        values = dict(tables["taggers"])
        try:
            return done(added(dataset_work.queued(tables["data"], values.pop("tagger"), values)))
        except WorkbenchError as error:
            return self.form.explain(error, "taggers")

    def make_copies(self, _task: str, seen: Survey | None, *entered: Any) -> tuple[Any, ...]:
        """Split and mirror pictures; return the status."""
        try:
            survey = _looked(View(seen))
            return gr.update(), done(dataset_work.make_copies(survey, self.form.values(entered)["copies"]))
        except WorkbenchError as error:
            return gr.update(), self.form.explain(error, "copies")

    def _go(self, view: View, target_of: Callable[[View], int | None], by: int = 0) -> tuple[Any, ...]:
        """Save what is not saved and show another picture, on its page; after an error everything stays."""
        try:
            kept = self._kept(view)
        except WorkbenchError as error:
            return _answer(self.form.explain(error))
        target = target_of(kept)
        changes = self._all(kept) if kept.survey is not view.survey else {}
        if target is None:
            end = {-1: note("This is the first picture."), 1: note("This is the last picture.")}
            return _answer(end.get(by, ""), **changes)
        page = kept.page_of(target)
        if changes or page != kept.page:
            changes |= self._page(kept._replace(page=page))
        status = done("The caption was saved.") if view.is_unsaved else ""
        return _answer(status, **{**changes, **self._editor(kept.survey, target)})

    def _kept(self, view: View) -> View:
        """Save the caption that is edited, if it was changed; raises SettingsError or DatasetError."""
        if not view.is_unsaved or view.survey is None:
            return view
        found, _ = dataset_work.set_caption(view.survey, view.number, view.text)
        return view._replace(survey=found, held=view.text)

    def _edit(
        self, given: tuple[Any, ...], work: Callable[[Survey], tuple[Survey, str]], section: str = ""
    ) -> tuple[Any, ...]:
        """Return all updates after an edit; after an error what was saved before it, and one sentence."""
        view = kept = View.of(given[:_OF_VIEW])
        try:
            _looked(view)
            kept = self._kept(view)
            found, sentence = work(_looked(kept))
        except WorkbenchError as error:
            changes = self._all(kept) if kept.survey is not view.survey else {}
            return _answer(self.form.explain(error, section), **changes)
        return _answer(done(sentence), **self._all(kept._replace(survey=found)))

    def _all(self, view: View) -> Updates:
        found = view.survey
        assert found is not None
        shows = dataset_pictures.choices(found)
        tags, problems = dataset_pictures.tag_choices(found), dataset_pictures.problem_choices(found)
        view = view._replace(
            show=dataset_pictures.again(view.show, shows),
            tag=dataset_pictures.again(view.tag, tags),
            problem=dataset_pictures.again(view.problem, problems),
        )
        return {
            "survey": found,
            "overview": dataset.render(found),
            "undo": self._undo_button(found),
            "show": gr.update(choices=shows, value=view.show),
            "tag": gr.update(choices=tags, value=view.tag),
            "problem": gr.update(choices=problems, value=view.problem),
            "words": view.words,
            "pictures": gr.update(visible=True),
            **self._page(view),
            **self._editor(found, view.number),
        }

    def _page(self, view: View) -> Updates:
        assert view.survey is not None
        numbers = view.chosen()
        last = dataset_pictures.page_count(numbers, view.per_page)
        current = min(max(view.page, 1), last)
        in_all = len(view.survey.samples) + len(view.survey.scan.left_out)
        return {
            "page": current,
            "pager": note(f"Page {current:,} of {last:,}; {len(numbers):,} of {in_all:,} pictures."),
            "before": gr.update(interactive=current > 1),
            "after": gr.update(interactive=current < last),
            "cards": dataset_pictures.cards(view.survey, numbers, current, view.per_page),
        }

    def _editor(self, found: Survey | None, number: int) -> Updates:
        if found is None or not 0 <= number < len(found.samples):
            empty = dict.fromkeys(("chosen", "tags", "caption", "held"), "")
            return {"number": NOTHING, **empty, "editor": gr.update(visible=False)}
        sample = found.samples[number]
        text = text_to_edit(sample)
        return {
            "number": number,
            "chosen": dataset_pictures.large(found, number),
            "tags": dataset_pictures.tag_editor(found, number),
            "caption": gr.update(value=text, interactive=sample.found.origin.kind != METADATA),
            "held": text,
            "editor": gr.update(visible=True),
        }

    @staticmethod
    def _undo_button(found: Survey) -> Any:
        edits = dataset_work.edits(found)
        label = f"Undo: {edits[0].title[:60]}" if edits else "Undo"
        return gr.update(value=label, visible=bool(edits), interactive=bool(edits))


def _answer(status: Any, **changes: Any) -> tuple[Any, ...]:
    return (*(changes.get(name, gr.update()) for name in _NAMES), status)


def _numbers(seen: Survey, text: str) -> list[int]:
    """Return the numbers of pictures that the page names; raises SettingsError."""
    named = [int(one) for one in (text or "").split() if one.isdecimal()]
    numbers = sorted({one for one in named if one < len(seen.samples)})
    if not numbers:
        raise SettingsError("tag", "select pictures first")
    return numbers


def _looked(view: View) -> Survey:
    if view.survey is None:
        raise DatasetError("press Look first, so that there is a dataset to work on")
    return view.survey
