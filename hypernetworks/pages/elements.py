"""HTML and SVG made from templates, and how values are written in them.

A template holds macros, one for each thing that it can show. Whatever it takes in is made printable, cut where it is
endless, and escaped, unless a template made it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from torch import Tensor

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"
_TEXT = 2_000
_LONGEST = 10_000
_ROWS = 300
_MEGABYTE = 1_000_000
#: Signs without a picture that text needs: line breaks, tabs, and the joiners of several scripts and emoji.
_UNSEEN = "\n\t\u200c\u200d"


def piece(file: str, macro: str, *values: Any, **named: Any) -> Markup:
    """Return what a macro of a template makes, for another template to take in as it is."""
    return getattr(environment().get_template(file).module, macro)(*values, **named)


def page(file: str, macro: str, *values: Any, **named: Any) -> str:
    """Return the same for the page, as plain text: the host adds HTML to it, which Markup would escape."""
    return str(piece(file, macro, *values, **named))


@functools.cache
def environment() -> Environment:
    """Return what makes text of templates. Every value is escaped; a name without a value is an error."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # noqa: PLC0415 - at the first page, not at start

    made = Environment(
        autoescape=True,
        auto_reload=False,
        finalize=_shown,
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
    )
    made.filters["text"] = text
    return made


def _source(name: str) -> str:
    """Return a template without the line breaks that are there for its reader: none between tags, else one space."""
    lines = (FOLDER / name).read_text(encoding="utf-8").strip()
    return re.sub(r"\s*\n\s*", " ", re.sub(r"(?<=[>}])\s*\n\s*(?=[<{])", "", lines))


def _shown(value: Any) -> Any:
    return value if hasattr(value, "__html__") else text(value, _LONGEST)


def text(value: Any, limit: int = _TEXT) -> str:
    """Return a value as text of at most `limit` characters; signs that cannot be shown become U+FFFD."""
    if isinstance(value, Tensor):
        value = f"tensor {list(value.shape)} of {value.dtype}".replace("torch.", "")
    plain = str(value)
    shown = plain[:limit]
    if not shown.isprintable():
        shown = "".join(sign if sign.isprintable() or sign in _UNSEEN else "\ufffd" for sign in shown)
    return shown + (f"… ({len(plain):,} characters)" if len(plain) > limit else "")


def number(value: float | None) -> str:
    """Return a number with four digits that count; a dash where there is none."""
    return "–" if value is None else f"{value:.4g}"


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e6:.1f} MB" if count >= _MEGABYTE else f"{count / 1e3:.1f} kB"


def share(part_of_all: float) -> str:
    """Return a share in percent; 0 only where it is exactly 0."""
    return f"{part_of_all:.2%}" if part_of_all else "0"


def beyond(count: int, shown: int) -> str:
    """Tell how many of `count` are left when so many are shown; empty where none is."""
    return f"{count - shown:,}" if count > shown else ""


def values(mapping: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """Nested values as rows of a table of facts, with dotted names; many rows are cut, and said to be."""
    rows = list(_flat("", mapping))
    shown = [(name, text(value, 300)) for name, value in rows[:_ROWS]]
    return [*shown, ("…", f"and {len(rows) - _ROWS:,} more")] if len(rows) > _ROWS else shown


def _flat(place: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            name = str(key)[:80]
            yield from _flat(f"{place}.{name}" if place else name, item)
    else:
        yield place, value
