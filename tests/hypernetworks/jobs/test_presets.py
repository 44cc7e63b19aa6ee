"""Presets of users in one folder, beside those that are shipped."""

from __future__ import annotations

import json

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.jobs.preset_kinds import CREATION, DATA, KINDS, TRAINING
from hypernetwork_workbench.hypernetworks.jobs.presets import Shelf
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS, Job


def form_of(kind):
    """Return what an untouched form says, as a page gives it."""
    if kind is CREATION:
        from hypernetwork_workbench.hypernetworks.network.settings import ShapeSettings

        values = ShapeSettings().to_mapping()
    else:
        filled = Job.from_mapping({"data": {"folder": "/a"}, "output": {"name": "n"}}).to_mapping()
        values = {f"{section}.{name}": value for section in SECTIONS for name, value in filled[section].items()}
    return {name: ", ".join(map(str, one)) if isinstance(one, list) else one for name, one in values.items()}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def shelf(request, tmp_path):
    return Shelf(request.param, tmp_path / "presets")


@pytest.fixture
def changed(shelf):
    """Return a form with a setting that is otherwise, its address, and that value."""
    address, value = {"creation": ("activation", "mish"), "data": ("data.flip", True)}.get(
        shelf.kind.name, ("schedule.rate", "3e-4")
    )
    return {**form_of(shelf.kind), address: value}, address, value


def test_a_preset_is_saved_loaded_renamed_and_deleted(shelf, changed):
    form, address, value = changed
    shipped = shelf.names()
    assert not shelf.folder.exists()
    saved = shelf.save(" my preset ", form)
    assert saved.path.name == f"my preset.{shelf.kind.name}.toml"
    assert Shelf(shelf.kind, shelf.folder).names() == [*shipped, "my preset"]
    loaded = Shelf(shelf.kind, shelf.folder).get("my preset")
    assert loaded.values()[address] == value
    assert loaded.values().keys() == shelf.kind.options.keys()
    assert shelf.matching(form).name == "my preset"
    shelf.rename("my preset", "夜")
    assert shelf.names() == [*shipped, "夜"]
    assert shelf.get("my preset") is None
    assert shelf.get("夜").values()[address] == value
    shelf.delete("夜")
    assert shelf.names() == shipped
    assert list(shelf.folder.iterdir()) == []


def test_presets_of_other_kinds_and_other_files_stand_beside_each_other(tmp_path):
    shelves = [Shelf(kind, tmp_path) for kind in KINDS]
    for one in shelves:
        one.save("same", form_of(one.kind))
    (tmp_path / "notes.toml").write_text("")
    (tmp_path / ".training.toml").write_text("")
    assert [one.names()[-1] for one in shelves] == ["same"] * 3
    assert len(list(tmp_path.iterdir())) == 5


def test_a_name_is_never_replaced_unasked(shelf, changed):
    form, address, value = changed
    shelf.save("a", form_of(shelf.kind))
    with pytest.raises(SettingsError, match="there is a preset a already"):
        shelf.save("a", form)
    assert shelf.get("a").values()[address] != value
    shelf.save("a", form, overwrite=True)
    assert shelf.get("a").values()[address] == value
    shelf.save("b", form)
    with pytest.raises(SettingsError, match="there is a preset a already"):
        shelf.rename("b", "a")
    for name in ("", "a/b", "..", shelf.kind.shipped[0].name):
        with pytest.raises(SettingsError):
            shelf.save(name, form)
        with pytest.raises(SettingsError):
            shelf.rename("b", name)


def test_shipped_ones_can_be_neither_renamed_nor_deleted(shelf):
    name = shelf.kind.shipped[0].name
    for act in (lambda: shelf.rename(name, "x"), lambda: shelf.delete(name), lambda: shelf.delete("gone")):
        with pytest.raises(SettingsError, match="choose one of your own presets first"):
            act()


def test_a_wrong_value_is_named_and_nothing_is_saved(shelf):
    address = next(iter(shelf.kind.options))
    number = next(name for name, (kind, _) in shelf.kind.options.items() if kind in (int, float))
    with pytest.raises(SettingsError) as caught:
        shelf.save("a", {**form_of(shelf.kind), number: "x"})
    assert caught.value.field == number
    assert address in shelf.kind.options
    assert not shelf.folder.exists()


def test_presets_and_the_form_are_compared(shelf, changed):
    form, address, value = changed
    shelf.save("a", form)
    rows = dict(shelf.comparison(["a"], form_of(shelf.kind)))
    label = shelf.kind.options[address][1].label
    assert list(rows) == [label]
    assert rows[label][0] == str(value)
    assert shelf.comparison(["a"], form) == []
    with pytest.raises(SettingsError, match="no preset gone"):
        shelf.comparison(["gone"], form)


@pytest.mark.parametrize("content", [b"", b"[", b"\xff\xfe", b"[network\n", b"[data]\nfolder = 5\n" * 90_000])
def test_a_broken_file_is_told_when_it_is_chosen_and_hides_no_other(tmp_path, content):
    shelf = Shelf(TRAINING, tmp_path)
    (tmp_path / "bad.training.toml").write_bytes(content)
    form = {**form_of(TRAINING), "schedule.rate": "7e-5"}
    shelf.save("good", form)
    with pytest.raises(SettingsError, match=r"bad\.training\.toml (cannot be read: (?!cannot)|is no |has none )"):
        shelf.get("bad")
    assert shelf.matching(form).name == "good"
    (tmp_path / "bad.training.toml").unlink()
    (tmp_path / "bad.training.toml").mkdir()
    with pytest.raises(SettingsError):
        shelf.get("bad")


def test_files_of_the_original_extension_in_the_folder_are_presets(tmp_path):
    (tmp_path / "mine_train_.json").write_text(json.dumps({"learn_rate": "2e-5", "steps": 900, "template_file": "x"}))
    (tmp_path / "mine_hypernetwork_.json").write_text(
        json.dumps({"layer_structure": [1, 3, 1], "activation_func": "mish"})
    )
    training, creation, data = (Shelf(kind, tmp_path) for kind in (TRAINING, CREATION, DATA))
    assert (training.names()[-1], creation.names()[-1]) == ("mine", "mine")
    assert data.names() == [one.name for one in data.kind.shipped]
    assert training.get("mine").values() == {"schedule.rate": "2e-5", "train.max_steps": 900}
    assert creation.get("mine").values()["layer_structure"] == [1, 3, 1]
    creation.rename("mine", "other")
    assert (tmp_path / "other_hypernetwork_.json").exists()
    training.save("mine", form_of(TRAINING), overwrite=True)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["mine.training.toml", "other_hypernetwork_.json"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_shipped_preset_fits_a_form_and_is_known_by_its_values(kind, tmp_path):
    shelf = Shelf(kind, tmp_path)
    names = [one.name for one in kind.shipped]
    assert len(set(names)) == len(names)
    for one in kind.shipped:
        assert one.advice.endswith(".")
        assert one.values().keys() <= kind.options.keys()
        if kind is not CREATION:
            assert shelf.matching({**form_of(kind), **one.values()}).name == one.name
