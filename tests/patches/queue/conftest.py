"""The queue of the embedded host, and a worker for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.pictures import captioned


@pytest.fixture
def queue(patched, monkeypatch):
    """Return the empty queue of the host; its worker has ended afterwards."""
    from hypernetwork_workbench.patches.queue import place
    from hypernetwork_workbench.patches.queue import worker as module
    from hypernetwork_workbench.patches.runs import folders

    monkeypatch.setattr(module, "_POLL_S", 0.05)
    monkeypatch.setattr(module, "_BEAT_S", 0.05)
    monkeypatch.setattr(module.worker, "_is_ended", False)
    made = place.queue()
    shutil.rmtree(made.database.path.parent, ignore_errors=True)
    shutil.rmtree(folders.log_dir(), ignore_errors=True)
    yield made
    module.worker.end()


@pytest.fixture
def worker(queue):
    from hypernetwork_workbench.patches.queue.worker import worker

    return worker


@pytest.fixture
def pictures(tmp_path) -> Path:
    return captioned(tmp_path / "pictures")


@pytest.fixture
def run_of(pictures):
    """Return a function that gives the tables of a job: a training of this name and length."""

    def tables(name, steps=4, **more):
        return {
            "data": {"folder": str(pictures), "width": 64, "height": 64, "batch_size": 2},
            "schedule": {"rate": "0.001"},
            "train": {"max_steps": steps},
            "output": {"name": name, "sheet": False},
            **more,
        }

    return tables
