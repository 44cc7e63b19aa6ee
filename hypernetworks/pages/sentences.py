"""Sentences as HTML: what a button did, what is wrong, and how far a job is."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from . import elements

_FILE = "sentences.html"
_NONE = Markup()


def done(*sentences: str, chart: Markup = _NONE) -> str:
    """Return good results, one under the other, with a chart below them."""
    return elements.page(_FILE, "done", sentences, chart)


def refused(sentences: Sequence[str]) -> str:
    """Return what is wrong as a list; nothing where nothing is."""
    return elements.page(_FILE, "refused", sentences)


def refused_by_host(sentences: Sequence[str]) -> str:
    """Return what is wrong as the WebUI's own pages show it."""
    return elements.page(_FILE, "refused_by_host", sentences)


def note(sentence: str, chart: Markup = _NONE) -> str:
    """Return a remark, under the chart that it is about."""
    return elements.page(_FILE, "note", sentence, chart)


def paragraph(sentence: str) -> str:
    """Return a sentence without a look of its own."""
    return elements.page(_FILE, "paragraph", sentence)


def plain(words: str) -> str:
    """Return words for a place that has its look from the page."""
    return elements.page(_FILE, "plain", words)


def progress(words: str, chart: Markup) -> str:
    """Return how far a job is, with the chart of its run below."""
    return elements.page(_FILE, "progress", words, chart)
