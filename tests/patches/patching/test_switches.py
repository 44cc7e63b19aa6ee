"""The switches in the settings: off means the host's own function, at once and at the next start."""

from __future__ import annotations

import numpy as np
import pytest
from hypernetwork_workbench.patches.patching import Patch

from hypernetwork_workbench import patches
from tests.patches.test_on_host import generate, raw, save_network

SETS = {patch_set.name: patch_set for patch_set in patches.PATCH_SETS}


@pytest.fixture
def settings(host):
    """Return the options as the Settings tab changes them, given back afterwards."""

    opts = host.module("shared").opts
    labels, data = dict(opts.data_labels), dict(opts.data)
    patches.register_switches()
    patches.install_all()
    yield opts
    opts.data_labels, opts.data = labels, data
    patches.uninstall_all()


def functions(patch_set):
    """Return the patches of functions, as far as this host has use for them."""
    return [patch for patch in patch_set.patches if isinstance(patch, Patch) and patch.is_needed]


def originals():
    patches.uninstall_all()
    found = {patch.target: raw(patch.target) for patch_set in SETS.values() for patch in functions(patch_set)}
    patches.install_all()
    return found


@pytest.mark.parametrize("name", SETS)
def test_a_switch_takes_its_own_set_back_at_once_and_no_other(settings, name):
    from hypernetwork_workbench.patches.patching import switches

    before = originals()
    key = switches.switch(SETS[name])
    assert settings.set(key, False)
    for patch_set in SETS.values():
        for patch in functions(patch_set):
            assert (raw(patch.target) is before[patch.target]) == (patch_set.name == name), patch.target
    assert settings.set(key, True)
    assert all(patch_set.is_installed or patch_set.problem for patch_set in SETS.values())


def test_the_master_switch_takes_everything_back_at_once_and_at_the_next_start(settings):
    from hypernetwork_workbench.patches.patching import switches

    before = originals()
    assert settings.set(switches.MASTER, False)
    assert {target: raw(target) for target in before} == before
    patches.install_all()
    assert {target: raw(target) for target in before} == before
    assert settings.set(switches.MASTER, True)
    assert all(patch_set.is_installed or patch_set.problem for patch_set in SETS.values())


def test_with_one_set_off_pictures_are_the_same_within_rounding(settings, host):
    from hypernetwork_workbench.patches.patching import switches

    path = save_network(host, "switched")
    try:
        ours, _ = generate(host, "a red circle<hypernet:switched:0.6>")
        for name in ("attention", "loading", "generation"):
            settings.set(switches.switch(SETS[name]), False)
            theirs, _ = generate(host, "a red circle<hypernet:switched:0.6>")
            assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1, name
            settings.set(switches.switch(SETS[name]), True)
    finally:
        path.unlink()
        host.module("shared").reload_hypernetworks()


def test_a_set_that_the_host_cannot_carry_says_so_at_its_switch(settings, host, monkeypatch):
    from hypernetwork_workbench.patches.patching import switches

    patches.uninstall_all()
    monkeypatch.delattr(host.module("safe"), "check_zip_filenames")
    patches.install_all()
    patches.register_switches()
    info = settings.data_labels[switches.switch(SETS["unpickling"])]
    assert "not here: this WebUI has no modules.safe.check_zip_filenames" in info.comment_after


def test_a_missing_part_that_would_only_be_mended_is_no_warning(host, monkeypatch, caplog):
    monkeypatch.delattr(host.module("safe"), "check_zip_filenames")
    SETS["unpickling"].problem = None
    try:
        patches.install_all()
        assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
    finally:
        patches.uninstall_all()


def test_every_switch_has_a_label_of_its_own(settings):
    labels = [info.label for key, info in settings.data_labels.items() if key.startswith("hnw_")]
    assert len(labels) == len(set(labels)) > len(SETS)
