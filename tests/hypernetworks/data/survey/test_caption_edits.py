"""Edits of captions: whole or not at all, and taken back byte for byte."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, SettingsError
from hypernetwork_workbench.hypernetworks.data.captions import CaptionRules
from hypernetwork_workbench.hypernetworks.data.survey import caption_edits
from hypernetwork_workbench.hypernetworks.data.survey.caption_edits import Change, History
from hypernetwork_workbench.hypernetworks.data.survey.tags import TagSettings, count_tags, tags_of
from hypothesis import given
from hypothesis import strategies as st

from tests.support import faults
from tests.support.examples import examples
from tests.support.faults import records


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "edits")


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "pictures"
    place.mkdir()
    for name in "abc":
        (place / f"{name}.txt").write_bytes(f"\ufeff{name} one,  two\r\n".encode())
    return place


def change_to(path: Path, text: str) -> Change:
    before = path.read_bytes() if path.exists() else None
    return Change(path, before, f"{text}\n".encode("utf-8", "replace"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fail_at(monkeypatch, *names):
    """Let writing these files fail from now on."""
    write = caption_edits._write

    def failing(path, content):
        if path.name in names:
            raise DatasetError(f"{path.name}: cannot be written: the disk is full; nothing was changed")
        write(path, content)

    monkeypatch.setattr(caption_edits, "_write", failing)


def test_an_edit_is_taken_back_byte_for_byte_in_another_process(history, folder, tmp_path):
    before = contents(folder)
    history.apply("first", [change_to(folder / "a.txt", "new"), change_to(folder / "d.txt", "made")])
    history.apply("second", [change_to(folder / "a.txt", "newer")])
    assert (folder / "a.txt").read_text(encoding="utf-8") == "newer\n"
    again = History(tmp_path / "edits")
    assert [edit.title for edit in again.edits([folder])] == ["second", "first"]
    for edit in again.edits([folder]):
        again.undo(edit)
    assert contents(folder) == before
    assert again.edits([folder]) == []


contents_of_files = st.lists(st.none() | st.binary(max_size=20), min_size=1, max_size=4)


@examples(30)
@given(contents_of_files, st.lists(st.lists(st.text(max_size=9), min_size=4, max_size=4), max_size=4))
def test_undo_gives_every_file_its_bytes_back(first, edits):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "captions")
        folder.mkdir()
        files = [folder / f"{number}.txt" for number in range(len(first))]
        for path, content in zip(files, first, strict=True):
            if content is not None:
                path.write_bytes(content)
        before = contents(folder)
        history = History(Path(place, "edits"))
        for texts in edits:
            history.apply("edit", [change_to(path, text) for path, text in zip(files, texts, strict=False)])
        for edit in history.edits([folder]):
            history.undo(edit)
        assert contents(folder) == before


@pytest.mark.parametrize("broken", ["a.txt", "b.txt", "c.txt"])
def test_after_a_failed_write_all_captions_are_as_they_were(history, folder, monkeypatch, broken):
    before = contents(folder)
    fail_at(monkeypatch, broken)
    with pytest.raises(DatasetError, match=f"^{broken}: cannot be written"):
        history.apply("edit", [change_to(folder / f"{name}.txt", "new") for name in "abc"])
    assert contents(folder) == before
    assert history.edits([folder]) == []


def test_a_failed_undo_can_be_tried_again(history, folder, monkeypatch):
    before = contents(folder)
    edit = history.apply("edit", [change_to(folder / f"{name}.txt", "new") for name in "abc"])
    with monkeypatch.context() as patch:
        fail_at(patch, "b.txt")
        with pytest.raises(DatasetError, match=r"^b\.txt"):
            history.undo(edit)
    assert len(history.edits([folder])) == 1
    history.undo(edit)
    assert contents(folder) == before


def test_where_nothing_can_be_put_back_the_edit_can_still_be_undone(history, folder, monkeypatch):
    before = contents(folder)
    write = caption_edits._write
    written = []

    def failing(path, content):
        if written:
            raise DatasetError(f"{path.name}: the disk is full")
        written.append(path)
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(caption_edits, "_write", failing)
        with pytest.raises(DatasetError, match="the disk is full"):
            history.apply("edit", [change_to(folder / f"{name}.txt", "new") for name in "abc"])
    (edit,) = history.edits([folder])
    history.undo(edit)
    assert contents(folder) == before


def test_what_somebody_else_wrote_is_never_written_over(history, folder):
    edit = history.apply("edit", [change_to(folder / "a.txt", "new"), change_to(folder / "b.txt", "new")])
    (folder / "b.txt").write_text("by hand", encoding="utf-8")
    held = contents(folder)
    with pytest.raises(DatasetError, match=r"^b\.txt: has been changed by somebody else"):
        history.undo(edit)
    stale = Change(folder / "a.txt", b"something else", b"mine")
    with pytest.raises(DatasetError, match=r"^a\.txt: has been changed by somebody else"):
        history.apply("edit", [stale])
    assert contents(folder) == held


def test_only_edits_of_the_folder_are_offered_and_only_so_many_kept(tmp_path, folder):
    history = History(tmp_path / "edits", kept=2)
    for number in range(3):
        history.apply(f"edit {number}", [change_to(folder / "a.txt", f"new {number}")])
    assert [edit.title for edit in history.edits([folder])] == ["edit 2", "edit 1"]
    assert history.edits([tmp_path / "elsewhere"]) == []
    for record in (tmp_path / "edits").iterdir():
        record.write_text("{", encoding="utf-8")
    assert history.edits([folder]) == []


@pytest.mark.parametrize("case", list(records.cases()), ids=lambda case: case.name)
def test_a_record_that_somebody_damaged_is_left_out(case, tmp_path):
    assert faults.said(case, tmp_path) is None


def changed(caption, rules=None, **values):
    return TagSettings(**values).change(rules or CaptionRules())(caption)


@pytest.mark.parametrize(
    ("values", "after"),
    [
        ({"action": "add", "tag": "new"}, "new,a,b , c"),
        ({"action": "add", "tag": "new, a", "place": "the end"}, "a,b , c,new"),
        ({"action": "remove", "tag": "c, a"}, "b"),
        ({"action": "replace", "tag": "b", "replacement": "x, y"}, "a,x,y , c"),
        ({"action": "replace", "tag": "b", "replacement": "a"}, "a, c"),
    ],
)
def test_tags_are_changed(values, after):
    assert changed("a,b , c", **values) == after


@pytest.mark.parametrize("values", [{"action": "add", "tag": "a"}, {"action": "remove", "tag": "B"}])
def test_a_caption_without_a_change_stays_as_it_was_written(values):
    assert changed("a,b ,  c", **values) == "a,b ,  c"


def test_tags_to_keep_stay_on_their_side():
    rules = CaptionRules(keep_separator="|||")
    assert changed("a, b ||| c, d", rules, action="remove", tag="b, c") == "a ||| d"
    assert changed("a ||| c", rules, action="add", tag="x", place="the end") == "a ||| c, x"
    assert tags_of("a, b ||| c", rules) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"action": "add", "tag": " , "}, "tag"),
        ({"action": "replace", "tag": "a"}, "replacement"),
        ({"action": "replace", "tag": "a, b", "replacement": "c"}, "tag"),
    ],
)
def test_a_change_without_a_tag_names_the_field(values, field):
    with pytest.raises(SettingsError) as raised:
        changed("a", **values)
    assert raised.value.field == field


plain_tags = st.lists(st.sampled_from("abcdef"), max_size=6)


@given(plain_tags, st.sampled_from("abcdefg"), st.sampled_from("abcdefg"))
def test_removing_what_was_added_and_renaming_there_and_back_change_nothing_else(tags, tag, other):
    tags = list(dict.fromkeys(tags))
    caption = ", ".join(tags)
    if tag not in tags:
        assert changed(changed(caption, action="add", tag=tag), action="remove", tag=tag) == caption
        if other != tag:
            there = changed(caption, action="replace", tag=other, replacement=tag)
            assert changed(there, action="replace", tag=tag, replacement=other) == caption


def test_tags_are_counted_by_picture_the_most_frequent_first():
    rules = CaptionRules()
    captions = [("a, b, b", rules), ("b, c", rules), ("", rules)]
    assert count_tags(captions) == [("b", 2), ("a", 1), ("c", 1)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"night\r\n\x1a", b"night!\r\n\x1a"),
        ("\ufeff\ufeffnight\r\n".encode(), "\ufeff\ufeffnight!\r\n".encode()),
        ("\ufeff\ufeffnight\r\n\x1a".encode("utf-16-be"), "\ufeff\ufeffnight!\r\n\x1a".encode("utf-16-be")),
        (b"\x1a", b"\x1a"),
    ],
)
def test_marks_around_a_text_stay(tmp_path, before, after):
    (tmp_path / "a.txt").write_bytes(before)
    change = caption_edits.change_of(tmp_path / "a.txt", lambda text: text.replace("night", "night!"))
    assert change == Change(tmp_path / "a.txt", before, after)
