"""The pages of the tab Runs: the list, the settings of one run beside the form's, and several beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from . import charts, elements, recorded

_FILE = "runs.html"
_UNKNOWN = recorded.JobForm()


@dataclass(frozen=True)
class Card:
    """What the list shows of a run.

    Attributes:
        id: what tells it from the others.
        state: "running", "paused", "finished", "stopped" or "ended".
        loss, validation: numbers as text; empty where there are none.
        date: when it was written last.
        picture: a data URI, or empty.
    """

    id: str
    name: str
    state: str
    steps: int
    total: int
    loss: str
    validation: str
    date: str
    picture: str


@dataclass(frozen=True)
class Compared:
    """What a comparison shows of a run.

    Attributes:
        loss, validation: its curves.
        cells: before and after of each column of its sheet, as data URIs.
    """

    name: str
    loss: Sequence[tuple[int, float]]
    validation: Sequence[tuple[int, float]]
    cells: Sequence[tuple[str, str]]


def listing(cards: Sequence[Card], problems: Sequence[str]) -> str:
    """Return the list of runs, each with a box to choose it, and sentences on those that it lacks."""
    return elements.page(_FILE, "listing", cards, problems)


def details(
    name: str,
    differing: Sequence[tuple[str, Any, Any]],
    settings: Mapping[str, Mapping[str, Any]],
    form: recorded.JobForm = _UNKNOWN,
) -> str:
    """Return the settings of a run, in the words of `form`.

    Args:
        differing: label, value of the run and value of the form, where these are not the same.
    """
    return elements.page(_FILE, "details", name, differing, recorded.settings(settings, form))


def comparison(runs: Sequence[Compared]) -> str:
    """Return the curves of runs in one chart, and their sheets beside each other with one slider for all."""
    coloured = [(run, charts.colour(number)) for number, run in enumerate(runs)]
    chart = charts.draw_runs([(run.name, run.loss, run.validation) for run in runs])
    return elements.page(_FILE, "comparison", coloured, chart if any(run.loss for run in runs) else Markup())
