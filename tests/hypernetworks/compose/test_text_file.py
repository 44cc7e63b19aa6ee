"""The texts of `.hns` files in what editors write: read where the names tell the encoding, else refused by name."""

import pytest
from hypernetwork_workbench.hypernetworks.base import encodings
from hypernetwork_workbench.hypernetworks.base.errors import CompositionError
from hypernetwork_workbench.hypernetworks.compose import text_file

NAMES = {"夜空", "表紙", "水彩", "밤하늘", "nuit d'été", "ночь", "night"}


def written(tmp_path, data):
    path = tmp_path / "mix.hns"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("utf-8", "['夜空', 'night']"),
        ("utf-8-sig", "['夜空', 'night']"),
        ("utf-16", "['夜空', 'night']"),
        ("utf-32", "['夜空', 'night']"),
        ("utf-16-le", "['夜空', 'night']"),
        ("cp932", "['夜空', ('表紙', 0.5)]"),
        ("cp932", "# 夜の絵\n['night', 'night']"),
        ("euc_jp", "{'夜空': 0.2, '水彩': 0.8}"),
        ("gbk", "{'夜空': 0.2, '水彩': 0.8}"),
        ("big5", "夜空:0.2 + 水彩:0.8"),
        ("cp949", "['밤하늘', 'night']"),
        ("cp1251", "['ночь', 'night']"),
        ("cp1252", '["nuit d\'été", "night"]'),
    ],
)
def test_the_encoding_is_the_one_in_which_the_names_are_known(tmp_path, codec, text):
    assert text_file.read(written(tmp_path, text.encode(codec)), NAMES.__contains__) == text


def test_names_tell_the_encoding_also_where_no_library_can(tmp_path, monkeypatch):
    monkeypatch.setattr(encodings, "can_tell", lambda: False)
    # No text in the other encodings: the last one is tried after them all.
    text = '["nuit d\'été", "night"]'
    assert text_file.read(written(tmp_path, text.encode("cp1252")), NAMES.__contains__) == text


@pytest.mark.parametrize("codec", ["cp932", "gbk", "euc_kr"])
def test_names_that_are_known_in_no_encoding_are_refused(tmp_path, codec):
    with pytest.raises(CompositionError, match=r"^mix\.hns cannot be read: it is not UTF-8"):
        text_file.read(written(tmp_path, "['大海', 'night']".encode(codec)), NAMES.__contains__)


def test_what_is_utf_8_as_well_is_read_by_its_names(tmp_path):
    path = written(tmp_path, "['一夜', 'night']".encode("gbk"))
    assert path.read_bytes().decode("utf-8") == "['һҹ', 'night']"
    assert text_file.read(path, {"一夜", "night"}.__contains__) == "['一夜', 'night']"
    assert text_file.read(path, {"һҹ", "night"}.__contains__) == "['һҹ', 'night']"
    assert text_file.read(path, {"night"}.__contains__) == "['һҹ', 'night']"


def test_what_is_no_text_is_refused(tmp_path):
    for data in (b"[" + b"a" * 900_000, b"['a\0b', 'c']"):
        with pytest.raises(CompositionError, match=r"^mix\.hns cannot be read: it "):
            text_file.read(written(tmp_path, data), NAMES.__contains__)
    with pytest.raises(CompositionError, match=r"^gone\.hns cannot be read: No such file"):
        text_file.read(tmp_path / "gone.hns", NAMES.__contains__)


def test_a_file_that_is_something_else_is_named_as_that(tmp_path):
    path = written(tmp_path, b"<!DOCTYPE html><html><head></head></html>")
    with pytest.raises(CompositionError, match=r"^mix\.hns: it is a web page, not a hypernetwork"):
        text_file.read(path, NAMES.__contains__)
    plain = written(tmp_path, b"no composition (((")  # what is wrong in a text is for its reader to say
    assert text_file.read(plain, NAMES.__contains__) == "no composition ((("
