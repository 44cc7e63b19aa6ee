"""The embedded host as Forge; see `tests/support/forge_host.py` for what stands in."""

from __future__ import annotations

import pytest

from hypernetwork_workbench import patches
from tests.support import forge_host


@pytest.fixture
def forge(host, monkeypatch):
    """Return checkpoint and memory manager, with all patch sets on."""
    with forge_host.running(host, monkeypatch) as parts:
        patches.install_all()
        yield parts
        patches.uninstall_all()
        host.module("shared").loaded_hypernetworks.clear()
