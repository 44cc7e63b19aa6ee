"""The editor and the selection of the tab Dataset: nothing that was typed is lost, and what is selected changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.dataset_tab import Tab, texts, write_pictures


@pytest.fixture
def folder(tmp_path: Path, patched: Any) -> Path:
    """Three pictures, two of them with captions, and one that is broken."""
    place = write_pictures(tmp_path / "絵")
    (place / "x.png").write_bytes(b"no picture")
    return place


@pytest.fixture
def tab(folder: Path) -> Tab:
    made = Tab(folder)
    made.look()
    return made


def test_going_on_saves_what_was_typed_and_shows_the_next_picture(tab, folder):
    tab.pick(0)
    assert "The caption was saved." in tab.type("夜, 雨").go(1)
    assert texts(folder)["a.txt"] == "夜, 雨"
    assert (tab.number, tab.caption) == (1, "night, sun")
    assert "夜<!---->, 雨" in tab.cards
    assert tab.go(-1) == ""
    assert tab.caption == "夜, 雨"
    assert "Undone: caption of a.png" in tab.undo_edit()
    assert texts(folder)["a.txt"] == "night, rain"


def test_what_was_not_changed_is_not_written(tab, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    tab.pick(0)
    tab.go(1)
    tab.go(1)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert tab.undo == "Undo"


def test_both_ends_are_said_and_what_was_typed_is_saved_there(tab, folder):
    tab.pick(2)
    assert "This is the last picture." in tab.type("end").go(1)
    assert texts(folder)["red_house.txt"] == "end\n"
    tab.pick(0)
    assert "This is the first picture." in tab.go(-1)


@pytest.mark.parametrize(
    "leave",
    [
        lambda tab: tab.pick(1),
        lambda tab: tab.look(),
        lambda tab: tab.tags(action="add", tag="ink", place="the end"),
        lambda tab: tab.tag_selected("ink", "0 1"),
        lambda tab: tab.convert(),
    ],
)
def test_every_other_way_on_saves_too(tab, folder, leave):
    tab.pick(0)
    leave(tab.type("typed"))
    assert texts(folder)["a.txt"].startswith("typed")


def test_undo_leaves_what_was_typed_in_its_field(tab, folder):
    tab.tag_selected("ink", "1")
    tab.pick(0)
    tab.type("typed").undo_edit()
    assert tab.caption == "typed"
    assert texts(folder)["b.txt"] == "night, sun"
    tab.go(1)
    assert texts(folder)["a.txt"] == "typed"


def test_a_caption_that_cannot_be_saved_keeps_its_place_until_it_is_discarded(tab, folder):
    tab.pick(0)
    (folder / "a.txt").unlink()
    (folder / "a.txt").mkdir()
    status = tab.type("typed").go(1)
    assert "a.txt" in status
    assert (tab.number, tab.caption) == (0, "typed")
    assert "a.txt" in tab.look()
    assert (tab.number, tab.caption) == (0, "typed")
    tab.discard()
    assert tab.caption == "night, rain"
    assert tab.go(1) == ""
    assert tab.number == 1


def test_the_next_picture_is_the_next_one_that_is_shown_even_if_the_edit_hides_this_one(tab, folder):
    tab.turn(problem="no caption (1)")
    assert tab.cards.count("class='hnw-card'") == 1
    tab.turn(problem="with or without problems", tag="night (2)")
    tab.pick(0)
    tab.type("dusk").go(1)
    assert tab.number == 1
    assert tab.tag == "night (1)"
    assert tab.cards.count("class='hnw-card'") == 1


def test_going_on_turns_the_page(tab):
    tab.turn(per_page=1)
    tab.pick(0)
    tab.go(1)
    assert "Page 2 of 4" in tab.pager
    tab.go(1)
    assert "Page 3 of 4" in tab.pager


def test_captions_in_another_encoding_stay_as_they_are_whatever_is_edited(folder):
    for name, codec in (("a", "cp932"), ("b", "utf-16")):
        (folder / f"{name}.txt").write_bytes("夜、雨".encode(codec))
    tab = Tab(folder)
    tab.look()
    assert "unreadable (2)" in tab.choices["problem"]
    assert "Done: add 猫 (2 caption files)" in tab.tag_selected("猫", "0 1")
    assert (folder / "a.txt").read_bytes() == "夜、雨".encode("cp932")
    assert (folder / "b.txt").read_bytes() == "夜、雨、猫".encode("utf-16")


def test_tags_of_the_selected_pictures_change_and_of_no_other(tab, folder):
    before = texts(folder)
    assert "Done: add ink, 猫 (2 caption files)" in tab.tag_selected("ink, 猫", "2 0 0 77 x")
    assert texts(folder) == {**before, "a.txt": "night, rain, ink, 猫", "red_house.txt": "red house, ink, 猫\n"}
    assert "Done: remove night (1 caption file)" in tab.tag_selected("night", "0", "remove")
    assert texts(folder)["b.txt"] == "night, sun"
    tab.undo_edit()
    tab.undo_edit()
    assert texts(folder) == before


@pytest.mark.parametrize(
    ("tags", "numbers", "sentence"),
    [("ink", "", "select pictures first"), ("ink", "99", "select pictures first"), ("", "0", "name the tag to add")],
)
def test_a_change_of_nothing_says_why(tab, folder, tags, numbers, sentence):
    before = texts(folder)
    assert sentence in tab.tag_selected(tags, numbers)
    assert texts(folder) == before


def test_filters_know_tags_and_problems_with_their_numbers(tab, folder):
    Image.new("RGB", (16, 16), "red").save(folder / "tiny.png")
    (folder / "twin.png").write_bytes((folder / "a.png").read_bytes())
    tab.look()
    listed = {one for name in ("tag", "problem") for one in tab.choices[name]}
    assert {"night (2)", "rain (1)", "unreadable (1)", "too small (1)", "no caption (3)", "duplicate (1)"} <= listed
    for problem, name in (("unreadable (1)", "x.png"), ("too small (1)", "tiny.png"), ("duplicate (1)", "twin.png")):
        assert "1 of 6 pictures" in tab.turn(problem=problem)
        assert f">{name[0]}<!---->{name[1:]}</b>" in tab.cards
    assert "1 of 6 pictures" in tab.turn(problem="with or without problems", tag="rain (1)")
    assert "0 of 6 pictures" in tab.turn(words="sun")


def test_the_caption_of_metadata_cannot_be_typed_into(folder):
    (folder / "meta.json").write_text('{"a": {"caption": "from metadata"}}', encoding="utf-8")
    tab = Tab(folder)
    tab.look(data__metadata_file=str(folder / "meta.json"))
    tab.pick(0)
    assert (tab.caption, tab.updates["caption"]["interactive"]) == ("from metadata", False)


def test_metadata_is_made_cleaned_written_back_and_all_of_it_undone(tab, folder):
    before = texts(folder)
    assert "there is no file" in tab.metadata(action="clean it")
    (folder / "a.txt").write_text("1girl, solo, dress, white dress", encoding="utf-8")
    said = tab.metadata(action="tags into it")
    assert "2 of 4 pictures have a text" in said
    assert "Press Undo to undo this." in said
    file = folder / "metadata.json"
    assert json.loads(file.read_text())["a"]["tags"] == "1girl, solo, dress, white dress"
    assert "1 of 2 entries were changed." in tab.metadata(action="clean it")
    assert json.loads(file.read_text())["a"]["tags"] == "1girl, white dress"
    assert "All is like that already." in tab.metadata(action="captions from it")
    tab.metadata(action="captions from it", replace=True)
    assert texts(folder)["a.txt"] == "1girl, white dress"
    for _ in range(3):
        assert "Undone" in tab.undo_edit()
    assert texts(folder) == before | {"a.txt": "1girl, solo, dress, white dress"}
    assert not file.exists()
    elsewhere = tab.metadata(action="tags into it", file=str(folder.parent / "other.json"))
    assert "launch.py dataset undo" in elsewhere
    assert "JSON file" in tab.metadata(file=str(folder / "none" / "x.json"))
