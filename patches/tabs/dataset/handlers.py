"""The handlers of the tab Dataset: what the page shows after each action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ....hypernetworks.base.errors import DatasetError, WorkbenchError
from ....hypernetworks.data.survey.captioning import text_to_edit
from ....hypernetworks.data.survey.survey import Survey
from ....hypernetworks.pages import dataset
from ....hypernetworks.pages.sentences import done, note
from ..form import Form
from . import work as dataset_work

_NOTHING = -1


@dataclass(frozen=True)
class Components:
    """The components that show a survey."""

    survey: Any
    overview: Any
    undo: Any
    show: Any
    words: Any
    page: Any
    pager: Any
    turns: tuple[Any, Any]
    cards: Any
    number: Any
    chosen: Any
    caption: Any
    editor: Any


class Handlers:
    """Functions for the events of the tab; each returns updates of the components that it names."""

    def __init__(self, form: Form, components: Components) -> None:
        self.form = form
        self.components = components

    @property
    def view(self) -> list[Any]:
        """Components that decide which pictures are shown: the survey, the choice, the words, the page."""
        return [self.components.survey, self.components.show, self.components.words, self.components.page]

    @property
    def pictures(self) -> list[Any]:
        """Components that `turn` updates."""
        return [self.components.page, self.components.pager, *self.components.turns, self.components.cards]

    @property
    def editor(self) -> list[Any]:
        """Components that `pick` updates."""
        return [self.components.number, self.components.chosen, self.components.caption, self.components.editor]

    @property
    def shown(self) -> list[Any]:
        """Components that an action updates, before its status."""
        components = self.components
        first = [components.survey, components.overview, components.undo, components.show, components.words]
        return [*first, *self.pictures, *self.editor]

    def look(self, _task: str, *entered: Any) -> tuple[Any, ...]:
        """Survey the dataset that the form describes."""
        try:
            found = dataset_work.look(self.form.values(entered))
        except WorkbenchError as error:
            return (*[gr.update()] * len(self.shown), self.form.explain(error))
        status = done(f"{len(found.samples) + len(found.scan.left_out):,} pictures were found.")
        return (*self._all(found, dataset.ALL, "", 1, _NOTHING), status)

    def turn(self, seen: Survey | None, show: str, words: str, page_number: Any, by: int = 0) -> tuple[Any, ...]:
        """Show the chosen pictures, `by` pages after the given one."""
        if seen is None:
            return tuple(gr.update() for _ in self.pictures)
        numbers = dataset.chosen(seen, show, words)
        last = dataset.page_count(numbers)
        wanted = int(page_number) if isinstance(page_number, (int, float)) else 1
        current = min(max(wanted + by, 1), last)
        pager = f"Page {current:,} of {last:,}; {len(numbers):,} of {len(seen.samples):,} pictures."
        can_turn = (current > 1, current < last)
        return (
            current,
            note(pager),
            *(gr.update(interactive=can) for can in can_turn),
            dataset.cards(seen, numbers, current),
        )

    def pick(self, seen: Survey | None, number: Any) -> tuple[Any, ...]:
        """Show a picture with its caption to edit."""
        place = int(number) if isinstance(number, (int, float)) else _NOTHING
        if seen is None or not 0 <= place < len(seen.samples):
            return _NOTHING, "", "", gr.update(visible=False)
        return place, dataset.large(seen, place), text_to_edit(seen.samples[place]), gr.update(visible=True)

    def save_caption(self, *given: Any) -> tuple[Any, ...]:
        """Write the caption of the picture that is shown; `given` are `view`, its number and the text."""
        *view, number, text = given
        return self._edit(view, number, lambda seen: dataset_work.set_caption(seen, int(number), text or ""))

    def undo(self, *given: Any) -> tuple[Any, ...]:
        """Undo the newest edit; `given` are `view` and the number of the picture that is shown."""
        *view, number = given
        return self._edit(view, number, dataset_work.undo)

    def change_tags(self, *given: Any) -> tuple[Any, ...]:
        """Change tags everywhere; `given` are `view`, the number of the picture and the form."""
        view, number, tables = self._split(given)
        return self._edit(view, number, lambda seen: dataset_work.set_tags(seen, tables["tags"]), "tags")

    def convert(self, _task: str, *given: Any) -> tuple[Any, ...]:
        """Convert captions to UTF-8; `given` as for `change_tags`."""
        view, number, tables = self._split(given)
        return self._edit(view, number, lambda seen: dataset_work.convert(seen, tables["conversion"]), "conversion")

    def caption_all(self, _task: str, *given: Any) -> tuple[Any, ...]:
        """Caption pictures with a tagger of the host; `given` as for `change_tags`."""
        view, number, tables = self._split(given)
        values = dict(tables["taggers"])
        tagger = values.pop("tagger")
        return self._edit(view, number, lambda seen: dataset_work.caption_all(seen, tagger, values), "taggers")

    def make_copies(self, _task: str, seen: Survey | None, *entered: Any) -> tuple[Any, ...]:
        """Split and mirror pictures; return the status."""
        try:
            return gr.update(), done(dataset_work.make_copies(_looked(seen), self.form.values(entered)["copies"]))
        except WorkbenchError as error:
            return gr.update(), self.form.explain(error, "copies")

    def _split(self, given: tuple[Any, ...]) -> tuple[list[Any], Any, dict[str, Any]]:
        count = len(self.view)
        return list(given[:count]), given[count], self.form.values(given[count + 1 :])

    def _edit(
        self, view: list[Any], number: Any, work: Callable[[Survey], tuple[Survey, str]], section: str = ""
    ) -> tuple[Any, ...]:
        """Return all updates after an edit; after an error only one sentence."""
        seen, show, words, page_number = view
        try:
            found, sentence = work(_looked(seen))
        except WorkbenchError as error:
            return (*[gr.update()] * len(self.shown), self.form.explain(error, section))
        return (*self._all(found, show, words, page_number, number), done(sentence))

    def _all(self, found: Survey, show: str, words: str, page_number: Any, number: Any) -> tuple[Any, ...]:
        names = dataset.choices(found)
        show = show if show in names else dataset.ALL
        pictures = self.turn(found, show, words, page_number)
        return (
            found,
            dataset.render(found),
            self._undo_button(found),
            gr.update(choices=names, value=show),
            words,
            *pictures,
            *self.pick(found, number),
        )

    @staticmethod
    def _undo_button(found: Survey) -> Any:
        edits = dataset_work.edits(found)
        label = f"Undo: {edits[0].title[:60]}" if edits else "Undo"
        return gr.update(value=label, interactive=bool(edits))


def _looked(seen: Survey | None) -> Survey:
    if seen is None:
        raise DatasetError("press Look first, so that there is a dataset to work on")
    return seen
