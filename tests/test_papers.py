"""The papers beside the code: READMEs and docs/. What they name is there."""

from __future__ import annotations

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
