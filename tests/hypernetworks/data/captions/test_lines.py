"""Captions of several lines: what they are is a choice; and separators as East Asian keyboards type them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypernetwork_workbench.hypernetworks.data.captions import (
    ALL_LINES,
    FIRST_LINE,
    LINES,
    ONE_LINE,
    TAG_LINES,
    CaptionMetadata,
    CaptionRules,
    CaptionSource,
    read_caption,
)
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from PIL import Image

BREAKS = ["\n", "\r\n", "\r", "\u2028", "\n\n \n"]


def seen(folder, lines, **rules):
    made = CaptionRules(lines=lines, **rules)
    return made.plain(read_caption(folder / "a.png", lines=lines))


@pytest.mark.parametrize("line_break", BREAKS)
@pytest.mark.parametrize(
    ("lines", "caption"),
    [
        (ALL_LINES, "1girl solo, smile, blue_eyes"),
        (TAG_LINES, "1girl, solo, smile, blue_eyes"),
        (FIRST_LINE, "1girl"),
    ],
)
def test_several_lines_are_what_the_setting_says(tmp_path, line_break, lines, caption):
    text = line_break.join(["", " 1girl", "solo,  smile,", "blue_eyes ", ""])
    (tmp_path / "a.txt").write_bytes(text.encode())
    assert seen(tmp_path, lines) == caption


def test_one_line_is_drawn_each_time_and_a_resumed_run_draws_the_same(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a cat\r\na cat on a mat\r\n\r\nfur, mat\r\n")
    caption = read_caption(tmp_path / "a.png", lines=ONE_LINE)
    rules = CaptionRules(lines=ONE_LINE)
    assert rules.varies
    shown = [rules.shown(caption, 7, epoch, 0) for epoch in range(300)]
    counts = Counter(shown)
    assert set(counts) == {"a cat", "a cat on a mat", "fur, mat"}
    assert min(counts.values()) > 70
    assert [rules.shown(caption, 7, epoch, 0) for epoch in range(200, 300)] == shown[200:]
    assert [rules.shown(caption, 8, epoch, 0) for epoch in range(300)] != shown
    assert rules.every(caption) == ["a cat", "a cat on a mat", "fur, mat"]


@pytest.mark.parametrize(
    ("lines", "caption"),
    [
        (ALL_LINES, "a cat sleeps, fur, mat"),
        (FIRST_LINE, "a cat, fur, mat"),
        (TAG_LINES, "a cat, sleeps, fur, mat"),
        (ONE_LINE, "a cat, fur, mat"),
    ],
)
def test_lines_of_the_metadata_are_read_in_the_same_way(tmp_path, lines, caption):
    metadata = CaptionMetadata({"a": {"caption": "a cat\nsleeps", "tags": "fur,\nmat"}})
    text = read_caption(tmp_path / "a.png", CaptionSource(metadata=metadata), lines)
    assert CaptionRules(lines=lines).plain(text) == caption


@pytest.mark.parametrize("lines", LINES)
def test_a_run_reads_lines_as_set_and_says_so(tmp_path, lines, caplog):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("red\nblue", encoding="utf-8")
    with caplog.at_level("INFO"):
        dataset = read_dataset(DataSettings(folder=str(tmp_path), width=16, height=16, caption_lines=lines), "n")
    shown = {dataset.text(0, epoch) for epoch in range(40)}
    wanted = {ALL_LINES: {"red blue"}, TAG_LINES: {"red, blue"}, FIRST_LINE: {"red"}, ONE_LINE: {"red", "blue"}}
    assert shown == wanted[lines]
    assert f"Captions of several lines: {lines} (1)." in caplog.text


@pytest.mark.parametrize(
    ("line", "seen"),
    [("", {"red"}), ("enable_wildcard = false", {"red"}), ("enable_wildcard = true", {"red", "blue"})],
)
def test_a_kohya_file_takes_the_first_line_unless_wildcards_are_on(tmp_path, line, seen):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("red\nblue", encoding="utf-8")
    config = tmp_path / "set.toml"
    config.write_text(f"[[datasets]]\nresolution = 16\n[[datasets.subsets]]\nimage_dir = '.'\n{line}", encoding="utf-8")
    dataset = read_dataset(DataSettings(dataset_config=str(config), caption_lines=ALL_LINES), "n")
    assert {dataset.text(0, epoch) for epoch in range(40)} == seen


@pytest.mark.parametrize("comma", [",", "，", "、", "､", "﹐", " ，　"])
def test_tags_are_told_apart_at_commas_of_every_keyboard(comma):
    caption = comma.join(["夜", "雨の街", "1girl", "青い目"])
    rules = CaptionRules(shuffle=True, keep_tags=1)
    assert CaptionRules().plain(caption) == caption  # untouched where nothing is drawn
    shown = {rules.shown(caption, 0, epoch, 0) for epoch in range(60)}
    assert len(shown) == 6
    assert all(sorted(text.split(", ")) == sorted(["夜", "雨の街", "1girl", "青い目"]) for text in shown)
    assert all(text.startswith("夜, ") for text in shown)


@pytest.mark.parametrize(
    ("separator", "caption", "tags"),
    [
        (";", "a；b; c、d", ["a", "b", "c、d"]),
        ("|", "a｜b|c", ["a", "b", "c"]),
        ("、", "a、b,c", ["a", "b,c"]),
        (" ", "a b,c", ["a", "b,c"]),
        ("x", "axbｘc", ["a", "bｘc"]),
    ],
)
def test_other_separators_are_read_in_their_full_width_forms_too(separator, caption, tags):
    assert CaptionRules(separator=separator).tags(caption) == tags


def test_the_mark_of_tags_to_keep_may_be_full_width():
    rules = CaptionRules(keep_separator="|||", shuffle=True)
    assert rules.plain("a｜｜｜b，c|||d") == "a, b, c, d"
    assert {rules.shown("a ｜｜｜ b、c ||| d", 0, epoch, 0) for epoch in range(20)} == {"a, b, c, d", "a, c, b, d"}
