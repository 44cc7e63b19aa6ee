"""The embedded host with a tiny checkpoint, started once for the tests here."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.standalone import host as embedded

from tests.support import commands, forks, tiny_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Return a tiny checkpoint in .safetensors with its .yaml."""
    return tiny_checkpoint.write(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def host(checkpoint, tmp_path_factory):
    """Return the host without page and without the extension."""
    running = embedded.start(checkpoint, tmp_path_factory.mktemp("data"), extension=False)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def quick():
    """Return a function that makes a command of a module, each call in a process of its own without the imports."""
    with forks.shared():
        yield commands.quick


@pytest.fixture(scope="session")
def command(quick):
    """Return `launch.py train`."""
    return quick("standalone.train_command")
