"""Cleaning of metadata: each rule takes out what it names and nothing else, and can be switched off by itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data.survey.tag_cleaning import (
    CleaningSettings,
    cleaned,
    cleaned_caption,
    cleaned_tags,
)

ALL = CleaningSettings()

CASES = {
    "blanks": ("long_hair, ^_^, 1girl", "long hair, ^_^, 1girl"),
    "ratings": ("1girl, rating:safe, rating: general, night", "1girl, night"),
    "duplicates": ("night, star, Night, night", "night, star"),
    "people": ("2girls, red hair, blue hair, green eyes, blue eyes, long sleeves, moon", "2girls, long sleeves, moon"),
    "solo": ("1girl, solo, night", "1girl, night"),
    "general": ("white dress, dress, hair ornament, ornament, dressing", "white dress, hair ornament, dressing"),
    "shortest_tag": ("a, b2, cd, 猫", "b2, cd, 猫"),
}


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_takes_out_what_it_names(rule):
    given, wanted = CASES[rule]
    removed: Counter[str] = Counter()
    assert cleaned_tags(given, ALL, removed) == wanted
    assert rule == "blanks" or removed == {rule: len(given.split(", ")) - len(wanted.split(", "))} | dict.fromkeys(
        (one for one in removed if one != rule), 0
    )
    assert cleaned_tags(given, replace(ALL, **{rule: 0 if rule == "shortest_tag" else False})) == given


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        # What one person has stays, and so does what there is one of: it may be true of all.
        ("1girl, red hair, blue eyes, long hair", "1girl, red hair, blue eyes, long hair"),
        ("2girls, long hair, red hair, blue hair", "2girls, long hair"),
        ("2boys, long hair, short hair, black hair", "2boys, black hair"),
        ("1girl, 1boy, red hair, blue hair", "1girl, 1boy"),
        ("multiple girls, bob cut, hime cut, ponytail, side braid", "multiple girls"),
        ("6+girls, red eyes", "6+girls, red eyes"),
        ("2girls, solo", "2girls"),
        ("solo, night", "solo, night"),
        ("solo, solo focus, 1girl", "solo focus, 1girl"),
        ("very long hair, long hair, hair", "very long hair"),
        ("青い髪， 夜、 夜", "青い髪, 夜"),
        ("", ""),
    ],
)
def test_tags_of_people_are_left_out_only_where_they_cannot_be_told_apart(given, wanted):
    assert cleaned_tags(given, ALL) == wanted
    assert cleaned_tags(wanted, ALL) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a girl and a girl in a  red red hat", "a girl in a red hat"),
        ("A girl, a girl with a cat", "A girl with a cat"),
        ("a cat, cats and a catalogue", "a cat, cats and a catalogue"),
        ("one\n\n two two ", "one\ntwo"),
    ],
)
def test_a_sentence_says_nothing_twice_in_a_row(given, wanted):
    assert cleaned_caption(given, ALL) == wanted


def test_short_captions_go_only_where_that_is_asked_for():
    assert cleaned_caption("a girl\na girl in a hat", ALL) == "a girl\na girl in a hat"
    assert cleaned_caption("a girl\na girl in a hat", replace(ALL, shortest_caption=3)) == "a girl in a hat"
    with pytest.raises(SettingsError, match="shortest_caption: must be at least 0"):
        CleaningSettings(shortest_caption=-1)


def test_what_else_an_entry_has_stays_and_what_is_empty_goes():
    entry = {"caption": "a a cat", "tags": "rating:safe", "train_resolution": [512, 512], "weight": 2}
    assert cleaned(entry, ALL) == {"caption": "a cat", "train_resolution": [512, 512], "weight": 2}
    assert entry["tags"] == "rating:safe"


def test_long_texts_are_cleaned_in_no_time():
    assert len(cleaned_caption("ab " * 13_000, ALL)) == 2
    assert cleaned_caption("x" * 40_000, ALL) == "x" * 40_000
    assert len(cleaned_tags(", ".join(f"tag {n}" for n in range(4000)), ALL).split(", ")) == 4000
