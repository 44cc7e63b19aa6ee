"""The package Optuna, which is optional: found, or asked for in one sentence; and settings as it has them."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..base.errors import SettingsError
from .space import Choices, Parameter, Point, Space
from .trials import COMPLETE, PRUNED, RUNNING, Trial


def load(field: str, why: str) -> Any:
    """Return the package.

    Args:
        field: the setting that needs it, as `section.key`.
        why: what needs it, as the beginning of a sentence.

    Raises:
        SettingsError: it is not installed; says how to install it.
    """
    try:
        package = importlib.import_module("optuna")
    except ImportError as error:
        advice = f"{why} needs Optuna, which is not installed: run {sys.executable} -m pip install optuna"
        raise SettingsError(field, advice) from error
    package.logging.set_verbosity(package.logging.ERROR)
    return package


def is_installed() -> bool:
    """Tell whether the package is there, without the seconds that an import takes."""
    return importlib.util.find_spec("optuna") is not None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep its remarks on functions that are still experimental out of the log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def distribution(optuna: Any, parameter: Parameter) -> Any:
    """Return what Optuna calls the values of a parameter; those of a list by their labels."""
    kinds = optuna.distributions
    if isinstance(parameter, Choices):
        return kinds.CategoricalDistribution([label(value) for value in parameter.values])
    if parameter.is_whole:
        whole = max(1, int(parameter.step))
        return kinds.IntDistribution(int(parameter.low), int(parameter.high), log=parameter.is_log, step=whole)
    step = parameter.step or None
    return kinds.FloatDistribution(float(parameter.low), float(parameter.high), log=parameter.is_log, step=step)


def distributions(optuna: Any, space: Space) -> dict[str, Any]:
    """Return the distribution of each parameter, by its address."""
    return {one.address: distribution(optuna, one) for one in space.parameters}


def labelled(space: Space, point: Point) -> dict[str, Any]:
    """Return a point as Optuna has it."""
    return {
        one.address: label(point[one.address]) if isinstance(one, Choices) else point[one.address]
        for one in space.parameters
    }


def unlabelled(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the point of what Optuna suggests."""
    return {one.address: _value(one, params[one.address]) for one in space.parameters}


def told(optuna: Any, space: Space, trial: Trial, kinds: Mapping[str, Any]) -> Any:
    """Return a trial as Optuna has it; None where it has nothing to tell."""
    states = optuna.trial.TrialState
    state = {COMPLETE: states.COMPLETE, PRUNED: states.PRUNED, RUNNING: states.RUNNING}.get(trial.state)
    if state is None or not trial.point:
        return None
    return optuna.trial.create_trial(
        state=state,
        params=labelled(space, trial.point),
        distributions=kinds,
        values=list(trial.values) if state == states.COMPLETE else None,
        intermediate_values=dict(trial.reports),
    )


def label(value: Any) -> str:
    """Return the label of a value of a list: no two have the same."""
    return value if isinstance(value, str) else json.dumps(value)


def _value(parameter: Parameter, suggested: Any) -> Any:
    if isinstance(parameter, Choices):
        return next(value for value in parameter.values if label(value) == suggested)
    return parameter.rounded(suggested)
