"""The words of file names: numbers that count pictures are cut off, those that are part of a word stay."""

import sys

import pytest
from hypernetwork_workbench.hypernetworks.data.captions import read_caption
from hypernetwork_workbench.hypernetworks.data.captions.names import words


@pytest.mark.parametrize(
    ("stem", "caption"),
    [
        ("1girl, solo", "1girl, solo"),
        ("2boys_1girl", "2boys 1girl"),
        ("3d render", "3d render"),
        ("4k", "4k"),
        ("１girl", "１girl"),
        ("1.5x zoom", "1.5x zoom"),
        ("00001-0-cat", "cat"),  # the WebUI's preprocessing
        ("00012-3-1girl, solo", "1girl, solo"),
        ("00012-3-00007-0-red_house", "red house"),
        ("0001_red_house", "red house"),
        ("12 red house 7", "red house 7"),
        ("2024-01-05 cat", "cat"),
        ("００１＿赤い丸", "赤い丸"),
        ("１２　青い星", "青い星"),
        ("-5-cat", "cat"),
        ("0012", ""),
        ("00001-0", ""),
        ("- 3 -", ""),
        ("cat-12", "cat-12"),
        ("100% cotton", "100% cotton"),
    ],
)
def test_a_number_is_cut_off_only_where_it_stands_by_itself(tmp_path, stem, caption):
    assert read_caption(tmp_path / f"{stem}.png") == caption


@pytest.mark.parametrize("missing", [False, True])
def test_a_regex_selects_words_also_without_the_library_that_can_stop_it(monkeypatch, missing):
    if missing:
        monkeypatch.setitem(sys.modules, "regex", None)
    assert words("00012-red_house", "[a-z]+", " + ") == "red + house"
    assert words("red_house", "([a-z]+)_([a-z]+)", "/") == "red/house"
