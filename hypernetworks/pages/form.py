"""What helps to find the way in a long form: its contents, a search over all settings, and a browser of folders."""

from __future__ import annotations

from collections.abc import Sequence

from . import elements

_FILE = "form.html"


def contents(folds: Sequence[tuple[str, str]], words: Sequence[tuple[str, str]]) -> str:
    """Return the head of a form.

    Args:
        folds: id in the page and title of each fold.
        words: id in the page of each field, and the words to find it by in every language of the page.
    """
    return elements.page(_FILE, "contents", folds, words)


def changed(ids: Sequence[str]) -> str:
    """Return the ids in the page of the fields that are not as they started, for the page's script."""
    return elements.page(_FILE, "changed", ids)


def browser() -> str:
    """Return the browser of folders, which the page's script fills in and opens."""
    return elements.page(_FILE, "browser")
