"""Small pieces of HTML for what comes out of files: every text is escaped, shortened and made printable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from torch import Tensor

_TEXT = 2_000
_ROWS = 300
_MEGABYTE = 1_000_000
#: Signs without a picture that text needs: line breaks, tabs, and the joiners of several scripts and emoji.
_UNSEEN = "\n\t\u200c\u200d"


def text(value: Any, limit: int = _TEXT) -> str:
    """Return a value as escaped text of at most `limit` characters; signs that cannot be shown become U+FFFD."""
    if isinstance(value, Tensor):
        value = f"tensor {list(value.shape)} of {value.dtype}".replace("torch.", "")
    plain = str(value)
    cut = plain[:limit]
    shown = "".join(sign if sign.isprintable() or sign in _UNSEEN else "\ufffd" for sign in cut)
    return escape(shown) + (f"… ({len(plain):,} characters)" if len(plain) > limit else "")


def number(value: float | None) -> str:
    """Return a number with four digits that count; a dash where there is none."""
    return "–" if value is None else f"{value:.4g}"


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e6:.1f} MB" if count >= _MEGABYTE else f"{count / 1e3:.1f} kB"


def share(part_of_all: float) -> str:
    """Return a share in percent; 0 only where it is exactly 0."""
    return f"{part_of_all:.2%}" if part_of_all else "0"


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values; the values are HTML already."""
    lines = "".join(f"<tr><th scope='row'>{text(name, 80)}</th><td>{value}</td></tr>" for name, value in rows)
    return f"<table class='hnw-table hnw-facts'>{lines}</table>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Return a table with a head; the cells are HTML already.

    Args:
        kind: further classes of the table.
    """
    return f"<div class='hnw-wide-table'><table class='hnw-table {kind}'>{part(head, rows)}</table></div>"


def part(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """One part of a table, with a head of its own."""
    top = "".join(f"<th scope='col'>{name}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<tbody><tr>{top}</tr>{lines}</tbody>"


def values(mapping: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """Nested values as rows for `facts`, with dotted names; many rows are cut, and said to be."""
    rows = list(_flat("", mapping))
    shown = [(name, text(value, 300)) for name, value in rows[:_ROWS]]
    return [*shown, ("…", f"and {len(rows) - _ROWS:,} more")] if len(rows) > _ROWS else shown


def problem(sentence: str) -> str:
    """Return a sentence about what is wrong."""
    return f"<p class='hnw-broken'>{text(sentence)}</p>"


def _flat(place: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            name = str(key)[:80]
            yield from _flat(f"{place}.{name}" if place else name, item)
    else:
        yield place, value
