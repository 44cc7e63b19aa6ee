"""The result of a run, and the files that it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup


@dataclass(frozen=True)
class TrainResult:
    """The result of a run, and the files that it wrote.

    Attributes:
        steps: optimizer steps done, including those before it was continued.
        steps_now: those since it was started or continued.
        steps_in_all: those the network was trained for, including those before the run.
        seconds: duration of `steps_now`, without encoding, saving, and the time in which the run stood aside.
        loss_first, loss_last: means over the first and the last tenth of the run, at most 50 steps; the ends of its
            curve.
        validation_loss: the last validation loss, or None.
        skipped_steps, rollbacks: how often a step was left out, and how often the last good state came back.
        peak_memory_mb: the most memory that the process (on a GPU: the device) used during the run.
        memory_mb: what the steps took of that above model and network; None where it cannot be told.
        estimated_mb: the estimate of that; None where there was none, or a wrong one.
        interrupted: whether the user ended it early.
        network, sheet, strip, log: files; None for those that were not wanted, and for the sheet after an interrupt.
        previews: preview pictures, in order.
        chart: the curves of the run, as SVG.
        notes: sentences on what was different from before a Continue, and on what could not be written.
    """

    steps: int
    steps_now: int
    steps_in_all: int
    seconds: float
    loss_first: float
    loss_last: float
    validation_loss: float | None
    skipped_steps: int
    rollbacks: int
    peak_memory_mb: float
    memory_mb: float | None
    estimated_mb: float | None
    interrupted: bool
    network: Path
    sheet: Path | None
    strip: Path | None
    log: Path
    previews: tuple[Path, ...]
    chart: Markup
    notes: tuple[str, ...] = ()

    @property
    def losses(self) -> str:
        """The loss in words: where it began and ended, or its mean where no more was trained than that is over."""
        if self.loss_first == self.loss_last:
            return f"loss {self.loss_first:.4f} on average"
        return f"loss {self.loss_first:.4f} at first, {self.loss_last:.4f} at last"
