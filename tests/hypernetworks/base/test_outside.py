"""Texts and paths from outside: real ones are read as ever, those without measure are refused before the work."""

import json
import os

import pytest
from hypernetwork_workbench.hypernetworks.base.outside import (
    UnfitTextError,
    is_file,
    is_folder,
    parse_json,
    read_json,
    read_text,
    resolved,
    shown,
)
from hypernetwork_workbench.hypernetworks.texts.toml import parse_toml


def test_what_looks_like_too_much_inside_a_text_is_none():
    value = "[{" * 500 + "9" * 900 + "a." * 500
    assert parse_json(json.dumps({"a": value})) == {"a": value}
    assert parse_toml(f'a = "{value}"\nb = """\n{value} = "x"\n"""\nc = \'{value}\' # {value}')["a"] == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 65, "nested too deeply"),
        ('{"a":' * 65, "nested too deeply"),
        ("9" * 400, "400 digits"),
        ('"' + "\\" * 99_999, "Unterminated|Invalid"),
        ("{", "Expecting"),
    ],
)
def test_unfit_json(text, reason):
    with pytest.raises(UnfitTextError, match=reason):
        parse_json(text)


@pytest.mark.parametrize("text", ['{"a": "C:\\Users\\me"}', '{"a": "D:\\pics"}', '{"a":\n "D:\\x"}'])
def test_a_backslash_in_json_is_named_with_what_to_write(text):
    with pytest.raises(UnfitTextError, match=r"line \d: a backslash in double quotes .*; write / for it"):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{“a”: 1}", 'line 1: the quote “ is of a web page or a word processor; write "'),
        ('{\n"a": "“x”",\n"b": ‘y’}', "line 3: the quote ‘"),
        ("{＂a＂: 1}", "line 1: the quote ＂"),
    ],
)
def test_quotes_of_a_web_page_in_json_are_named(text, reason):
    with pytest.raises(UnfitTextError, match=reason):
        parse_json(text)
    assert parse_json('{"a": "“x”"}') == {"a": "“x”"}


def test_a_key_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"a": 1, "b": {"c": 1, "c": 2}}', encoding="utf-8")
    with pytest.raises(UnfitTextError, match="a key twice"):
        read_json(tmp_path / "x.json")


def test_files_are_read_within_a_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf" + "夜".encode())
    assert read_text(tmp_path / "a", 6) == "夜"
    with pytest.raises(UnfitTextError, match="larger than 5 bytes"):
        read_text(tmp_path / "a", 5)
    (tmp_path / "b").write_bytes(b"a\xff")
    with pytest.raises(UnfitTextError, match="not UTF-8"):
        read_text(tmp_path / "b")
    for path in (tmp_path, tmp_path / "none", tmp_path / ("n" * 300), tmp_path / "a\0b"):
        with pytest.raises(OSError, match=r"folder|No such|too long|character that no"):
            read_text(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="not a regular file"):
            read_text(tmp_path / "pipe")


def test_names_that_no_system_takes_are_no_files(tmp_path):
    for path in (tmp_path / ("n" * 300), tmp_path / "a\0b"):
        assert not is_file(path)
        assert not is_folder(path)
        assert resolved(path).is_absolute()


def test_what_is_shown_is_short():
    assert shown("a") == "'a'"
    assert len(shown("a" * 10_000)) < 130
    assert shown(10**5000) == "a int"
