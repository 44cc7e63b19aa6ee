"""Captions: where they come from, and what is done to them each time."""

import json
from collections import Counter

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, SettingsError
from hypernetwork_workbench.hypernetworks.data.captions import (
    CaptionMetadata,
    CaptionRules,
    CaptionSource,
    metadata_weight,
    read_caption,
    read_metadata,
)
from hypothesis import given
from hypothesis import strategies as st

TAGS = "1girl, solo, red hair, blue eyes, smile, outdoors"


def split(text):
    return [tag.strip() for tag in text.split(",")]


def test_the_first_extension_found_counts(tmp_path):
    (tmp_path / "a.caption").write_text("from caption")
    assert read_caption(tmp_path / "a.png") == "from caption"
    (tmp_path / "a.txt").write_text("from txt")
    assert read_caption(tmp_path / "a.png") == "from txt"
    assert read_caption(tmp_path / "a.png", CaptionSource((".caption", ".txt"))) == "from caption"


def test_file_names_are_read_with_the_regex_and_join_string_of_the_webui(tmp_path):
    source = CaptionSource(name_regex=r"[a-z]+", name_join=", ")
    assert read_caption(tmp_path / "0012-red_circle2.png", source) == "red, circle"
    assert read_caption(tmp_path / "x.png", CaptionSource(class_tokens="sks cat")) == "sks cat"


def test_groups_of_the_regex_count_as_in_the_webui(tmp_path):
    source = CaptionSource(name_regex=r"([a-z]+)_(\d*)", name_join="-")
    assert read_caption(tmp_path / "red_12 blue_ x.png", source) == "red-12-blue"


def test_entries_of_the_same_name_are_told_apart_by_their_folders(tmp_path):
    path = tmp_path / "meta.json"
    path.write_text(json.dumps({"C:\\set\\a\\1.png": {"caption": "first"}, "C:\\set\\b\\1.png": {"caption": "second"}}))
    source = CaptionSource(metadata=read_metadata(path, "data.metadata_file"))
    assert read_caption(tmp_path / "a" / "1.png", source) == "first"
    assert read_caption(tmp_path / "set" / "b" / "1.webp", source) == "second"
    (tmp_path / "1.txt").write_text("its own")
    assert read_caption(tmp_path / "1.png", source) == "its own"


def test_metadata_goes_before_files_and_joins_caption_and_tags(tmp_path):
    (tmp_path / "a.txt").write_text("from txt")
    path = tmp_path / "meta.json"
    path.write_text(
        json.dumps(
            {"C:\\pictures\\a.png": {"caption": "a girl", "tags": "smile, hat"}, "/b/v1.5": {"tags": "x", "weight": 2}}
        )
    )
    source = CaptionSource(metadata=read_metadata(path, "data.metadata_file"))
    assert read_caption(tmp_path / "a.webp", source) == "a girl, smile, hat"
    assert read_caption(tmp_path / "v1.5.png", source) == "x"
    assert metadata_weight(tmp_path / "v1.5.png", source.metadata) == 2.0
    assert metadata_weight(tmp_path / "a.png", source.metadata) == 1.0


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 3}', '{"a": {"caption": 3}}'])
def test_metadata_of_another_form_is_refused(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(SettingsError, match=r"^data\.metadata_file: .*m\.json"):
        read_metadata(tmp_path / "m.json", "data.metadata_file")


@pytest.mark.parametrize("weight", [0, -1, "2", True, None])
def test_a_weight_that_is_none_is_named(tmp_path, weight):
    with pytest.raises(DatasetError, match=r"^a\.png: its weight"):
        metadata_weight(tmp_path / "a.png", CaptionMetadata({"a": {"weight": weight}}))


@given(seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 50), picture=st.integers(0, 50), keep=st.integers(0, 7))
def test_shuffling_keeps_all_tags_and_the_first_in_place(seed, epoch, picture, keep):
    rules = CaptionRules(shuffle=True, keep_tags=keep)
    shown = split(rules.shown(TAGS, seed, epoch, picture))
    assert sorted(shown) == sorted(split(TAGS))
    assert shown[:keep] == split(TAGS)[:keep]
    assert rules.shown(TAGS, seed, epoch, picture) == rules.shown(TAGS, seed, epoch, picture)


def test_tags_change_places_between_epochs_and_between_pictures():
    rules = CaptionRules(shuffle=True)
    assert len({rules.shown(TAGS, 0, epoch, picture) for epoch in range(5) for picture in range(5)}) > 20
    first = Counter(split(rules.shown(TAGS, 0, epoch, 0))[0] for epoch in range(600))
    assert len(first) == 6
    assert all(60 < count < 140 for count in first.values())


def test_tag_dropout_leaves_out_its_share_and_never_the_kept_ones():
    rules = CaptionRules(tag_dropout=0.3, keep_tags=1)
    shown = [split(rules.shown(TAGS, 0, epoch, 0)) for epoch in range(400)]
    assert all(tags[0] == "1girl" for tags in shown)
    left = sum(len(tags) - 1 for tags in shown) / (400 * 5)
    assert left == pytest.approx(0.7, abs=0.03)
    assert all(tags == [tag for tag in split(TAGS) if tag in tags] for tags in shown)  # the order stays


def test_the_keep_separator_fixes_front_and_end_and_is_never_shown():
    rules = CaptionRules(shuffle=True, tag_dropout=0.5, keep_separator="|||", keep_tags=3)
    caption = "aaa, bbb ||| ccc, ddd, eee, fff ||| ggg, hhh"
    for epoch in range(50):
        shown = split(rules.shown(caption, 0, epoch, 0))
        assert shown[:2] == ["aaa", "bbb"]
        assert shown[-2:] == ["ggg", "hhh"]
        assert set(shown[2:-2]) <= {"ccc", "ddd", "eee", "fff"}
    assert CaptionRules(keep_separator="|||").plain(caption) == "aaa, bbb, ccc, ddd, eee, fff, ggg, hhh"


def test_other_separators_are_kept():
    rules = CaptionRules(shuffle=True, separator=";")
    assert sorted(rules.shown("a, b; c", 0, 0, 0).split("; ")) == ["a, b", "c"]


def test_each_line_of_a_template_is_drawn():
    rules = CaptionRules(templates=("a photo of [filewords]", "[name], [filewords]"), name="ink")
    shown = Counter(rules.shown("a cat", 0, epoch, 0) for epoch in range(200))
    assert set(shown) == {"a photo of a cat", "ink, a cat"}
    assert min(shown.values()) > 70
    assert rules.plain("a cat") == "a photo of a cat"


def test_prefix_and_suffix_stand_around_every_caption():
    rules = CaptionRules(prefix="masterpiece, ", suffix=", from side")
    assert rules.plain("a cat") == "masterpiece, a cat, from side"
    assert CaptionRules(prefix="a photo of", suffix="at night").plain("a cat") == "a photo of a cat at night"
    assert CaptionRules(prefix="only").plain("") == "only"


def test_captions_are_dropped_at_their_rate_and_in_every_nth_epoch():
    rules = CaptionRules(dropout=0.25)
    dropped = sum(rules.is_dropped(0, epoch, picture) for epoch in range(40) for picture in range(50))
    assert dropped / 2000 == pytest.approx(0.25, abs=0.03)
    assert not rules.varies  # leaving a caption out asks nothing new of the text encoder
    every = CaptionRules(dropout_every=3)
    assert [every.is_dropped(0, epoch, 0) for epoch in range(6)] == [False, False, True, False, False, True]
