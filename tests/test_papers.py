"""The papers beside the code: READMEs and docs/. What they name is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.texts.toml import tomllib

import hypernetwork_workbench
from tests import sources

PAPERS = sorted(path for pattern in ("*.md", "*/*.md") for path in sources.ROOT.glob(pattern))
CHANGELOG = sources.ROOT / "docs" / "CHANGELOG.md"


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.relative_to(sources.ROOT).as_posix())
def test_links_lead_to_files_that_are_there(paper: Path):
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", paper.read_text(encoding="utf-8"))
    inside = [link for link in links if not re.match(r"\w+:", link)]
    assert [link for link in inside if not (paper.parent / link).exists()] == []


def test_the_newest_version_of_the_changelog_is_that_of_the_project():
    heads = re.findall(r"^## (.+)$", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    versions = [re.fullmatch(r"(\d+\.\d+\.\d+) \(\d+\w\w \w+, \d{4}\)", head) for head in heads if head != "Unreleased"]
    assert versions
    assert all(versions), heads
    project = tomllib.loads((sources.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert versions[0][1] == project["version"] == hypernetwork_workbench.__version__


def test_the_changelog_sorts_changes_by_their_kind():
    kinds = re.findall(r"^### (.+)$", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.relative_to(sources.ROOT).as_posix())
def test_commands_begin_as_every_debian_takes_them(paper: Path):
    if paper != CHANGELOG:  # which tells of earlier ones
        assert not re.findall(r"\bpython launch\.py", paper.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "language"), [("README.md", ""), ("README.ja.md", "ja_JP"), ("README.zh.md", "zh_CN")]
)
def test_a_readme_says_once_what_windows_takes_and_names_the_buttons_of_a_run(name: str, language: str):
    text = re.sub(r"\s*\n\s*", "" if language else " ", (sources.ROOT / name).read_text(encoding="utf-8"))
    assert len(re.findall("`py`", text)) == 1
    table = sources.ROOT / "localizations" / f"{language}.json"
    words = json.loads(table.read_text(encoding="utf-8")) if language else {}
    buttons = ("Save now", "Preview now", "Pause", "Go on", "Interrupt", "Let it in between two steps", "Continue")
    named = [words.get(one, one) for one in (*buttons, "Continue the ticked run", "Compare")]
    quoted = {"": "*{}*", "ja_JP": "「{}」", "zh_CN": "“{}”"}[language]
    assert [one for one in named if quoted.format(one) not in text] == []
