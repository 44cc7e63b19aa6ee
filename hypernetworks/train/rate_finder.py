"""Finds a learning rate for a job by trying many, each from the same start on the same batches and noise."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup
from torch import Tensor

from ..base.errors import WorkbenchError
from ..data.encoding import encode_parts
from ..pages.charts import Curve, draw_rates
from ..ports import Ports, Progress
from .noise import as_chosen
from .optim.own_rates import why_no_rate
from .optim.step_schedule import with_highest
from .plan import TrainingPlan, make_plan
from .rate_search import Choice, Horizons, RateSearch, Trial
from .rate_trials import RateTrials, measured_part
from .settings.job import Job
from .state import make_state
from .trainer import make_trainer

#: Share of the highest rate below which the end of a run counts as quiet.
_QUIET = 0.2


@dataclass(frozen=True)
class FoundRate:
    """What the trials of rates gave.

    Attributes:
        choice: the rate with its range, or why none can be told.
        text: the learning rate to enter: that rate, or a schedule with it as the highest; empty where there is none.
        trials: all of them, in order.
        loss: of the measured samples before.
        run_steps: length of the job's run, in optimizer steps.
        steps, seconds: what the trials took; steps that prepare them are not counted.
    """

    choice: Choice
    text: str = ""
    trials: tuple[Trial, ...] = ()
    loss: float = math.nan
    run_steps: int = 0
    steps: int = 0
    seconds: float = 0.0

    @property
    def is_found(self) -> bool:
        """Whether there is a rate; while rates are still tried, there is none."""
        return math.isfinite(self.choice.rate)

    def lines(self) -> list[str]:
        """Return the result as sentences: first the rate or why there is none, then what was done for it."""
        choice, lines = self.choice, []
        if self.is_found:
            lines.append(
                f"A learning rate of {choice.rate:.2g} suits this run of {self.run_steps} steps; rates from "
                f"{choice.low:.2g} to {choice.high:.2g} may do as well."
            )
        else:
            lines.append(f"No learning rate can be told: {choice.doubt}.")
        if self.trials:
            best = min(trial.loss for trial in self.trials)
            lines.append(
                f"{len(self.trials)} trials took {self.steps} steps and {self.seconds:.0f} s; the loss on the same "
                f"pictures and noise was {self.loss:.4g} before, and {best:.4g} after the best."
            )
        return lines

    def chart(self) -> Markup:
        """Return the loss after trials over the rate, a curve for each length, as SVG; empty without trials."""
        lengths = sorted({trial.steps for trial in self.trials})
        curves = [
            Curve(f"after {steps} steps", [(t.rate, t.loss) for t in self.trials if t.steps == steps])
            for steps in lengths
        ]
        return draw_rates(curves, self.loss, (self.choice.low, self.choice.high) if self.is_found else None)


class _InterruptedError(WorkbenchError):
    """The user ended the trials."""


class _Trying:
    """Keeps the trials, shows their progress, and ends them where the user asks for it."""

    def __init__(self, progress: Progress, horizons: Horizons) -> None:
        self._progress, self._horizons = progress, horizons
        self._started = time.monotonic()
        self._expected_s, self._loss, self._steps = math.nan, math.nan, 0
        self.trials: list[Trial] = []

    def before_step(self, rate: float) -> None:
        """Report a step that begins; raises _InterruptedError."""
        if self._progress.is_interrupted():
            raise _InterruptedError
        done, most = self._steps, self._horizons.most_steps
        if rate:
            self._steps += 1
            text = f"step {done} of at most {most} ({self._expected_s:.0f} s), trying a rate of {rate:.2g}"
        else:
            text = f"step {done} of at most {most}, preparing"
        self._progress.report(done, most, text)

    def search(self, trials: RateTrials, losses: Tensor, settles: bool) -> Choice:
        """Try rates, and return what they say."""
        horizons = self._horizons
        self._expected_s = trials.step_s * horizons.most_steps + trials.measurement_s * horizons.most_trials
        self._loss = losses.mean().item()

        def measure(rate: float, steps: int) -> Trial:
            self.trials.append(trials.measure(rate, steps))
            self._progress.draw(self.result(Choice()).chart())
            return self.trials[-1]

        return RateSearch(measure, losses, horizons, settles).choose()

    def result(self, choice: Choice, text: str = "") -> FoundRate:
        """Return the result."""
        return FoundRate(
            choice=choice,
            text=text,
            trials=tuple(self.trials),
            loss=self._loss,
            run_steps=self._horizons.run,
            steps=self._steps,
            seconds=time.monotonic() - self._started,
        )


def find_rate(job: Job, ports: Ports) -> FoundRate:
    """Return a learning rate for the whole run of `job`, or why none can be told.

    Nothing is written but encoded pictures, for the run itself; the seed makes the result reproducible.

    Raises:
        SettingsError: settings do not fit the model, the files or the dataset.
        DatasetError: pictures or captions cannot be read.
    """
    if doubt := why_no_rate(job.optimizer.name, job.optimizer.arguments):
        return FoundRate(Choice(doubt=doubt))
    if job.words:
        return FoundRate(Choice(doubt="it is looked for with a hypernetwork alone, and embeddings are trained here"))
    ports = as_chosen(ports, job.loss)
    plan = make_plan(_tried(job), ports)
    training, measured = encode_parts((plan.training, measured_part(plan.training)), ports, plan.cache)
    state = make_state(plan.job, plan.network, ports.denoiser)
    if job.network.file:
        state.read_optimizer_file(Path(job.network.file), plan.job)
    trying = _Trying(ports.progress, Horizons.of(plan.end_step))
    trainer = make_trainer(plan, ports.denoiser, training, state)
    trials = RateTrials(trainer, plan.end_step, measured, trying.before_step)
    unloaded = ports.encoder.unloaded() if job.train.unload_encoders else nullcontext()
    try:
        with unloaded, trials.working() as losses:
            choice = trying.search(trials, losses, _settles(plan))
    except _InterruptedError:
        choice = Choice(doubt=f"it was interrupted after {len(trying.trials)} trials")
    return trying.result(choice, "" if choice.doubt else _with_highest(job, choice.rate))


def _tried(job: Job) -> Job:
    """Return the job with 1 as its highest rate, and without what is for the length of a real run."""
    return replace(
        job,
        schedule=replace(job.schedule, rate=_with_highest(job, 1.0)),
        loss=replace(job.loss, noise_cycle="0"),
        train=replace(job.train, ema_decay=0.0),
        output=replace(job.output, overwrite=True),
    )


def _with_highest(job: Job, rate: float) -> str:
    """Return the learning rate of a job with `rate` as its highest: before the pictures are read and after it alike."""
    # Which rates a run in epochs reaches depends on the pictures, so there all of them count.
    return with_highest(job.schedule.rate, rate, None if job.counts_epochs else job.steps(1))


def _settles(plan: TrainingPlan) -> bool:
    return plan.schedule.rate(plan.end_step - 1) <= _QUIET
