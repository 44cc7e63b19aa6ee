"""A study: trials of one job with other settings each, one after the other, until its budget is used up."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..base.errors import (
    DatasetError,
    HypernetworkFileError,
    NonFiniteLossError,
    SettingsError,
    TrainingError,
    is_out_of_memory,
    too_little_memory,
)
from ..ports import Ports
from ..train import TrainResult, train
from ..train.paths import OutputPaths
from ..train.settings.job import Job
from .answer import Answer
from .brain import best
from .judge import TrialJudge, UnfitTrialError
from .kept import Study
from .plan import StudyPlan
from .progress import Others, TrialDesk, TrialProgress
from .trials import COMPLETE, FAILED, OVER, PRUNED, RUNNING, WAITING, Trial, alive

_log = logging.getLogger(__name__)
_WAIT_S = 1.0


@dataclass(frozen=True)
class StudyResult:
    """What a study has found so far.

    Attributes:
        study: what it is made of.
        trials: all that were begun, by number.
        best: those that none beats, the best first.
        is_interrupted: whether the user ended it before its budget was used up.
        seconds: how long this worker took.
    """

    study: Study
    trials: tuple[Trial, ...]
    best: tuple[Trial, ...]
    is_interrupted: bool
    seconds: float

    def report(self) -> dict[str, Any]:
        """Return everything as plain values."""
        names = self.study.settings.objectives
        return {
            "study": self.study.name,
            "folder": str(self.study.folder.resolve()),
            "seconds": round(self.seconds, 3),
            "interrupted": self.is_interrupted,
            "best": [trial.number + 1 for trial in self.best],
            "trials": [
                {
                    "trial": trial.number + 1,
                    "state": trial.state,
                    "settings": self.study.settings_of(trial),
                    "values": dict(zip(names, trial.values, strict=False)),
                    **trial.facts,
                }
                for trial in self.trials
            ],
        }

    def lines(self) -> list[str]:
        """Return the result as sentences."""
        counts = {state: sum(trial.state == state for trial in self.trials) for state in OVER}
        whole, early, failed = counts[COMPLETE], counts[PRUNED], counts[FAILED]
        lines = [f"The study has {whole} whole trials, {early} ended early and {failed} failed."]
        if self.is_interrupted:
            lines.append("It was interrupted; started again, it goes on.")
        for trial in self.best:
            values = ", ".join(
                f"{name} {value:.4g}" for name, value in zip(self.study.settings.objectives, trial.values, strict=True)
            )
            tried = ", ".join(f"{key} = {value}" for key, value in self.study.settings_of(trial).items())
            lines.append(f"Best is trial {trial.number + 1}, {values}: {tried}.")
        failures = [trial for trial in self.trials if trial.state == FAILED]
        if failures:
            lines.append(f"Trial {failures[0].number + 1} failed: {failures[0].facts.get('problem', '')}.")
        return lines


def run_study(plan: StudyPlan, ports: Ports) -> StudyResult:
    """Do trials until the study is complete, its budget is used up, or the user interrupts it.

    Raises:
        DatasetError: a picture to compare with can no longer be read.
        WorkbenchError: something is wrong that is no matter of the settings tried, such as a full disk; the trial is
            given back.
    """
    started = time.monotonic()
    try:
        style = plan.style() if plan.style else None
    except DatasetError:
        if not ports.progress.is_interrupted():
            raise
        is_interrupted = True
    else:
        is_interrupted = _Worker(replace(plan, measures=replace(plan.measures, style=style)), ports).work()
    Answer.of(plan.study).write()
    trials = tuple(plan.study.store.trials())
    return StudyResult(plan.study, trials, tuple(best(trials)), is_interrupted, time.monotonic() - started)


class _Worker:
    """Does trials of a study, as others may at the same time."""

    def __init__(self, plan: StudyPlan, ports: Ports) -> None:
        self._plan, self._study, self._ports = plan, plan.study, ports
        self._brain = plan.brain

    def work(self) -> bool:
        """Do trials as long as there are any; return True where the user ended it."""
        while not self._ports.progress.is_interrupted():
            trials = self._study.store.trials()
            left = self._left(trials)
            if not left:
                return False
            trial = next((found for number in left if (found := self._study.store.claim(number)) is not None), None)
            if trial is not None:
                self._do(trial, trials)
            else:
                self._wait(len(trials))  # another worker may die at one of them
        return True

    def _left(self, trials: Sequence[Trial]) -> list[int]:
        """Return the trials that are to be done; with the budget used up those alone that were broken off."""
        over = {trial.number for trial in trials if trial.state in OVER}
        begun = [trial.number for trial in trials if trial.number < self._brain.most_trials]
        numbers = begun if self._is_used_up(trials) else range(self._brain.most_trials)
        return [number for number in numbers if number not in over]

    def _is_used_up(self, trials: Sequence[Trial]) -> bool:
        settings = self._study.settings
        steps, seconds = (sum(getattr(trial, name) for trial in trials) for name in ("steps", "seconds"))
        return bool(
            (self._plan.most_steps and steps >= self._plan.most_steps)
            or (settings.max_minutes and seconds >= settings.max_minutes * 60)
        )

    def _others(self, trial: Trial, trials: Sequence[Trial]) -> Others:
        """Return the trials that will come after one."""
        states = {one.number: one.state for one in trials}
        count = sum(states.get(number) != RUNNING or number == trial.number for number in self._left(trials))
        over = [one.steps for one in trials if one.state in OVER]
        if self._plan.most_steps and sum(over):
            left = self._plan.most_steps - sum(one.steps for one in trials)
            count = min(count, max(1, math.ceil(left / (sum(over) / len(over)))))
        return Others(trial, trials, count, self._study.settings.max_minutes * 60)

    def _wait(self, count: int) -> None:
        self._ports.progress.report(count, self._brain.most_trials, "waits for trials of other workers")
        time.sleep(_WAIT_S)

    def _do(self, trial: Trial, trials: Sequence[Trial]) -> None:
        store, spent = self._study.store, _Spent(trial, self._others(trial, trials))
        try:
            with alive(store, trial.number, spent.facts):
                state, values, facts = self._outcome(trial, spent)
        except BaseException:
            store.finish(trial.number, WAITING, (), spent.facts())
            raise
        store.finish(trial.number, state, values, facts | spent.facts())

    def _outcome(self, trial: Trial, spent: _Spent) -> tuple[str, tuple[float, ...], dict[str, Any]]:
        """Return the state of a trial after its run, with its values and facts."""
        study, parts = self._study, self._plan.measures.parts
        before = [one for one in study.store.trials() if one.number != trial.number]
        if not trial.point:
            trial = replace(trial, point=self._brain.point(trial.number, before))
            study.store.set_point(trial.number, trial.point)
        earlier = [one for one in before if one.number < trial.number]
        pruning = self._brain.pruning(trial.number, earlier, parts)
        judge = TrialJudge(self._plan.measures, study.store, trial, pruning, study.folder_of(trial) / "prompts")
        spent.judge = judge
        try:
            result = self._run(study.job(trial), trial, judge, spent)
        except (SettingsError, DatasetError, NonFiniteLossError, UnfitTrialError) as error:
            if isinstance(error, DatasetError) and self._ports.progress.is_interrupted():
                return WAITING, (), {}  # stopped while pictures were read or encoded
            return FAILED, (), {"problem": "; ".join(str(error).splitlines())}
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return FAILED, (), {"problem": too_little_memory(error)}
        facts = _facts(result)
        if judge.values:
            return COMPLETE, judge.values, facts
        return (PRUNED if judge.is_pruned else WAITING), (), facts

    def _run(self, job: Job, trial: Trial, judge: TrialJudge, spent: _Spent) -> TrainResult:
        """Train as a trial says; one that was broken off goes on from its last state."""
        shown = TrialProgress(self._ports.progress, trial.number, self._brain.most_trials)
        desk = TrialDesk(self._ports.desk, spent.others_s) if self._ports.desk else None
        ports = replace(self._ports, progress=shown, desk=desk)
        if OutputPaths.of(job, ports, is_resumed=True).states():
            try:
                result = train(job, ports, resume=True, judge=judge)
            except (NonFiniteLossError, UnfitTrialError):
                raise
            except (SettingsError, TrainingError, HypernetworkFileError) as error:
                _log.info("Trial %d begins anew: %s", trial.number + 1, error)
            else:
                if judge.values or judge.is_pruned or result.interrupted:
                    return result
        return train(job, ports, judge=judge)


class _Spent:
    """What a trial has taken of the budget, each time that it was worked at."""

    def __init__(self, trial: Trial, others: Others) -> None:
        self.judge: TrialJudge | None = None
        self._others = others
        self._steps, self._seconds = trial.steps, trial.seconds
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it took so far."""
        return self._seconds + time.monotonic() - self._started

    def facts(self) -> dict[str, Any]:
        """Return it as facts of the trial."""
        steps = self._steps + (self.judge.steps if self.judge else 0)
        return {"seconds": round(self.seconds, 3), "steps_taken": steps}

    def others_s(self, left_s: float) -> float:
        """Return how long the trials after it will take, by how long it still does."""
        return self._others.seconds(self.seconds + left_s)


def _facts(result: TrainResult) -> dict[str, Any]:
    return {
        "steps": result.steps,
        "loss": result.loss_last,
        "network": result.network.name,
        "log": result.log.parent.name,
    }
