"""Tags changed in every caption: all else in the files stays as it was, byte for byte."""

from __future__ import annotations

import codecs
import re

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError
from hypernetwork_workbench.hypernetworks.data.captions import FIRST_LINE, ONE_LINE, TAG_LINES, CaptionRules
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.data.survey import captioning, tagger
from hypernetwork_workbench.hypernetworks.data.survey.caption_edits import History, change_of
from hypernetwork_workbench.hypernetworks.data.survey.survey import SurveyRequest, survey
from hypernetwork_workbench.hypernetworks.data.survey.tags import ACTIONS, TagSettings, tags_of
from hypernetwork_workbench.hypernetworks.data.survey.thumbnails import Thumbnails
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image


class Watcher:
    def report(self, done, total, text):
        pass

    def is_interrupted(self):
        return False


def changed(text, rules=None, **values):
    return TagSettings(**values).change(rules or CaptionRules())(text)


def replace(text, rules=None, tag="b", replacement="new"):
    return changed(text, rules, action="replace", tag=tag, replacement=replacement)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1girl\nsolo\nblue_eyes", "1girl\nduo\nblue_eyes"),
        ("1girl,solo,blue_eyes\r\n", "1girl,duo,blue_eyes\r\n"),
        ("  1girl ,  solo ,blue_eyes  \n\n", "  1girl ,  duo ,blue_eyes  \n\n"),
        ("1girl，solo、blue_eyes", "1girl，duo、blue_eyes"),
        ("solo\rhat\r", "duo\rhat\r"),
        ("a cat\u2028solo", "a cat\u2028duo"),
        ("\tsolo,,\t, hat,", "\tduo,,\t, hat,"),
        ("hat ||| solo ||| x", "hat ||| duo ||| x"),
        ("hat,　solo　,x", "hat,　duo　,x"),
        ("solo, hat\nsolo_2, solo", "duo, hat\nsolo_2, duo"),
        ("solo, hat\nduo, solo", "hat\nduo"),  # it is there already
    ],
)
def test_a_tag_is_replaced_where_it_stands(before, after):
    assert replace(before, CaptionRules(keep_separator="|||"), "solo", "duo") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a,b,c", "a,c"),
        ("b, a ,c", "a ,c"),
        ("  b, a", "  a"),
        ("a, c, b\r\n", "a, c\r\n"),
        ("a\nb\nc", "a\nc"),
        ("a\nb", "a"),
        ("a\r\nb\r\n", "a\r\n"),
        ("a\n\nb", "a\n"),
        ("b", ""),
        ("b,b", ""),
        ("a, b ||| b, c", "a ||| c"),
        ("a ||| b ||| c", "a ||| ||| c"),
        ("a、b、c，d", "a、c，d"),
        ("a, b,\n", "a,\n"),
        ("bb, ab, b b", "bb, ab, b b"),
    ],
)
def test_a_tag_is_removed_with_one_separator(before, after):
    assert changed(before, CaptionRules(keep_separator="|||"), action="remove", tag="b") == after


@pytest.mark.parametrize(
    ("before", "front", "end"),
    [
        ("a, c", "b, a, c", "a, c, b"),
        ("a,c", "b,a,c", "a,c,b"),
        ("a、c\r\n", "b、a、c\r\n", "a、c、b\r\n"),
        ("  a ;c", "  b, a ;c", "  a ;c, b"),
        ("a\nc\n", "b, a\nc\n", "a\nc, b\n"),
        ("\n\na, c\n", "\n\nb, a, c\n", "\n\na, c, b\n"),
        ("a, c,", "b, a, c,", "a, c, b"),
        ("a,c, ", "b,a,c, ", "a,c, b"),
        ("a、", "b, a、", "a、b"),
        ("a ||| c", "b, a ||| c", "a ||| c, b"),
        ("a |||", "b, a |||", "a ||| b"),
        ("a, c, d |||", "b, a, c, d |||", "a, c, d ||| b"),
        ("||| c", "b ||| c", "||| c, b"),
        ("", "b", "b"),
        ("\r\n", "b\r\n", "b\r\n"),
        ("a, b", "a, b", "a, b"),
    ],
)
def test_a_tag_is_added_as_the_others_are_written(before, front, end):
    rules = CaptionRules(keep_separator="|||")
    assert changed(before, rules, action="add", tag="b") == front
    assert changed(before, rules, action="add", tag="b", place="the end") == end


@pytest.mark.parametrize(
    ("lines", "before", "front", "end"),
    [
        (TAG_LINES, "1girl\r\nsolo\r\n", "b\r\n1girl\r\nsolo\r\n", "1girl\r\nsolo\r\nb\r\n"),
        (TAG_LINES, "1girl\nsolo", "b\n1girl\nsolo", "1girl\nsolo\nb"),
        (TAG_LINES, "1girl, solo", "b, 1girl, solo", "1girl, solo, b"),
        (TAG_LINES, "1girl\nb\n", "1girl\nb\n", "1girl\nb\n"),
        (ONE_LINE, "a, c\n\nb\nd", "b, a, c\n\nb\nb, d", "a, c, b\n\nb\nd, b"),
        (FIRST_LINE, "a\nb\n", "b, a\nb\n", "a, b\nb\n"),
        (FIRST_LINE, "\na\nc\n", "\nb, a\nc\n", "\na, b\nc\n"),
    ],
)
def test_where_a_tag_is_added_follows_what_the_lines_are(lines, before, front, end):
    rules = CaptionRules(lines=lines)
    assert changed(before, rules, action="add", tag="b") == front
    assert changed(before, rules, action="add", tag="b", place="the end") == end


@pytest.mark.parametrize(
    ("rules", "before", "after"),
    [
        ({}, "c,a ,  b\n", "a,b ,  c\n"),
        ({}, "c, A、b\r\nz, y", "A, b、c\r\ny, z"),
        ({"lines": TAG_LINES}, "c\n\na\nb", "a\n\nb\nc"),
        ({"keep_tags": 1}, "x, c, a", "x, a, c"),
        ({"keep_tags": 1, "lines": TAG_LINES}, "x\nc\na", "x\na\nc"),
        ({"keep_separator": "|||"}, "x, b ||| d, c ||| f, e", "x, b ||| c, d ||| f, e"),
        ({"keep_separator": "|||"}, "x, b ||| d,,c", "x, b ||| c,,d"),
    ],
)
def test_tags_are_sorted_in_the_places_they_have(rules, before, after):
    assert changed(before, CaptionRules(**rules), action="sort") == after


@pytest.mark.parametrize(
    ("rules", "before", "after"),
    [
        ({}, "a,b ,a, c,b\n", "a,b , c\n"),
        ({}, "a, b\r\nb, c\r\na\r\n", "a, b\r\nc\r\n"),
        ({"lines": ONE_LINE}, "a, a\na, b", "a\na, b"),
        ({"keep_separator": "|||"}, "a ||| b, a ||| b", "a ||| b ||| "),
    ],
)
def test_duplicates_are_removed_and_the_first_stays(rules, before, after):
    assert changed(before, CaptionRules(**rules), action="remove duplicates") == after


#: Captions as people write them: tags, blanks, separators of any kind and line breaks.
TEXTS = st.lists(
    st.sampled_from(
        ["a", "b", "c d", "青い目", "x_y", ",", "、", "，", " ", "  ", "\n", "\r\n", "|||", "\t", "(a:1.2)"]
    ),
    max_size=14,
).map("".join)
RULES = st.builds(
    CaptionRules,
    keep_separator=st.sampled_from(["", "|||"]),
    lines=st.sampled_from(["all lines", TAG_LINES, FIRST_LINE, ONE_LINE]),
)


@given(TEXTS, RULES)
def test_what_is_not_changed_is_there_to_the_last_sign(text, rules):
    assert changed(text, rules, action="remove", tag="zz") == text
    assert replace(text, rules, "zz", "yy") == text
    if tags_of(text.replace("\r\n", "\n"), rules).count("a") == 1:
        there = replace(text, rules, "a", "zz")
        assert there != text
        assert replace(there, rules, "zz", "a") == text


@given(TEXTS, RULES, st.sampled_from(["the front", "the end"]))
def test_adding_a_tag_only_puts_signs_in(text, rules, place):
    after = changed(text, rules, action="add", tag="zz", place=place)
    assert "zz" in after
    rest = iter(after)
    assert all(sign in rest for sign in text)  # in this order
    assert re.findall(r"[\r\n]", text) == re.findall(r"[\r\n]", after) or rules.lines == TAG_LINES
    found = tags_of(after.replace("\r\n", "\n"), rules)
    assert [tag for tag in found if tag != "zz"] == tags_of(text.replace("\r\n", "\n"), rules)


@given(TEXTS, RULES)
def test_sorting_and_removing_keep_separators_and_tags(text, rules):
    after = changed(text, rules, action="sort")
    assert sorted(after) == sorted(text)
    assert re.findall(r"[,，、\r\n]", after) == re.findall(r"[,，、\r\n]", text)
    unique = changed(text, rules, action="remove duplicates")
    assert set(tags_of(unique, rules)) == set(tags_of(text, rules))


FORMS = [
    (b"", "utf-8", "\n"),
    (codecs.BOM_UTF8, "utf-8", "\r\n"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "\r\n"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "\n"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "\r"),
]


@pytest.fixture(params=FORMS, ids=lambda form: form[1] + (" with a mark" if form[0] else ""))
def form(request):
    return request.param


def look(folder, **data):
    request = SurveyRequest(DataSettings(folder=str(folder), width=16, height=16, **data))
    return survey(request, Thumbnails(), Watcher())


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("end", ["", "\n"])
def test_encoding_line_breaks_mode_and_link_of_a_file_stay(tmp_path, form, action, end):
    mark, codec, line_break = form
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    lines = ["solo,  b ,青い目, solo", "a", ""] if end else ["solo,  b ,青い目, solo", "a"]
    kept = tmp_path / "kept" / "a.txt"
    kept.parent.mkdir()
    kept.write_bytes(mark + line_break.join(lines).encode(codec))
    kept.chmod(0o640)
    (tmp_path / "a.txt").symlink_to(kept)
    seen = look(tmp_path)
    settings = TagSettings(action=action, tag="b" if action != "add" else "new", replacement="duo")
    edit = History(tmp_path / "edits").apply("edit", captioning.changes_of_tags(seen, settings))
    first = {
        "add": "new,  solo,  b ,青い目, solo",
        "remove": "solo,青い目, solo",
        "replace": "solo,  duo ,青い目, solo",
        "remove duplicates": "solo,  b ,青い目",
        "sort": "b,  solo ,solo, 青い目",
    }[action]
    assert kept.read_bytes() == mark + line_break.join([first, *lines[1:]]).encode(codec)
    assert (tmp_path / "a.txt").is_symlink()
    assert kept.stat().st_mode & 0o777 == 0o640
    History(tmp_path / "edits").undo(edit)
    assert kept.read_bytes() == mark + line_break.join(lines).encode(codec)


@pytest.mark.parametrize("existing", [tagger.BEFORE, tagger.AFTER, tagger.REPLACE])
def test_a_taggers_captions_leave_the_form_of_a_file(tmp_path, form, existing):
    mark, codec, line_break = form
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes(mark + f"x、y{line_break}z{line_break}".encode(codec))
    settings = tagger.TaggerSettings(existing=existing)
    (change,) = captioning.changes_of_tagger(look(tmp_path), {0: "new, b"}, settings)
    text = {
        tagger.BEFORE: f"new, b、x、y{line_break}z{line_break}",
        tagger.AFTER: f"x、y{line_break}z、new, b{line_break}",
        tagger.REPLACE: f"new, b{line_break}",
    }[existing]
    assert change.after == mark + text.encode(codec)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("x,  y\nother", "x,  y\nother\n"),
        ("x,  y\nz\n", None),
        ("one", "one\n"),
        ("  \n", ""),
        ("x\ny\nz", "x\ny\nz\n"),
    ],
)
def test_a_caption_edited_by_hand_keeps_the_form_of_its_file(tmp_path, form, typed, text):
    mark, codec, line_break = form
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes(mark + f"x,  y{line_break}z{line_break}".encode(codec))
    seen = look(tmp_path)
    assert captioning.text_to_edit(seen.samples[0]) == "x,  y\nz"
    changes = captioning.change_of_one(seen, 0, typed)
    wanted = [] if text is None else [mark + text.replace("\n", line_break).encode(codec)]
    assert [change.after for change in changes] == wanted


def test_a_caption_edited_by_hand_ends_as_its_file_did(tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes(b"x\r\ny")
    (change,) = captioning.change_of_one(look(tmp_path), 0, "x\nz\nw\n")
    assert change.after == b"x\r\nz\r\nw"
    (change,) = captioning.change_of_one(look(tmp_path), 0, "one")
    assert change.after == b"one"


def test_what_no_change_can_keep_is_not_changed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("夜".encode("cp932"))
    with pytest.raises(DatasetError, match=r"^a\.txt: the caption cannot be read"):
        change_of(path, lambda text: f"new, {text}")


def test_pictures_without_a_caption_file_get_one_only_where_something_changes(tmp_path):
    for name in ("red_house", "blue_house"):
        Image.new("RGB", (16, 16)).save(tmp_path / f"{name}.png")
    seen = look(tmp_path)
    (change,) = captioning.changes_of_tags(seen, TagSettings(action="replace", tag="red house", replacement="hut"))
    assert (change.path.name, change.before, change.after) == ("red_house.txt", None, b"hut\n")
    assert captioning.changes_of_tags(seen, TagSettings(action="sort")) == []
