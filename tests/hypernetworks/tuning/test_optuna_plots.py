"""Optuna's own plots of a study, where plotly is there; and our own where it is not."""

from __future__ import annotations

import importlib.util

import pytest
from hypernetwork_workbench.hypernetworks.tuning import optuna_plots, page
from hypernetwork_workbench.hypernetworks.tuning.answer import Answer

from tests.support.studies import tune

OURS = ("Trials as lines", "What mattered")


@pytest.fixture
def answer_of(pictures, tmp_path):
    """Return a function that does a study and returns its answer."""

    def make(**settings):
        return Answer.of(
            tune(pictures, tmp_path, train__max_steps=2, **{"method": "grid", "trials": 4} | settings).study
        )

    return make


def test_without_plotly_the_page_has_our_own(answer_of, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "plotly" else find(name, *more)
    )
    answer = answer_of()
    assert answer.plots() == {}
    answer.write()
    assert not list(answer.study.folder.glob("plot*"))
    assert all(words in page.page(answer, answer.plots()) for words in OURS)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"pruning": "median"}, ["coordinates", "importance", "way"]),
        ({}, ["coordinates", "importance"]),
        ({"objective": "both"}, ["coordinates", "importance", "front"]),
        ({"trials": 1}, []),
    ],
)
def test_with_plotly_they_are_optunas(answer_of, settings, names):
    pytest.importorskip("plotly", reason="plotly is not installed")
    answer = answer_of(**settings)
    plots = answer.plots()
    assert list(plots) == names
    written = [path for path in answer.write() if path.suffix == ".html"]
    assert [path.stem for path in written] == [f"plot-{name}" for name in names]
    if not names:
        return
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert "Plotly.newPlot(" in text
        assert 'src="plotly.min.js"' in text
        assert 'src="http' not in text, "it needs no network"
    assert (written[0].parent / "plotly.min.js").stat().st_size > 1_000_000
    shown = page.page(answer, plots)
    assert not any(words in shown for words in OURS)
    assert "Loss curves" in shown


def test_a_study_with_a_failed_trial_is_drawn_without_it(answer_of):
    pytest.importorskip("plotly", reason="plotly is not installed")
    answer = answer_of(ranges="schedule.rate = [0.01, 0.02, 1e30]", trials=0)
    assert [trial.state for trial in answer.trials].count("failed") == 1
    assert optuna_plots.COORDINATES in answer.plots()
