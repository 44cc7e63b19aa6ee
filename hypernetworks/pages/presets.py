"""The page of presets beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from . import elements

_FILE = "presets.html"


def comparison(names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return the settings that presets and a form have otherwise.

    Args:
        rows: label, value of each preset in the order of `names`, that of the form.
    """
    return elements.page(_FILE, "comparison", names, rows)
