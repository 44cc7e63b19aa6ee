"""A queue in a folder of its own, and jobs for it."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.hypernetworks.queue import Queue, job_of
from hypernetwork_workbench.hypernetworks.queue.owner import Owner


@pytest.fixture
def queue(tmp_path):
    return Queue(tmp_path / "queue" / "queue.sqlite")


@pytest.fixture
def here():
    return Owner.here()


@pytest.fixture
def dead():
    """Return a process of this machine that is no more: its number is another one's by now."""
    here = Owner.here()
    return Owner(here.pid, here.born - 1000, here.host)


@pytest.fixture
def merge_of():
    """Return a function that makes a job: the merge of this name."""

    def make(name):
        return job_of("merge", {"merge": {"network_1": "A", "network_2": "B"}, "result": {"name": name}})

    return make


@pytest.fixture
def train_of():
    """Return a function that makes a job: a training of this name and length."""

    def make(name, steps=100):
        tables = {"data": {"folder": "/pictures"}, "train": {"max_steps": steps}, "output": {"name": name}}
        return job_of("train", tables)

    return make
