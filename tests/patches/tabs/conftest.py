"""What the tests of several tabs enter: a dataset, a network, and the form of Train Gamma."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests.support.pictures import captioned
from tests.support.train_tab import Tab


@pytest.fixture
def dataset(tmp_path):
    return captioned(tmp_path / "pictures")


@pytest.fixture
def network(patched):
    """Return a network in the host's list."""
    from hypernetwork_workbench.patches.model import host as ports

    shared = patched.module("shared")
    path = Path(shared.cmd_opts.hypernetwork_dir) / "ink.pt"
    files.save(Hypernetwork.create(Structure(init_std=0.1), ports.model_widths(), 1), path)
    shared.reload_hypernetworks()
    return path


@pytest.fixture
def train(network, dataset, patched):
    """Return the tab Train Gamma with an entry, and no run or study of another test on the disk."""
    from hypernetwork_workbench.patches.runs import folders

    shutil.rmtree(folders.log_dir(), ignore_errors=True)
    opened = Tab()
    opened.look(
        network__file="ink",
        data__folder=str(dataset),
        data__width=64,
        data__height=64,
        train__max_steps=4,
        train__validation_share=0.34,
        preview__sampling_steps=1,
    )
    return opened
