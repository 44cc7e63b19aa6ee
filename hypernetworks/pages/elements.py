"""HTML and SVG made from templates, and the format of values in them.

A template consists of macros, one for each thing that it can show. Every value is made printable, cut where it is
too long, and escaped, unless a template made it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from torch import Tensor

from ..base.names import is_shown

FOLDER = Path(__file__).parent / "templates"
_TEXT = 2_000
_LONGEST = 10_000
_ROWS = 300
_MEGABYTE = 1_000_000
_BREAKS = "\n\t"


def piece(file: str, macro: str, *values: Any, **named: Any) -> Markup:
    """Return the output of a macro of a template, to be used in another template as it is."""
    return getattr(environment().get_template(file).module, macro)(*values, **named)


def page(file: str, macro: str, *values: Any, **named: Any) -> str:
    """Return the output of a macro for the page, as a plain string: the host adds HTML, which Markup would escape."""
    return str(piece(file, macro, *values, **named))


@functools.cache
def environment() -> Environment:
    """Return the environment of the templates. Every value is escaped; a name without a value is an error."""
    made = Environment(
        autoescape=True,
        auto_reload=False,
        finalize=_shown,
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
    )
    made.filters["own"] = own
    made.filters["text"] = text
    return made


def _source(name: str) -> str:
    """Return a template without the line breaks that only make it readable: none between tags, else one space."""
    lines = (FOLDER / name).read_text(encoding="utf-8").strip()
    return re.sub(r"\s*\n\s*", " ", re.sub(r"(?<=[>}])\s*\n\s*(?=[<{])", "", lines))


def _shown(value: Any) -> Any:
    return value if hasattr(value, "__html__") else text(value, _LONGEST)


def text(value: Any, limit: int = _TEXT) -> str:
    """Return a value as text of at most `limit` characters; unprintable characters become U+FFFD."""
    if isinstance(value, Tensor):
        value = f"tensor {list(value.shape)} of {value.dtype}".replace("torch.", "")
    plain = str(value)
    shown = plain[:limit]
    if not shown.isprintable():
        shown = "".join(sign if is_shown(sign) or sign in _BREAKS else "\ufffd" for sign in shown)
    return shown + (f"… ({len(plain):,} characters)" if len(plain) > limit else "")


def own(value: Any, limit: int = _TEXT) -> Markup:
    """Return `text` for what somebody called so or wrote, which stays as it is in every language.

    The host translates each text of a page that its table has, and a run may be called "pictures": so the empty
    comment, which nobody sees or copies, makes two texts of it.
    """
    shown = text(value, limit)
    return piece("elements.html", "own", shown[:1], shown[1:])


def number(value: float | None) -> str:
    """Return a number with four significant digits; a dash for None."""
    return "–" if value is None else f"{value:.4g}"


def size(count: int) -> str:
    """Return a number of bytes in a readable unit."""
    return f"{count / 1e6:.1f} MB" if count >= _MEGABYTE else f"{count / 1e3:.1f} kB"


def share(part_of_all: float) -> str:
    """Return a share in percent, as 0 only if it is exactly 0."""
    return f"{part_of_all:.2%}" if part_of_all else "0"


def beyond(count: int, shown: int) -> str:
    """Return how many of `count` are left when `shown` are shown, in words; empty where none is."""
    return f"{count - shown:,}" if count > shown else ""


def values(mapping: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """Return nested values as rows of a table of facts, with dotted names; if there are too many, it says so."""
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
