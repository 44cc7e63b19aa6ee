"""Repeats: what the names of folders and dataset files say, and what of it cannot be."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data.repeats import named_repeats
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "set"


def draw(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(path)


def read(folder: Path, **changes: object):
    changes = {"folder": str(folder), "folder_repeats": True, **changes}
    return read_dataset(DataSettings(width=16, height=16, **changes), "n")


def shown(dataset) -> dict[str, int]:
    """Return how often each picture is shown in an epoch."""
    counts: dict[str, int] = {}
    for item in dataset.items:
        name = dataset.samples[item.sample].path.name
        counts[name] = counts.get(name, 0) + 1
    return counts


@pytest.mark.parametrize(
    ("name", "repeats", "class_tokens"),
    [
        ("10_cats", 10, "cats"),
        ("１０_cats", 10, "cats"),
        ("10＿赤い_丸", 10, "赤い 丸"),
        ("10 _sks cat", 10, "sks cat"),
        (" 3_x", 3, "x"),
        ("+5_x", 5, "x"),
        ("10_", 10, ""),
        ("10_ ", 10, ""),
        ("2_1.5 x", 2, "1.5 x"),
        ("0_later", 0, "later"),
        ("１_１人", 1, "１人"),
    ],
)
def test_the_name_of_a_folder_gives_repeats_and_class_tokens(name, repeats, class_tokens):
    assert named_repeats(name) == (repeats, class_tokens)


@pytest.mark.parametrize("name", ["cats", "10cats", "10", "10-cats", "x_10", "_10", ".10_x", "３枚"])
def test_other_names_say_nothing_of_repeats(name):
    assert named_repeats(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("-3_cat", "must be from 0 to 10,000, not -3"),
        ("-1_cat", "must be from 0 to 10,000, not -1"),
        ("10001_cat", "must be from 0 to 10,000, not 10001"),
        ("－３_cat", "must be from 0 to 10,000, not -3"),
        ("3.5_x", "must be a whole number, not 3.5"),
        ("2,5_x", "must be a whole number, not 2,5"),
        ("98765432_title", "must be from 0 to 10,000, not 98765432"),
        ("20231105_photos", "must be from 0 to 10,000, not 20231105"),
        ("9" * 200 + "_x", "must be from 0 to 10,000, not 99"),
    ],
)
def test_repeats_that_cannot_be_are_one_sentence_with_the_folder(folder, name, reason):
    draw(folder, f"{name}/a.png", "2_fine/b.png")
    with pytest.raises(SettingsError, match=rf"^data\.folder: .*{name[:50]}.*{reason}") as raised:
        read(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["10 _cat", "１０_cat", "10_", "+10_cat"])
def test_repeats_are_counted_as_people_type_them(folder, name):
    draw(folder, f"{name}/a.png")
    dataset = read(folder)
    assert shown(dataset) == {"a.png": 10}
    assert dataset.samples[0].caption == ("a" if name == "10_" else "cat")


@pytest.mark.parametrize("name", ["0_skip", "００_skip", "0 _", "-0_skip"])
def test_a_folder_with_no_repeats_is_left_out_and_said(folder, caplog, name):
    draw(folder, f"{name}/a.png", f"{name}/b.png", "2_fine/c.png")
    (folder / "0_empty").mkdir()
    with caplog.at_level(logging.INFO):
        assert shown(read(folder)) == {"c.png": 2}
    assert f"2 pictures are passed over by a folder name with 0 repeats: {folder / name}." in caplog.text


def test_only_folders_with_no_repeats_are_one_sentence(folder):
    draw(folder, "0_skip/a.png", "0_later/b.png")
    with pytest.raises(SettingsError, match="a folder name with 0 repeats passes over all pictures"):
        read(folder)


def test_what_lies_beside_folders_with_repeats_is_passed_over_and_said(folder, caplog):
    draw(folder, "2_fine/a.png", "loose.png", "other/b.png", "other/inner/c.png")
    with caplog.at_level(logging.INFO):
        assert shown(read(folder)) == {"a.png": 2}
    assert f"1 picture is passed over by a place outside of the folders with repeats: {folder}." in caplog.text
    assert (
        f"2 pictures are passed over by a place outside of the folders with repeats: {folder / 'other'}" in caplog.text
    )


def test_where_no_folder_has_repeats_all_count_and_that_is_said(folder, caplog):
    draw(folder, "cats/a.png", "b.png")
    with caplog.at_level(logging.INFO):
        assert shown(read(folder)) == {"a.png": 1, "b.png": 1}
    assert "has repeats in its name; they are not counted" in caplog.text


@pytest.mark.parametrize("inner", ["3_b", "deep/3_b", "０_old"])
def test_repeats_within_repeats_are_refused_by_name(folder, inner):
    draw(folder, f"5_a/{inner}/a.png", "5_a/b.png")
    with pytest.raises(SettingsError, match=rf"^data\.folder: .*{inner}.* move it out of 5_a"):
        read(folder)
    assert len(read(folder, folder_repeats=False)) == 2


def test_repeats_in_folders_of_programs_and_without_files_are_none(folder):
    draw(folder, "5_a/b.png", "5_a/.thumbnails/3_b/a.png", "5_a/more/c.png", ".cache/7_x/a.png")
    (folder / "5_a" / "3_empty").mkdir()
    assert shown(read(folder)) == {"b.png": 5, "c.png": 5}


def test_repeats_in_a_linked_folder_are_found_too(folder, tmp_path):
    draw(tmp_path / "elsewhere", "3_b/a.png")
    draw(folder, "5_a/b.png")
    (folder / "5_a" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(SettingsError, match="3_b has repeats and lies in a folder that has them too"):
        read(folder)


@pytest.mark.parametrize(
    ("repeats", "of_form", "names"),
    [("10000", 2, ["a.png"]), ("200", 51, ["a.png"]), ("10000", 1, [f"{n}.png" for n in range(101)])],
)
def test_an_epoch_that_would_not_end_is_refused_with_the_folder(folder, repeats, of_form, names):
    draw(folder, *(f"{repeats}_title/{name}" for name in names))
    with pytest.raises(SettingsError, match=rf"^data\.folder: .*{repeats}_title.*at most|at most.*{repeats}_title"):
        read(folder, repeats=of_form)


SUBSET = "[[datasets]]\nresolution = 16\n[[datasets.subsets]]\nimage_dir = '{}'\nnum_repeats = {}\n"


@pytest.mark.parametrize("repeats", ["0", "'０'", "0.0"])
def test_a_subset_with_no_repeats_is_left_out_and_said(folder, caplog, repeats):
    draw(folder, "late/a.png", "fine/b.png")
    config = folder / "set.toml"
    subsets = [SUBSET.format("late", repeats), "[[datasets.subsets]]\nimage_dir = 'fine'\nnum_repeats = 3\n"]
    config.write_text("".join(subsets), encoding="utf-8")
    with caplog.at_level(logging.INFO):
        assert shown(read("", dataset_config=str(config))) == {"b.png": 3}
    assert f"1 picture is passed over by num_repeats = 0: {folder / 'late'}." in caplog.text


@pytest.mark.parametrize(
    ("repeats", "reason"),
    [
        ("98765432", "fine would be repeated 98,765,432 times; at most are 10,000"),
        ("10001", "fine would be repeated 10,001 times"),
        ("-3", "num_repeats must be at least 0, not -3"),
        ("3.5", "num_repeats: must be a whole number, not '?3.5"),
    ],
)
def test_num_repeats_that_cannot_be_are_one_sentence(folder, repeats, reason):
    draw(folder, "fine/a.png")
    config = folder / "set.toml"
    config.write_text(SUBSET.format("fine", repeats), encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"^data\.dataset_config: .*{reason}"):
        read("", dataset_config=str(config))
    line = f"{folder / 'fine'} | num_repeats={repeats}"
    with pytest.raises(SettingsError, match=rf"^data\.more_folders: .*{reason}"):
        read("", more_folders=line)


def test_repeats_that_are_not_counted_are_named(folder: Path, caplog: pytest.LogCaptureFixture):
    draw(folder, "10_cat/a.png", "0_skip/b.png", "３＿dog/deep/c.png", "x_5/d.png", "cats/4_e.png", "7_top.png")
    caplog.set_level("INFO")
    assert shown(read(folder, folder_repeats=False)) == dict.fromkeys(
        ("a.png", "b.png", "c.png", "d.png", "4_e.png", "7_top.png"), 1
    )
    said = "Folders: the numbers in 0_skip, 10_cat, ３＿dog are not counted as repeats; data.folder_repeats is off."
    assert said in caplog.text
    caplog.clear()
    read(folder)
    assert "not counted as repeats" not in caplog.text
