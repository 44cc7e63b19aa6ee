"""Finds a learning rate: the range test of Smith, "Cyclical Learning Rates" (2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from markupsafe import Markup

from ..base.errors import TrainingError
from ..data.encoding import encode_parts
from ..pages.charts import Curve, draw_chart
from ..ports import Ports
from .optim.precision import Precision
from .plan import make_plan
from .settings.job import Job
from .state import make_state
from .tracking.metrics import StepRecord
from .trainer import make_trainer

LOWEST, HIGHEST = 1e-7, 0.1
STEPS = 100
_SMOOTHING = 0.9
_DIVERGED = 2.0
_SKIPPED_SHARE = 0.1


@dataclass(frozen=True)
class RisingRate:
    """A rate that grows by the same factor every step."""

    lowest: float
    highest: float
    steps: int

    def rate(self, step: int) -> float:
        """Return the rate of `step`."""
        return self.lowest * (self.highest / self.lowest) ** (step / max(self.steps - 1, 1))

    def is_end_of_cycle(self, step: int) -> bool:
        """Tell whether `step` is the last one."""
        return step == self.steps - 1

    @property
    def end_step(self) -> int:
        """The number of steps."""
        return self.steps


@dataclass(frozen=True)
class FoundRate:
    """The result of the test.

    Attributes:
        rate: the suggestion.
        rates, losses: the rates tried, and the smoothed loss after each.
    """

    rate: float
    rates: tuple[float, ...]
    losses: tuple[float, ...]

    def chart(self) -> Markup:
        """Return the smoothed loss and the common logarithm of the rate over the steps, as SVG."""
        loss = Curve("loss", list(enumerate(self.losses)))
        rate = Curve("log10 of the rate", [(step, math.log10(value)) for step, value in enumerate(self.rates)])
        return draw_chart([loss], rate, len(self.rates) - 1)


class _Recorder:
    """Smooths the losses, and ends the test once they have clearly risen."""

    def __init__(self, ports: Ports, steps: int, precision: Precision) -> None:
        self._ports, self._steps, self._precision = ports, steps, precision
        self.rates: list[float] = []
        self.losses: list[float] = []
        self._mean = 0.0

    def after_step(self, record: StepRecord) -> bool:
        """Record the step; return True to end the test."""
        self._ports.progress.report(record.step, self._steps, f"Trying a rate of {record.rate:.3g}")
        if record.skipped:
            # The first steps in fp16 may be left out because the scale of the loss is too large yet.
            return not (math.isfinite(record.loss) and self._precision.is_searching_scale)
        self._mean = _SMOOTHING * self._mean + (1 - _SMOOTHING) * record.loss
        self.rates.append(record.rate)
        self.losses.append(self._mean / (1 - _SMOOTHING ** len(self.rates)))
        has_diverged = self.losses[-1] > _DIVERGED * min(self.losses)
        return has_diverged or self._ports.progress.is_interrupted()


def find_rate(job: Job, ports: Ports, steps: int = STEPS) -> FoundRate:
    """Train a copy of the network for `steps` at a rising rate, and return the rate of the steepest descent.

    Only encoded pictures are written, for the run itself; the seed makes the result reproducible.

    Raises:
        SettingsError: settings do not fit the model, the files or the dataset.
        TrainingError: the loss did not fall at any rate.
    """
    changes = replace(job.output, overwrite=True)
    # Every timestep may occur at every rate; a noise scheduler is for the length of a real run.
    loss, settings = replace(job.loss, noise_cycle="0"), replace(job.train, ema_decay=0.0)
    tried = replace(job, output=changes, loss=loss, train=settings)
    plan = replace(make_plan(tried, ports), schedule=RisingRate(LOWEST, HIGHEST, steps), end_step=steps)
    (data,) = encode_parts((plan.dataset,), ports, plan.cache)
    trainer = make_trainer(plan, ports.denoiser, data, make_state(tried, plan.network, ports.denoiser))
    recorder = _Recorder(ports, steps, trainer.state.precision)
    reporter = trainer.reporter([recorder], steps)
    with trainer.working():
        for batches in trainer.batches(0, steps):
            if reporter.report(trainer.step(batches)):
                break
    return _steepest(recorder.rates, recorder.losses)


def _steepest(rates: list[float], losses: list[float]) -> FoundRate:
    first = int(len(losses) * _SKIPPED_SHARE)  # a mean of few losses means little
    slopes = [(losses[i + 1] - losses[i - 1], rates[i]) for i in range(max(first, 1), len(losses) - 1)]
    slope, rate = min(slopes, default=(0.0, 0.0))
    if slope >= 0:
        raise TrainingError("the loss did not fall at any rate; check the dataset, or choose a rate by hand")
    return FoundRate(rate, tuple(rates), tuple(losses))
