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
    of_others = {patch.target for one in SETS.values() if one.name != name for patch in functions(one)}
    for patch_set in SETS.values():
        for patch in functions(patch_set):
            assert patch.is_installed == (patch_set.name != name), patch.target
            assert (raw(patch.target) is before[patch.target]) == (patch.target not in of_others), patch.target
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


@pytest.mark.parametrize("first", ["generation", "text_model"])
def test_two_sets_with_one_target_leave_nothing_in_whatever_order_they_go(settings, first):
    from hypernetwork_workbench.patches.patching import switches

    before = originals()
    names = sorted(["generation", "text_model"], key=lambda name: name != first)
    for name in names:
        settings.set(switches.switch(SETS[name]), False)
    for patch in functions(SETS["generation"]):
        assert raw(patch.target) is before[patch.target]
    for name in names:
        settings.set(switches.switch(SETS[name]), True)
    assert all(SETS[name].is_installed for name in names)
    settings.set(switches.MASTER, False)
    assert {target: raw(target) for target in before} == before
    settings.set(switches.MASTER, True)


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


@pytest.fixture
def kinds(host):
    """Return the names of a `.pt`, a `.safetensors` and a composition in the host's folder."""
    from pathlib import Path

    shared = host.module("shared")
    made = [save_network(host, "switched"), save_network(host, "switched safe")]
    made[1] = made[1].rename(made[1].with_suffix(".safetensors"))
    made.append(Path(shared.cmd_opts.hypernetwork_dir, "switched mix.hns"))
    from hypernetwork_workbench.hypernetworks import files

    files.save(files.load(made[0]), made[1])
    made[2].write_text('["switched"]', encoding="utf-8")
    shared.reload_hypernetworks()
    yield [path.stem for path in made]
    for path in made:
        path.unlink()
    shared.reload_hypernetworks()


@pytest.mark.parametrize("name", [None, *SETS])
def test_the_list_is_that_of_whoever_lists_now(settings, host, kinds, name):
    from hypernetwork_workbench.patches.patching import switches

    shared = host.module("shared")
    key = switches.MASTER if name is None else switches.switch(SETS[name])
    shared.hypernetworks.clear()
    settings.set(key, False)
    assert set(shared.hypernetworks) == ({"switched"} if name in (None, "loading") else set(kinds))
    shared.hypernetworks.clear()
    settings.set(key, True)
    assert set(shared.hypernetworks) == set(kinds)


def test_nothing_of_ours_stays_loaded(settings, host, kinds):
    from hypernetwork_workbench.patches.model import attention_layers
    from hypernetwork_workbench.patches.patching import switches

    shared = host.module("shared")
    settings.set(switches.switch(SETS["attention"]), False)
    generate(host, "a red circle<hypernet:switched mix:0.6>")
    layer = attention_layers.of(attention_layers.loaded_unet()).all[0]
    width = layer.to_k.in_features
    layer.hyper_k, layer.hyper_v = shared.loaded_hypernetworks[0].layers[width]
    settings.set(switches.MASTER, False)
    settings.set(switches.switch(SETS["attention"]), True)
    assert shared.loaded_hypernetworks == []
    assert not {"hyper_k", "hyper_v"} & set(vars(layer))


@pytest.mark.parametrize("tag", ["switched", "switched safe", "switched mix", "switched+switched safe"])
def test_a_tag_while_all_is_off_is_what_the_bare_host_makes_of_it(settings, host, kinds, tag):
    from hypernetwork_workbench.patches.patching import switches

    prompt = f"a red circle<hypernet:{tag}:0.6>"
    patches.uninstall_all()
    bare, _ = generate(host, prompt)
    patches.install_all()
    ours, _ = generate(host, prompt)
    settings.set(switches.MASTER, False)
    off, _ = generate(host, prompt)
    np.testing.assert_array_equal(off, bare)
    settings.set(switches.MASTER, True)
    np.testing.assert_array_equal(generate(host, prompt)[0], ours)


def test_a_run_that_would_lose_its_path_is_ended_first_and_another_set_leaves_it(settings, monkeypatch):
    from hypernetwork_workbench.patches.patching import switches
    from hypernetwork_workbench.patches.runs import training
    from hypernetwork_workbench.patches.runs.run import runs

    ended = []
    monkeypatch.setattr(training, "end", lambda: ended.append(True))
    with runs.hold("a run"):
        for key, count in (("languages", 0), ("attention", 1)):
            settings.set(switches.switch(SETS[key]), False)
            assert len(ended) == count, key
            settings.set(switches.switch(SETS[key]), True)
        settings.set(switches.MASTER, False)
        assert len(ended) == 2
        settings.set(switches.MASTER, True)


@pytest.mark.parametrize("name", ["queue", None])
def test_who_switches_the_queue_off_does_not_keep_it(settings, host, name):
    from hypernetwork_workbench.patches.patching import switches
    from hypernetwork_workbench.patches.runs.turns import turns

    key, state = switches.MASTER if name is None else switches.switch(SETS[name]), host.module("shared").state
    settings.set(key, False)
    settings.set(key, True)
    with turns.kept():  # as for Check, which has not the queue
        state.interrupt()
    assert state.interrupted
    state.interrupted = False


def test_training_is_refused_before_anything_is_read(settings):
    from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
    from hypernetwork_workbench.patches.model import host as host_side
    from hypernetwork_workbench.patches.patching import switches

    host_side.check_path()
    settings.set(switches.MASTER, False)
    with pytest.raises(TrainingError, match="switched off in Settings"):
        host_side.check_path()
    settings.set(switches.MASTER, True)
    settings.set(switches.switch(SETS["attention"]), False)
    with pytest.raises(TrainingError, match="the patch set is switched off"):
        host_side.check_path()


def test_once_the_scripts_are_unloaded_no_option_can_switch_us_on(settings):
    patches.forget_switches()
    assert not [key for key in settings.data_labels if key.startswith("hnw_")]
    assert settings.hnw_enabled is True
    patches.register_switches()


@pytest.mark.parametrize(("maker", "count"), [("modules.ui_gradio_extensions", 2), ("another_extension", 0)])
def test_the_page_gets_its_texts_anew_with_the_languages_alone(settings, host, monkeypatch, maker, count):
    import gradio as gr
    from hypernetwork_workbench.patches.patching import switches

    def answer(*_args, **_named):
        """Return nothing."""

    made = []
    answer.__module__ = maker
    page = host.module("ui_gradio_extensions")  # keeps gradio's own answer when it is imported
    monkeypatch.setattr(gr.routes.templates, "TemplateResponse", answer)
    monkeypatch.setattr(page, "reload_javascript", lambda: made.append(True))
    for name in ("languages", "unpickling"):
        settings.set(switches.switch(SETS[name]), False)
        settings.set(switches.switch(SETS[name]), True)
    assert len(made) == count
