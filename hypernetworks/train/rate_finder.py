"""Finds a learning rate for a job by trying many, each from the same start on the same batches and noise."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace

from markupsafe import Markup
from torch import Tensor

from ..base.errors import WorkbenchError
from ..base.intervals import counts_epochs
from ..data.encoding import encode_parts
from ..pages.charts import Curve, draw_rates
from ..ports import Ports, Progress
from .noise import as_chosen
from .optim.own_rates import why_no_rate
from .optim.step_schedule import with_highest
from .plan import TrainingPlan, make_plan
from .rate_search import Choice, Horizons, RateSearch, Trial
from .rate_trials import RateTrials, measured_part
from .settings.job import SECTIONS, Job
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
        setting: what to enter it into, as `section.key`.
        trials: all of them, in order.
        loss: of the measured samples before.
        run_steps: length of the job's run, in optimizer steps.
        steps, seconds: what the trials took; steps that prepare them are not counted.
        is_named: whether the sentences say what it is entered into, as there are several such settings.
        of_words: that of embeddings, where they have a rate of their own beside that of a network.
    """

    choice: Choice
    text: str = ""
    setting: str = "schedule.rate"
    trials: tuple[Trial, ...] = ()
    loss: float = math.nan
    run_steps: int = 0
    steps: int = 0
    seconds: float = 0.0
    is_named: bool = False
    of_words: FoundRate | None = None

    @property
    def is_found(self) -> bool:
        """Whether there is a rate; while rates are still tried, there is none."""
        return math.isfinite(self.choice.rate)

    @property
    def entries(self) -> dict[str, str]:
        """What to enter, by setting; those alone of which a rate can be told."""
        own = {self.setting: self.text} if self.is_found else {}
        return own | (self.of_words.entries if self.of_words else {})

    def lines(self) -> list[str]:
        """Return the result as sentences: first the rate or why there is none, then what was done for it."""
        lines = [self._told()]
        if self.trials:
            best = min(trial.loss for trial in self.trials)
            lines.append(
                f"{len(self.trials)} trials took {self.steps} steps and {self.seconds:.0f} s; the loss on the same "
                f"pictures and noise was {self.loss:.4g} before, and {best:.4g} after the best."
            )
        if self.of_words:
            lines += [*self.of_words.lines(), "Each was tried while the other rested."]
        return lines

    def _told(self) -> str:
        choice, steps = self.choice, self.run_steps
        if not self.is_named:
            if not self.is_found:
                return f"No learning rate can be told: {choice.doubt}."
            return (
                f"A learning rate of {choice.rate:.2g} suits this run of {steps} steps; rates from "
                f"{choice.low:.2g} to {choice.high:.2g} may do as well."
            )
        if not self.is_found:
            return f"No rate can be told for “{self._label}”: {choice.doubt}."
        return (
            f"{choice.rate:.2g} as “{self._label}” suits this run of {steps} steps; rates from {choice.low:.2g} to "
            f"{choice.high:.2g} may do as well."
        )

    def chart(self) -> Markup:
        """Return the loss after trials over the rate, a curve for each length, as SVG; empty without trials.

        Where there are two, the name of the setting stands above each.
        """
        if not self.of_words:
            return self._chart()
        return self._chart(self._label) + self.of_words._chart(self.of_words._label)

    @property
    def _label(self) -> str:
        """What the form calls the setting."""
        section, _, key = self.setting.partition(".")
        return next(option.label for name, _, option in SECTIONS[section].options() if name == key)

    def _chart(self, title: str = "") -> Markup:
        lengths = sorted({trial.steps for trial in self.trials})
        curves = [
            Curve(f"after {steps} steps", [(t.rate, t.loss) for t in self.trials if t.steps == steps])
            for steps in lengths
        ]
        return draw_rates(curves, self.loss, (self.choice.low, self.choice.high) if self.is_found else None, title)


class _InterruptedError(WorkbenchError):
    """The user ended the trials."""


class _Trying:
    """Keeps the trials, shows their progress, and ends them where the user asks for it.

    Args:
        searches: how many rates are looked for, one after the other.
    """

    def __init__(self, progress: Progress, horizons: Horizons, searches: int) -> None:
        self._progress, self._horizons = progress, horizons
        self._most_steps, self._most_trials = searches * horizons.most_steps, searches * horizons.most_trials
        self._expected_s, self._steps = math.nan, 0
        self._begin()

    def _begin(self) -> None:
        self._started, self._loss, self._steps_before = time.monotonic(), math.nan, self._steps
        self.trials: list[Trial] = []

    def before_step(self, rate: float) -> None:
        """Report a step that begins; raises _InterruptedError."""
        if self._progress.is_interrupted():
            raise _InterruptedError
        done, most = self._steps, self._most_steps
        if rate:
            self._steps += 1
            text = f"step {done} of at most {most} ({self._expected_s:.0f} s), trying a rate of {rate:.2g}"
        else:
            text = f"step {done} of at most {most}, preparing"
        self._progress.report(done, most, text)

    def search(self, trials: RateTrials, losses: Tensor, settles: bool, of_words: bool) -> Choice:
        """Try rates, and return what they say; raises _InterruptedError."""
        self._begin()
        self._expected_s = trials.step_s * self._most_steps + trials.measurement_s * self._most_trials
        self._loss = losses.mean().item()

        def measure(rate: float, steps: int) -> Trial:
            self.trials.append(trials.measure(rate, steps, of_words))
            self._progress.draw(self.result(Choice()).chart())
            return self.trials[-1]

        return RateSearch(measure, losses, self._horizons, settles).choose()

    def result(self, choice: Choice, text: str = "") -> FoundRate:
        """Return the result."""
        return FoundRate(
            choice=choice,
            text=text,
            trials=tuple(self.trials),
            loss=self._loss,
            run_steps=self._horizons.run,
            steps=self._steps - self._steps_before,
            seconds=time.monotonic() - self._started,
        )


def find_rate(job: Job, ports: Ports) -> FoundRate:
    """Return a learning rate for the whole run of `job`, or why none can be told; for each that it has.

    Nothing is written but encoded pictures, for the run itself; the seed makes the result reproducible.

    Raises:
        SettingsError: settings do not fit the model, the files or the dataset.
        DatasetError: pictures or captions cannot be read.
    """
    if doubt := why_no_rate(job.optimizer.name, job.optimizer.arguments):
        return FoundRate(Choice(doubt=doubt))
    plan, ports = plan_trials(job, ports), as_chosen(ports, job.loss)
    with plan.taking_words(ports):
        training, measured = encode_parts((plan.training, measured_part(plan.training)), ports, plan.cache)
    state = make_state(plan.job, plan.network, ports.denoiser, plan.embeddings)
    state.read_optimizer_file(plan.job)
    wanted, found = job.embedding.rates, list[FoundRate]()
    trying = _Trying(ports.progress, Horizons.of(plan.end_step), len(wanted))
    trainer = make_trainer(plan, ports.denoiser, training, state)
    trials = RateTrials(trainer, plan.end_step, measured, trying.before_step)
    unloaded = ports.encoder.unloaded() if job.train.unload_encoders else nullcontext()
    try:
        with unloaded, plan.taking_words(ports), trials.working() as losses:
            for setting in wanted:
                of_words = setting != wanted[0]
                choice = trying.search(trials, losses, _settles(plan, of_words), of_words)
                found.append(trying.result(choice, "" if choice.doubt else _with_highest(job, choice.rate, setting)))
    except _InterruptedError:
        found.append(trying.result(Choice(doubt=f"it was interrupted after {len(trying.trials)} trials")))
    named = [
        replace(one, setting=setting, is_named=bool(job.words)) for one, setting in zip(found, wanted, strict=False)
    ]
    return replace(named[0], of_words=named[1] if len(named) > 1 else None)


def plan_trials(job: Job, ports: Ports) -> TrainingPlan:
    """Return the plan of the trials; raises what `make_plan` does."""
    return make_plan(_tried(job), as_chosen(ports, job.loss))


def _tried(job: Job) -> Job:
    """Return the job with 1 as its highest rates, and without what is for the length of a real run."""
    of_words = _with_highest(job, 1.0, "embedding.rate") if job.embedding.rate else ""
    return replace(
        job,
        schedule=replace(job.schedule, rate=_with_highest(job, 1.0, "schedule.rate")),
        embedding=replace(job.embedding, rate=of_words),
        loss=replace(job.loss, noise_cycle="0"),
        train=replace(job.train, ema_decay=0.0),
        output=replace(job.output, overwrite=True),
    )


def _with_highest(job: Job, rate: float, setting: str) -> str:
    """Return a learning rate of a job with `rate` as its highest: before the pictures are read and after it alike."""
    text: str = getattr(job, setting.partition(".")[0]).rate
    # Which rates a run in epochs reaches depends on the pictures, so there all of them count.
    return with_highest(text, rate, None if job.counts_epochs or counts_epochs(text) else job.steps(1))


def _settles(plan: TrainingPlan, of_words: bool) -> bool:
    rates = plan.job.word_rates(plan.steps_per_epoch) if of_words else plan.schedule
    return rates is not None and rates.rate(plan.end_step - 1) <= _QUIET
