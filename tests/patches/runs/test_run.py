"""What another user is told of a run."""

from __future__ import annotations

import pytest

from tests.patches.api.test_refusals import OF_A_PAGE


@pytest.mark.parametrize("name", ["the night", "no", "ネオン", "iPhone", "über"])
@pytest.mark.parametrize(
    ("state", "left_s", "said"),
    [
        ("waiting", None, "(it is about to start); wait for its end, or interrupt it"),
        ("running", None, "; wait for its end, or interrupt it"),
        ("running", 4020, "(step 3 of 40, 1 h 7 min left); wait for its end, or interrupt it"),
        ("paused", 63, "(paused after step 3 of 40); let it go on, or interrupt it"),
    ],
)
def test_the_line_about_a_run_tells_where_it_is_and_nothing_of_its_losses(patched, name, state, left_s, said):
    from hypernetwork_workbench.patches.runs.run import Run

    run = Run(name=name, state=state, left_s=left_s, done=3, total=40, text="step 3 of 40, loss 0.1, rate 5e-05")
    assert run.line().replace(" (", "(") == f"{name} is being trained{said}"
    assert not OF_A_PAGE.search(run.line()), "the HTTP API says it too"


def test_a_check_or_a_search_for_a_rate_is_not_called_a_run(patched):
    from hypernetwork_workbench.patches.runs.run import Run

    run = Run(text="Trial 3 of 12")
    assert run.line() == "another job of training is going on; wait for its end, or interrupt it"


@pytest.mark.parametrize(("length", "total"), [(40, 40), ("40 steps", 40), ("40 epochs", 0)])
def test_the_steps_of_a_run_are_told_from_its_beginning_where_they_are_known(patched, length, total):
    from hypernetwork_workbench.hypernetworks.train.settings.job import Job
    from hypernetwork_workbench.patches.runs.run import FINISHED, runs

    tables = {"data": {"folder": "."}, "output": {"name": "ink"}, "train": {"max_steps": length}}
    with runs.hold() as run:
        runs.begin(Job.from_mapping(tables))
        assert run.total == total
        run.state = FINISHED
