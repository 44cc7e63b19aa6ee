"""A folder of pictures to train on, and a torch without its fast kernels."""

import pytest
from hypernetwork_workbench.hypernetworks.kernels import onednn
from PIL import Image


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(5):
        Image.new("RGB", (40 + 8 * index, 48), (40 * index, 90, 200 - 30 * index)).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(f"picture {'x' * index}", encoding="utf-8")
    return folder


@pytest.fixture
def without_onednn(monkeypatch):
    """As with a torch that lacks oneDNN or its operators."""
    monkeypatch.setattr(onednn, "_works", lambda: False)
