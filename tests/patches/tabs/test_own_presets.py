"""Presets that users keep beside the forms: saved, chosen, renamed, deleted and compared as the page does it."""

from __future__ import annotations

import shutil
from pathlib import Path

import gradio as gr
import pytest

from tests.support.train_tab import Tab


@pytest.fixture
def folder(patched):
    place = Path(patched.module("paths").data_path) / "hypernetwork-presets"
    shutil.rmtree(place, ignore_errors=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def tab(folder):
    return Tab()


def own(tab, kind="training"):
    return getattr(tab.handlers.panel, kind)


def save(tab, name, kind="training", replace=False):
    handlers = tab.handlers
    status, choice, _ = own(tab, kind)._save(handlers.form, name, replace, handlers.by_address(*tab.entered.values()))
    return status, choice


def test_what_is_entered_is_saved_and_filled_in_again(tab, folder):
    tab.look(schedule__rate="7e-5", train__max_steps=123, preview__every="9", data__flip=True)
    status, choice = save(tab, "mine")
    assert f"Saved as {folder / 'mine.training.toml'}" in status
    assert choice["value"] == "mine"
    assert choice["choices"][-1] == "mine"
    save(tab, "mine", "data")
    tab.look()
    assert (tab.outputs["preset"], tab.outputs["data_preset"]) == ("mine", "mine")
    tab.look(schedule__rate="1e-4", data__flip=False, data__folder="/pictures")
    assert tab.outputs["preset"] == "Own settings"
    tab.choose_preset("mine")
    assert (tab.entered["schedule.rate"], tab.entered["train.max_steps"]) == ("7e-5", "123")
    assert tab.entered["data.flip"] is False
    tab.take(tab.handlers.filled, tab.handlers.choose_data("mine", *tab.entered.values()))
    assert (tab.entered["data.flip"], tab.entered["data.folder"]) == (True, "/pictures")


def test_of_presets_with_the_same_values_the_chosen_one_stays_in_the_list(tab, folder):
    tab.look(schedule__rate="7e-5", data__flip=True)
    for kind in ("training", "data"):
        save(tab, "first", kind)
        save(tab, "second", kind)
    tab.look()
    assert (tab.outputs["preset"], tab.outputs["data_preset"]) == ("first", "first")
    tab.choose_preset("second")
    tab.take(tab.handlers.filled, tab.handlers.choose_data("second", *tab.entered.values()))
    for _ in range(2):
        assert (tab.outputs["preset"], tab.outputs["data_preset"]) == ("second", "second")
        tab.look()


def test_a_wrong_entry_is_named_with_its_label_and_a_taken_name_with_the_box_to_tick(tab, folder):
    tab.look(train__max_steps="x")
    status, _ = save(tab, "mine")
    assert "Steps: " in status
    assert not folder.exists()
    tab.look(train__max_steps=5)
    save(tab, "mine")
    status, _ = save(tab, "mine")
    assert "or tick “Replace the recipe of this name”" in status
    assert "Saved as" in save(tab, "mine", replace=True)[0]
    assert "comes with the extension" in save(tab, "Steady")[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (" ", "give the preset a name"),
        ("a/b", "must not contain /"),
        (" Own settings", "stands in the list for no preset"),
    ],
)
def test_a_wrong_name_of_a_preset_is_told_at_its_field(tab, folder, name, said):
    label = own(tab)._words.name
    assert f"<li>{label}: {said}" in save(tab, name)[0]
    save(tab, "mine")
    assert f"<li>{label}: {said}" in own(tab)._rename(tab.handlers.form, "mine", name)[0]
    assert [path.name for path in folder.iterdir()] == ["mine.training.toml"]


def test_own_ones_are_renamed_and_deleted_and_the_lists_follow(tab):
    tab.look(schedule__rate="7e-5")
    save(tab, "mine")
    part, form = own(tab), tab.handlers.form
    status, choice, compared = part._rename(form, "mine", " night ")
    assert "mine is called night now." in status
    assert (choice["value"], choice["choices"][-1], compared["choices"][-1]) == ("night", "night", "night")
    assert "choose one of your own presets first" in part._delete(form, "Steady")[0]
    status, choice, _ = part._delete(form, "night")
    assert "Deleted: night." in status
    assert choice["value"] == "Own settings"


def test_presets_are_compared_with_the_form(tab):
    tab.look(schedule__rate="7e-5")
    save(tab, "mine")
    tab.look(schedule__rate="8e-5")
    values = tab.handlers.by_address(*tab.entered.values())
    status, page = own(tab)._compare(tab.handlers.form, ["mine", "Steady"], values)
    assert status == ""
    assert all(
        text in page for text in ("<th>mine</th>", "<th>Steady</th>", "<td>7e-5</td>", "<td>1e-5</td>", "<td>8e-5</td>")
    )
    assert "Tick a preset first." in own(tab)._compare(tab.handlers.form, [], values)[0]


def test_a_file_that_cannot_be_read_is_told_when_it_is_chosen(tab, folder):
    folder.mkdir()
    (folder / "bad.training.toml").write_text("[")
    from hypernetwork_workbench.hypernetworks.base.errors import SettingsError

    tab.look()
    with pytest.raises(SettingsError, match=r"bad\.training\.toml (cannot be read: (?!cannot)|is no |has none )"):
        tab.handlers.choose_preset("bad", *tab.entered.values())


def test_the_shape_of_a_new_network_is_kept_too(folder):
    import warnings

    from hypernetwork_workbench.patches.tabs.create import tab as create
    from hypernetwork_workbench.patches.tabs.create.handlers import Seen

    from tests.patches.tabs.test_create_tab import EMPTY

    with warnings.catch_warnings(), gr.Blocks():
        warnings.simplefilter("ignore")
        handlers = create.make_tab(EMPTY)
    names = [field.name for field in handlers.form.fields]
    entered = dict(zip(names, (field.component.value for field in handlers.form.fields), strict=True))
    entered |= {"layer_structure": "1, 4, 1", "activation": "mish"}
    part = handlers.panel.presets
    status, *_ = part._save(handlers.form, "wide", False, handlers.by_address(Seen(), *entered.values()))
    assert "wide.creation.toml" in status
    part._save(handlers.form, "wider", False, handlers.by_address(Seen(), *entered.values()))
    for chosen, listed in (("", "wide"), ("wider", "wider")):  # both have these values
        shown = dict(zip(map(id, handlers.shown), handlers.look(chosen, Seen(), *entered.values()), strict=True))
        assert shown[id(part.choice)] == listed
    filled = zip(map(id, handlers.filled), handlers.choose_preset("wider", Seen(), *entered.values()), strict=True)
    assert dict(filled)[id(part.choice)] == "wider"
    entered |= {"layer_structure": "1, 2, 1", "activation": "relu"}
    filled = zip(handlers.filled, handlers.choose_preset("wide", Seen(), *entered.values()), strict=True)
    updates = {component.elem_id: update for component, update in filled}
    assert updates["hnw_create_layer_structure"]["value"] == "1, 4, 1"
