"""The answer of a study for a page, in the words of the forms."""

from __future__ import annotations

from collections.abc import Collection

from ..jobs.train_entry import LABELS
from ..pages import tuning as pages
from .answer import Answer
from .optuna_plots import COORDINATES, IMPORTANCE
from .space import Range
from .space.settings import STYLE, VALIDATION, TuneSettings
from .trials import COMPLETE

_MOST_CURVES = 8
_WORDS = {
    "trial": "Trial",
    "state": "State",
    "steps": "Steps",
    "seconds": "Seconds",
    "loss": "Final loss",
    "problem": "Problem",
    VALIDATION: "Validation loss",
    STYLE: "Style distance",
}
_OWN = {f"tune.{name}": option.label for name, _, option in TuneSettings.options()}


def page(answer: Answer, drawn: Collection[str] = ()) -> str:
    """Return the answer as HTML.

    Args:
        drawn: what is shown beside it in Optuna's own plots, and is left out here.
    """
    head, rows = answer.rows()
    return pages.answer(
        pages.Shown(
            head=[label(name) for name in head],
            rows=rows,
            best=[trial.number + 1 for trial in answer.best],
            importance=[] if IMPORTANCE in drawn else [(label(name), share) for name, share in answer.importance()],
            axes=[] if COORDINATES in drawn else _axes(answer),
            curves=[
                (answer.study.name_of(trial), loss, validation)
                for trial, loss, validation in answer.curves()[:_MOST_CURVES]
            ],
        )
    )


def label(name: str) -> str:
    """Return what the page calls a setting, or another column of the table."""
    return {**LABELS, **_OWN, **_WORDS}.get(name, name)


def _axes(answer: Answer) -> list[pages.Axis]:
    done = [trial for trial in answer.trials if trial.state == COMPLETE]
    tried = [
        pages.Axis(
            label(one.address), [trial.point[one.address] for trial in done], isinstance(one, Range) and one.is_log
        )
        for one in answer.study.space.parameters
    ]
    measured = [
        pages.Axis(label(name), [trial.values[place] for trial in done])
        for place, name in reversed(list(enumerate(answer.study.settings.objectives)))
    ]
    return [*tried, *measured]
