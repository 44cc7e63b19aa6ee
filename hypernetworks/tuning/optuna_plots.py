"""Optuna's own plots of a study, where its package and plotly are there; our own stand in for them elsewhere."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..base.atomic import write_text
from . import optuna_package
from .kept import Study
from .trials import COMPLETE, Trial

COORDINATES, IMPORTANCE, WAY, FRONT = "coordinates", "importance", "way", "front"
_FEWEST = 2
_log = logging.getLogger(__name__)

#: Figures of plotly by what they show.
Figures = Mapping[str, Any]


def figures(study: Study, trials: Iterable[Trial]) -> Figures:
    """Return the plots of the trials that are over: those that can be made of them; none without the packages."""
    trials = list(trials)
    if not (optuna_package.is_installed() and importlib.util.find_spec("plotly")):
        return {}
    if sum(trial.state == COMPLETE for trial in trials) < _FEWEST:
        return {}
    package = importlib.import_module("optuna")
    plots = importlib.import_module("optuna.visualization")
    names = study.settings.objectives
    told = _told(package, study, trials)
    first = {"target": lambda trial: trial.values[0], "target_name": names[0]}
    wanted: dict[str, Callable[[], Any]] = {
        COORDINATES: lambda: plots.plot_parallel_coordinate(told, **first),
        IMPORTANCE: lambda: plots.plot_param_importances(told, **first),
    }
    if len(names) > 1:
        wanted[FRONT] = lambda: plots.plot_pareto_front(told, target_names=list(names))
    elif any(trial.reports for trial in trials):
        wanted[WAY] = lambda: plots.plot_intermediate_values(told)
    found = {}
    for name, draw in wanted.items():
        try:
            with optuna_package.quiet():
                found[name] = draw()
        except (ImportError, ValueError, RuntimeError) as error:  # too few trials, or one more package
            _log.info("Optuna does not draw the %s of this study: %s", name, error)
    return found


def write(shown: Figures, folder: Path) -> list[Path]:
    """Write a page for each plot, and what they all need, so that they need no network; return the files.

    Raises:
        HypernetworkFileError: the disk refuses one.
    """
    script = folder / "plotly.min.js"
    if not script.exists():
        write_text(script, importlib.import_module("plotly.offline").get_plotlyjs())
    pages = {
        folder / f"plot-{name}.html": figure.to_html(include_plotlyjs="directory") for name, figure in shown.items()
    }
    for path, text in pages.items():
        write_text(path, text)
    return [*pages]


def _told(package: Any, study: Study, trials: Iterable[Trial]) -> Any:
    """Return the study as Optuna has it."""
    with optuna_package.quiet():
        made = package.create_study(
            study_name=study.name,
            directions=["minimize"] * len(study.settings.objectives),
            sampler=package.samplers.RandomSampler(seed=0),
        )
        kinds = optuna_package.distributions(package, study.space)
        for trial in trials:
            if (told := optuna_package.told(package, study.space, trial, kinds)) is not None:
                made.add_trial(told)
    return made
