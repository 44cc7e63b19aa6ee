"""What is measured of the runs of a study, and when one of them ends early."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import TrainingError
from ..ports import PictureRequest
from ..train.tracking.judging import Judged
from ..train.tracking.previews import save_picture
from .brain import Pruning
from .space.settings import STYLE, VALIDATION
from .style import StyleMeasure
from .trials import Store, Trial

#: How often a run is measured where trials may end early: a validation loss costs less than pictures.
_PARTS, _PARTS_WITH_PICTURES = 8, 4


@dataclass(frozen=True)
class Measures:
    """What is measured at the end of each trial.

    Attributes:
        objectives: names of the values, in their order.
        style: None where no pictures are judged.
        prompts: pictures for the sheet of the study; none where it has none.
        prunes: whether trials may end early.
    """

    objectives: tuple[str, ...]
    style: StyleMeasure | None
    prompts: tuple[PictureRequest, ...]
    prunes: bool

    @property
    def parts(self) -> int:
        """How often a whole run is measured."""
        if not self.prunes:
            return 1
        return _PARTS_WITH_PICTURES if STYLE in self.objectives else _PARTS


class UnfitTrialError(TrainingError):
    """A trial has no value: what is measured is not finite."""


class TrialJudge:
    """Measures the run of one trial.

    Args:
        pruning: decides whether it falls behind; None where it never ends early.
        pictures: the folder for the pictures of the sheet.

    Attributes:
        steps: how many were taken.
        values: one for each objective, once the run has reached its end.
        is_pruned: whether the run was ended early.
    """

    def __init__(self, measures: Measures, store: Store, trial: Trial, pruning: Pruning | None, pictures: Path) -> None:
        self._measures, self._store, self._trial = measures, store, trial
        self._pruning, self._pictures = pruning, pictures
        #: What was measured before a break, and is not measured again.
        self._known = dict(trial.reports)
        self.steps = 0
        self.values: tuple[float, ...] = ()
        self.is_pruned = False

    def note(self, step: int) -> None:
        """Count a step that was taken."""
        self.steps += 1

    def is_due(self, step: int, end_step: int) -> bool:
        """Tell whether the run is measured after `step`."""
        return step in self._places(end_step)

    def judge(self, step: int, end_step: int, run: Judged) -> bool:
        """Measure, and return True where the trial falls behind."""
        part, is_end = self._places(end_step)[step], step == end_step
        values = self._measured(run)
        if run.ports.progress.is_interrupted():
            return True  # the host may have stopped in the middle of a picture
        if not all(map(math.isfinite, values)):
            raise UnfitTrialError(f"the {self._measures.objectives[0]} is not finite after {step} steps")
        if is_end:
            self._show(run)
            self.values = values
        if self._pruning is None:
            return False
        for before in sorted(number for number in self._known if number < part):
            self._pruning.ends(before, self._known.pop(before))
        self._store.report(self._trial.number, part, values[0])
        self.is_pruned = self._pruning.ends(part, values[0]) and not is_end
        return self.is_pruned

    def _places(self, end_step: int) -> dict[int, int]:
        """Return the steps after which the run is measured, each with the number of its part."""
        parts = self._measures.parts
        return {-(-end_step * part // parts): part for part in range(1, parts + 1)}

    def _measured(self, run: Judged) -> tuple[float, ...]:
        return tuple(self._value(name, run) for name in self._measures.objectives)

    def _value(self, name: str, run: Judged) -> float:
        if name == VALIDATION:
            loss = run.validation_loss()
            return math.nan if loss is None else loss
        style = self._measures.style
        if style is None:
            return math.nan
        with run.weights():
            pictures = run.ports.previewer.generate(style.requests, run.network, 1.0)
        return math.nan if run.ports.progress.is_interrupted() else style.distance(pictures, run.ports.encoder)

    def _show(self, run: Judged) -> None:
        """Make the pictures of the sheet."""
        if not self._measures.prompts:
            return
        with run.weights():
            pictures = run.ports.previewer.generate(self._measures.prompts, run.network, 1.0)
        if not run.ports.progress.is_interrupted():
            for path, picture in zip(self.paths(self._pictures, self._measures.prompts), pictures, strict=True):
                save_picture(picture, path)

    @staticmethod
    def paths(folder: Path, prompts: Sequence[PictureRequest]) -> list[Path]:
        """Return the files of the pictures of the sheet in a folder."""
        return [folder / f"prompt-{number + 1}.png" for number in range(len(prompts))]
