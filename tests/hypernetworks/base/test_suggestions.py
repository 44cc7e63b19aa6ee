"""What somebody may mean by a name that does not exist."""

import unicodedata

import pytest
from hypernetwork_workbench.hypernetworks.base.suggestions import meant, no_folder, or_known


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("max_step", "max_steps"),
        ("Max-Steps", "max_steps"),
        ("ｍａｘ＿ｓｔｅｐｓ", "max_steps"),
        ("seeed", "seed"),
        ("batch_size", "data.batch_size"),
        ("lr", "schedule.rate"),
        ("colour", ""),
        ("", ""),
        ("x" * 10_000, ""),
    ],
)
def test_a_known_name_comes_before_one_from_elsewhere(name, found):
    elsewhere = {"batch_size": "data.batch_size", "lr": "schedule.rate", "seeds": "other.seeds"}
    assert meant(name, ["max_steps", "seed"], elsewhere) == found


def test_what_is_known_is_told_where_nothing_is_like_it():
    assert or_known("seed", ["a", "b"]) == "do you mean seed?"
    assert or_known("", ["a", "b"]) == "known are a, b"


def test_a_folder_that_is_nearly_called_so_is_told(tmp_path):
    decomposed = unicodedata.normalize("NFD", "ガラス")
    for name in ("Pics", decomposed, "night_cats"):
        (tmp_path / name).mkdir()
    (tmp_path / "set.toml").touch()
    (tmp_path / "cat.png").touch()
    assert no_folder(tmp_path / "pics").endswith("pics is not a folder; there is Pics")
    assert no_folder(tmp_path / "ガラス").endswith(f"there is {decomposed}")
    assert no_folder(tmp_path / "night-cat").endswith("there is night_cats")
    assert no_folder(tmp_path / "dogs").endswith("dogs is not a folder")
    assert no_folder(tmp_path / "none" / "dogs").endswith("dogs is not a folder")
    assert no_folder(tmp_path / "cat.png").endswith("is not a folder but a file; name the folder that it lies in")
    assert no_folder(tmp_path / "set.toml").endswith("but a file; a dataset file has a field of its own")
    assert no_folder(tmp_path / ("n" * 5000)).endswith("is not a folder")
    assert no_folder(tmp_path / "a\0b").endswith("is not a folder")
