"""Settings in a text: its language by what is in it, and what is no settings by what it is."""

import pytest
from hypernetwork_workbench.hypernetworks.base.outside import UnfitTextError
from hypernetwork_workbench.hypernetworks.texts.tables import parse_tables


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"a": {"b": 1}}', "x.json"),
        ('\n {"a": {"b": 1}}', "x.toml"),
        ('{"a": {"b": 1}}', "x.txt"),
        ("[a]\nb = 1", "x.toml"),
        ("[a]\nb = 1", "x.toml.txt"),
        ("a.b = 1", "x.json"),
    ],
)
def test_the_language_is_that_of_the_text(text, name):
    assert parse_tables(text, name) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ('{"a": 1, "a": 2}', "x.json", "is no JSON: it has a key twice, 'a'"),
        ("[1, 2]", "x.json", "has no settings in it"),
        ("", "x.json", "is no JSON"),
        ("[a", "x.toml", "is no TOML"),
        ("a:\n  b: 1", "x.yaml", "is YAML; write it as TOML"),
        ("a: 1", "x.YML", "is YAML"),
        ("{\\rtf1 [a] b = 1}", "x.toml", "is a document of a word processor; save it as plain text"),
        ("<!DOCTYPE html>", "x.toml", "is a web page or another document"),
        ("\n<?xml version='1.0'?>", "x.json", "is a web page or another document"),
    ],
)
def test_what_is_no_settings_is_refused_as_what_it_is(text, name, reason):
    with pytest.raises(UnfitTextError, match=reason):
        parse_tables(text, name)


def test_a_number_keeps_the_text_that_was_typed():
    found = parse_tables("a = 1.10\nb = １ｅ３", "x.toml") | parse_tables('{"c": 5E-3}', "x.json")
    assert {name: number.typed for name, number in found.items()} == {"a": "1.10", "b": "1e3", "c": "5E-3"}
    assert found == {"a": 1.1, "b": 1000.0, "c": 0.005}
