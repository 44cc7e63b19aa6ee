"""The handlers of the pictures in the tab Merge Hypernetworks: made of what is chosen, and told when that changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ....hypernetworks.base.errors import SettingsError, WorkbenchError
from ....hypernetworks.merge import check
from ....hypernetworks.merge.pictures import PictureSettings
from ....hypernetworks.pages import merge as page
from ....hypernetworks.pages.sentences import done, note
from ....hypernetworks.ports import PictureRequest
from ....hypernetworks.train.tracking import prompt_files
from ...model.previews import find_sampler
from ...runs.job import is_random
from ..form import Form
from . import compositions, pictures, work
from .compositions import CompositionHandlers
from .handlers import MergeHandlers, Prediction

#: What pictures are of: the part of the tab, the values in it that decide what they show, and those of the pictures.
Of = tuple[str, Any, Any]
#: The eight values of the txt2img tab, in the host's order, as settings of the pictures.
_TXT2IMG = ("prompt", "negative_prompt", "steps", "sampler", "cfg_scale", "seed", "width", "height")
_STALE = "These pictures are of what stood in the fields before."


@dataclass(frozen=True)
class _Plan:
    """What to make pictures of, and what is known of it."""

    motifs: Sequence[pictures.Motif]
    of: Of
    facts: tuple[str, ...] = ()
    prediction: Prediction | None = None


class PictureHandlers:
    """Functions for the events of the pictures.

    Args:
        form: the fields of `PictureSettings`.
        merge, composition: the parts of the tab whose results are shown.
    """

    def __init__(self, form: Form, merge: MergeHandlers, composition: CompositionHandlers) -> None:
        self.form, self.merge, self.composition = form, merge, composition

    @property
    def inputs(self) -> list[Any]:
        """Components whose values `look` takes."""
        return self.form.components

    @property
    def shown(self) -> list[Any]:
        """Components that `look` updates."""
        return self.form.messages

    def look(self, *entered: Any) -> list[Any]:
        """Show at the fields what is wrong with them."""
        try:
            self._request(entered)
        except SettingsError as error:
            return self.form.message_updates({one.field: one.reason for one in error.errors})
        return self.form.message_updates({})

    def fill(self, *values: Any) -> list[Any]:
        """Return the values of the txt2img tab as updates of the form."""
        return self.form.filled(of_txt2img(values))

    def show_merge(self, _task: str, *entered: Any) -> list[Any]:
        """Make the pictures of the merge; return them, what they are of, how its result differs, and the outcome."""
        return self._answer(self.merge.form, entered, self._plan_merge)

    def show_composition(self, _task: str, *entered: Any) -> list[Any]:
        """Make the pictures of the composition; return what `show_merge` does."""
        return self._answer(self.composition.form, entered, self._plan_composition)

    @property
    def judged(self) -> list[Any]:
        """Components whose values `judge` takes before what the pictures are of."""
        return [*self.merge.form.components, *self.composition.form.components, *self.form.components]

    def judge(self, *entered: Any) -> str:
        """Return a sentence where the pictures are of something else than the fields.

        Args:
            entered: the values of `judged`, and what the pictures are of.
        """
        *given, of = entered
        if of is None:
            return ""
        count, own = len(self.merge.form.fields), len(self.form.fields)
        parts = {
            "merge": lambda: self._merge_now(given[:count], given[-own:]),
            "composition": lambda: self._composition_now(given[count:-own], given[-own:]),
        }
        return "" if of == parts[of[0]]() else note(_STALE)

    def _merge_now(self, entered: Sequence[Any], own: Sequence[Any]) -> Of:
        return "merge", work.what_is_made(self.merge.form.values(entered)), self.form.values(own)

    def _composition_now(self, entered: Sequence[Any], own: Sequence[Any]) -> Of:
        return "composition", self.composition.form.values(entered)["text"].strip(), self.form.values(own)

    def _plan_merge(self, entered: Sequence[Any], own: Sequence[Any]) -> _Plan:
        motifs, made = pictures.of_merge(self.merge.form.values(entered))
        fact = page.difference(made.differences, check.compared_with(made.method))
        return _Plan(motifs, self._merge_now(entered, own), (fact,), (list(entered), made.differences))

    def _plan_composition(self, entered: Sequence[Any], own: Sequence[Any]) -> _Plan:
        composition = compositions.read(self.composition.form.values(entered)["text"])
        return _Plan(pictures.of_composition(composition), self._composition_now(entered, own))

    def _request(self, entered: Sequence[Any]) -> PictureRequest:
        return PictureSettings.from_mapping(self.form.values(entered)).request(find_sampler)

    def _answer(
        self, form: Form, entered: Sequence[Any], plan: Callable[[Sequence[Any], Sequence[Any]], _Plan]
    ) -> list[Any]:
        """Return the pictures and what goes with them, or what is wrong with the fields of either form."""
        count = len(form.fields)
        problems = ""
        try:
            request = self._request(entered[count:])
        except WorkbenchError as error:
            problems = self.form.explain(error)
        try:
            planned = plan(entered[:count], entered[count:])
        except WorkbenchError as error:
            problems = form.explain(error) + problems
        if problems:
            return [gr.update(), gr.update(), gr.update(), problems]
        try:
            made = pictures.make(planned.motifs, request)
        except WorkbenchError as error:
            return [gr.update(), gr.update(), gr.update(), self.form.explain(error)]
        remarks = (
            f"{tag} changes nothing here: each picture shows one thing alone." for tag in prompt_files.tags([request])
        )
        told = done(_outcome(len(made), len(planned.motifs), request.seed), *planned.facts, *remarks)
        if not made:  # those of before stay, and are of what they were
            return [gr.update(), gr.update(), planned.prediction, told]
        return [made, planned.of, planned.prediction, told]


def of_txt2img(values: Sequence[Any]) -> dict[str, Any]:
    """Return the values of the txt2img tab, by setting of the pictures; a random seed is left out."""
    taken = dict(zip(_TXT2IMG, values, strict=False))
    if "seed" in taken and is_random(taken["seed"]):
        del taken["seed"]
    return taken


def _outcome(made: int, wanted: int, seed: int) -> str:
    if made < wanted:
        return f"Interrupted after {made} of {wanted} pictures; only whole ones are shown."
    return f"Made {made} pictures with seed {seed}; nothing was written."
