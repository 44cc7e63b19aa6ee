"""What the page is told of a job that waits for a run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.mark.parametrize(
    ("is_let_in", "left_s", "said"),
    [
        (False, None, "Waits for the training of ink."),
        (False, 63.0, "Waits for the training of ink, 1 min 3 s left."),
        (True, None, "Is let in after this step of the training of ink."),
        (True, 63.0, "Is let in after this step of the training of ink."),
    ],
)
def test_a_job_that_waits_is_told_what_for_and_can_be_let_in_once(patched, monkeypatch, is_let_in, left_s, said):
    from hypernetwork_workbench.patches.runs.progress import tell
    from hypernetwork_workbench.patches.runs.run import FINISHED, RUNNING, runs
    from hypernetwork_workbench.patches.runs.turns import Visitor, turns

    monkeypatch.setattr(turns, "_waiting", [Visitor("task(guest)", is_let_in)])
    with runs.hold("ink", task="task(run)") as run:
        run.state, run.left_s = RUNNING, left_s
        answer = tell("task(guest)", SimpleNamespace())
        run.state = FINISHED
    assert f">{said}</p>" in answer.textinfo
    assert ("hnwLetIn" in answer.textinfo) is not is_let_in
    assert (answer.active, answer.queued) == (False, True)
