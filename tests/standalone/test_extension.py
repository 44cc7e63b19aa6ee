"""The host carrying the extension of this repository."""

from __future__ import annotations

import sys

import pytest
from hypernetwork_workbench.standalone import host as embedded


@pytest.fixture
def carrying(checkpoint, tmp_path):
    """Return the host with the extension, its model not loaded."""
    running = embedded.start(checkpoint, tmp_path, extension=True, load_model=False)
    yield running
    running.stop()


def test_extension_loads_without_a_complaint_also_twice(carrying, checkpoint, tmp_path, caplog):
    running = embedded.start(checkpoint, tmp_path, extension=True, load_model=False)
    assert [record.message for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
    titles = {data.script_class.__name__ for data in running.module("scripts").scripts_data}
    assert "HypernetworkStrength" in titles


def test_unloading_gives_the_hosts_functions_back(checkpoint, tmp_path):
    bare = embedded.start(checkpoint, tmp_path, extension=False, load_model=False)
    hypernetwork = bare.module("hypernetworks.hypernetwork")
    original = hypernetwork.apply_hypernetworks
    carrying = embedded.start(checkpoint, tmp_path, extension=True, load_model=False)
    try:
        patched = hypernetwork.apply_hypernetworks
        assert patched is not original
        for _ in range(2):
            embedded.reload(carrying)
            assert hypernetwork.apply_hypernetworks is not original
    finally:
        carrying.stop()
    assert hypernetwork.apply_hypernetworks is original


def test_no_general_name_of_ours_is_imported(carrying):
    assert not {"patches", "hypernetworks", "scripts", "host", "ldm_support"} & sys.modules.keys()


def test_the_extensions_options_and_tabs_are_registered(carrying):
    callbacks = carrying.module("script_callbacks").callback_map
    assert len(callbacks["callbacks_ui_train_tabs"]) >= 2
    assert len(callbacks["callbacks_script_unloaded"]) >= 1
