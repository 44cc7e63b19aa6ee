"""What is tried next, and which trial ends early: functions of the seed and of the trials before.

Nothing else decides it, so a study that was broken off goes on as it would have. TPE (Bergstra et al., "Algorithms for
Hyper-Parameter Optimization", 2011), median pruning (Golovin et al., "Google Vizier", 2017) and Hyperband (Li et al.,
2018) are Optuna's, asked anew for each trial.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from ..base.randomness import derived_seed
from . import optuna_package
from .space import Space
from .space.settings import GRID, HYPERBAND, NONE, RANDOM, TuneSettings
from .trials import COMPLETE, PRUNED, RUNNING, Trial

#: Trials that TPE draws at random before it can tell anything.
_FEWEST_FIRST, _MOST_FIRST = 3, 10
_MEDIAN_FIRST = 4
_SEEDS = 2**32


class Brain:
    """Chooses the values of trials, and ends those that fall behind.

    Raises:
        SettingsError: Optuna is needed and missing, or there are too many combinations.
    """

    def __init__(self, settings: TuneSettings, space: Space) -> None:
        self._settings, self._space = settings, space
        self._optuna: Any = None
        if settings.search not in (GRID, RANDOM):
            self._optuna = optuna_package.load("tune.method", settings.method)
        if settings.pruning != NONE:
            self._optuna = optuna_package.load("tune.pruning", settings.pruning)
        self._grid = space.grid(settings.grid_points) if settings.search == GRID else None

    @property
    def most_trials(self) -> int:
        """The most trials that the study has."""
        return most_trials(self._settings, self._space)

    def point(self, number: int, before: Sequence[Trial]) -> dict[str, Any]:
        """Return the values of trial `number`, with what is known of the others."""
        if self._grid is not None:
            return dict(self._grid[number])
        if self._settings.search == RANDOM:
            return self._space.draw(self._settings.seed, number)
        return self._suggested(number, before)

    def pruning(self, number: int, before: Iterable[Trial], parts: int) -> Pruning | None:
        """Return what decides over the trial `number`, by those before it; None where none is ended early.

        Args:
            parts: how often a whole run reports.
        """
        if self._settings.pruning == NONE:
            return None
        return Pruning(self._optuna, self._settings.pruning, parts, number, before)

    def _suggested(self, number: int, before: Sequence[Trial]) -> dict[str, Any]:
        optuna, space = self._optuna, self._space
        first = min(_MOST_FIRST, _FEWEST_FIRST + len(space))
        with optuna_package.quiet():
            sampler = optuna.samplers.TPESampler(
                seed=derived_seed(self._settings.seed, "tpe", number) % _SEEDS,
                n_startup_trials=first,
                multivariate=True,
                constant_liar=True,
            )
            study = optuna.create_study(directions=["minimize"] * len(self._settings.objectives), sampler=sampler)
            kinds = optuna_package.distributions(optuna, space)
            for trial in before:
                if (told := optuna_package.told(optuna, space, trial, kinds)) is not None:
                    study.add_trial(told)
            asked = study.ask(kinds)
        return optuna_package.unlabelled(space, asked.params)


class Pruning:
    """Decides after each report of one trial whether it falls behind the trials before it.

    The others are gone through as they were, in the order of their numbers, since some methods keep count of what they
    decided.
    """

    def __init__(self, optuna: Any, method: str, parts: int, number: int, before: Iterable[Trial]) -> None:
        pruners = optuna.pruners
        pruner = (
            pruners.HyperbandPruner(min_resource=1, max_resource=parts, reduction_factor=3)
            if method == HYPERBAND
            else pruners.MedianPruner(n_startup_trials=_MEDIAN_FIRST, n_warmup_steps=1)
        )
        with optuna_package.quiet():
            self._study = optuna.create_study(
                study_name="study", direction="minimize", pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0)
            )
            known = {trial.number: trial for trial in before}
            for place in range(number):
                self._pass(known.get(place), optuna.trial.TrialState)
            self._trial = self._study.ask()

    def ends(self, part: int, value: float) -> bool:
        """Note what was measured after a part of the run, and tell whether the trial should end."""
        with optuna_package.quiet():
            self._trial.report(value, part)
            return bool(self._trial.should_prune())

    def _pass(self, trial: Trial | None, states: Any) -> None:
        asked = self._study.ask()
        for part, value in trial.reports if trial else ():
            asked.report(value, part)
            asked.should_prune()
        if trial is not None and trial.state == COMPLETE and trial.reports:
            self._study.tell(asked, trial.reports[-1][1])
        elif trial is not None and trial.state == PRUNED:
            self._study.tell(asked, state=states.PRUNED)
        elif trial is None or trial.state != RUNNING:
            self._study.tell(asked, state=states.FAIL)


def most_trials(settings: TuneSettings, space: Space) -> int:
    """Return the most trials that a study has; raises SettingsError where a grid has too many combinations."""
    if settings.search != GRID:
        return settings.most_trials
    count = space.combinations(settings.grid_points)
    return min(settings.trials or count, count)


def best(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that none beats: the first of the best, or with several objectives the Pareto front."""
    done = [trial for trial in trials if trial.state == COMPLETE and trial.values]
    front = [one for one in done if not any(_beats(other, one) for other in done)]
    return sorted(front, key=lambda trial: (trial.values, trial.number))[: None if _has_many(front) else 1]


def _has_many(trials: Sequence[Trial]) -> bool:
    return any(len(trial.values) > 1 for trial in trials)


def _beats(one: Trial, other: Trial) -> bool:
    pairs = list(itertools.zip_longest(one.values, other.values, fillvalue=0.0))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
