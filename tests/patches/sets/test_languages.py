"""The patch set for languages: our translations come in, none over the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hypernetwork_workbench import patches
from tests import sources

LANGUAGES = ("ja_JP", "zh_CN")
FOLDER = sources.ROOT / "localizations"


def table(language: str) -> dict[str, str]:
    return json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))


@pytest.fixture
def tables(host, tmp_path, monkeypatch):
    """Give the table of a localization that the user has made, and of the host without it."""
    localization = host.module("localization")

    def read(name: str, **users: str) -> dict[str, str]:
        listed = [str(FOLDER / f"{name}.json")] if name in LANGUAGES else []
        if users:
            file = tmp_path / f"{name}.json"
            file.write_text(json.dumps(users), encoding="utf-8")
            listed.insert(0, str(file))  # the host's own folder comes first, and so under ours
        monkeypatch.setitem(localization.localizations, name, listed)
        text = localization.localization_js(name)
        assert localization.localizations[name] == listed
        return json.loads(text.removeprefix("window.localization = "))

    return read


@pytest.mark.parametrize(
    ("name", "ours"), [("ja_JP", "ja_JP"), ("ja", "ja_JP"), ("zh_CN", "zh_CN"), ("zh-Hans (Stable)", "zh_CN")]
)
def test_any_localization_of_the_language_gets_ours_beneath(name, ours, tables, patched):
    got = tables(name, Steps="the user's", Sampler="the user's")
    assert got == table(ours) | {"Steps": "the user's", "Sampler": "the user's"}


def test_other_languages_and_none_are_left_alone(tables, patched):
    assert tables("de_DE", Steps="Schritte") == {"Steps": "Schritte"}
    assert tables("None") == {}


def test_without_the_patch_the_hosts_own_rules_hold(tables):
    patches.uninstall_all()
    assert tables("zh-Hans (Stable)", Steps="the user's") == {"Steps": "the user's"}
    assert tables("ja_JP", Steps="the user's")["Steps"] == table("ja_JP")["Steps"]


def test_the_files_are_where_the_host_looks_for_them():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(LANGUAGES)
    assert Path(patches.languages.FOLDER) == FOLDER
