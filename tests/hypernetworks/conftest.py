"""A folder of pictures to train on, and a torch without its fast kernels."""

import pytest
from hypernetwork_workbench.hypernetworks.kernels import onednn

from tests.support.runs import draw_pictures


@pytest.fixture
def pictures(tmp_path):
    return draw_pictures(tmp_path / "pictures")


@pytest.fixture
def without_onednn(monkeypatch):
    """As with a torch that lacks oneDNN or its operators."""
    monkeypatch.setattr(onednn, "_works", lambda: False)
