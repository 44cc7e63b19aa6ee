"""What docs/ARCHITECTURE.md says, read as tables."""

from __future__ import annotations

import re

from tests import sources

PAGE = sources.ROOT / "docs" / "ARCHITECTURE.md"
CODE = re.compile(r"`([^`]+)`")


def headings(section: str) -> list[str]:
    """Return the headings below a section."""
    return re.findall(r"^### (.+)$", text(section), re.MULTILINE)


def text(heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}$", page, re.MULTILINE)
    assert found, f"{PAGE.name} has no heading {heading}"
    return re.split(rf"^#{{1,{len(found[1])}}} ", page[found.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without its head."""
    lines = [line for line in text(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def named(heading: str, column: int = 0) -> list[list[str]]:
    """Return the code words in a column of the table under a heading, row by row."""
    return [CODE.findall(cells[column]) for cells in rows(heading)]
