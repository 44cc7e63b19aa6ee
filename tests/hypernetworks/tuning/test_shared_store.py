"""A shared study in a file of SQLite: what workers do at the same moment."""

from __future__ import annotations

import threading

import pytest
from hypernetwork_workbench.hypernetworks.tuning.shared_store import SharedStore
from hypernetwork_workbench.hypernetworks.tuning.space import Space, parse
from hypernetwork_workbench.hypernetworks.tuning.trials import WAITING


def opened(folder):
    pytest.importorskip("optuna", reason="the package optuna is not installed")
    return SharedStore(f"sqlite:///{folder}/x.db", "study", Space(tuple(parse("schedule.rate = 1e-3..1e-1 log"))), 1)


def test_a_trial_that_two_workers_want_at_the_same_moment_is_taken_by_one(tmp_path, monkeypatch):
    first, second = opened(tmp_path), opened(tmp_path)
    first.claim(0)
    first.finish(0, WAITING, (), {})
    taken = []
    other = threading.Thread(target=lambda: taken.append(second.claim(0)))
    check = first._storage.check_trial_is_updatable

    def slow(*given):
        """Let the other worker come between what the first one read and what it writes."""
        if not other.ident:
            other.start()
            other.join(2.0)
        check(*given)

    monkeypatch.setattr(first._storage, "check_trial_is_updatable", slow)
    taken.append(first.claim(0))
    other.join()
    assert [trial.number for trial in taken if trial is not None] == [0]
