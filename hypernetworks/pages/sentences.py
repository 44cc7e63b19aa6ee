"""Sentences as HTML: results, errors, remarks, and the progress of a job."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from . import elements

_FILE = "sentences.html"
_NONE = Markup()
_OR_SET = re.compile(r", or set (\w+)")
#: A caption whose encoding is known, so that it can be converted.
_CONVERTIBLE = re.compile(
    r"(\bit is (?:not UTF-8 but|not UTF-8 and may be|“[^”]*” in UTF-8, but) .*?; save it as UTF-8)\)", re.DOTALL
)
_OFFER = "“Convert to UTF-8” in the tab Dataset does that for all of them"


def in_page_words(reason: str, labels: Mapping[str, str]) -> str:
    """Return a reason, which names settings as files and the HTTP API do, with what one does in a page.

    Args:
        labels: those of the form, by the name of the setting.
    """

    def ticked(found: re.Match[str]) -> str:
        label = labels.get(found[1])
        return f", or tick “{label}”" if label else found[0]

    return _CONVERTIBLE.sub(lambda found: f"{found[1]}, {_OFFER})", _OR_SET.sub(ticked, reason))


def done(*sentences: str, chart: Markup = _NONE) -> str:
    """Return results, one per line, with a chart below them."""
    return elements.page(_FILE, "done", sentences, chart)


def unsure(*sentences: str, chart: Markup = _NONE) -> str:
    """Return an outcome that tells nothing for sure, one sentence per line, with a chart below them."""
    return elements.page(_FILE, "unsure", sentences, chart)


def found_rate(*sentences: str, chart: Markup, rates: Mapping[str, str]) -> str:
    """Return learning rates that were found, with a button that enters them.

    Args:
        rates: by the field of the form, such as `schedule_rate`.
    """
    entered = json.dumps(rates, ensure_ascii=False)
    return elements.page(_FILE, "found_rate", sentences, chart, entered, len(rates) > 1)


def ended(sentence: str, task: str) -> str:
    """Return a sentence on the end of a run for the page's script, out of sight; `task` is the run's for the host."""
    return elements.page(_FILE, "ended", sentence, task)


def link(words: str, address: str) -> str:
    """Return a sentence that ends with an address to open."""
    return elements.page(_FILE, "link", words, address)


def refused(sentences: Sequence[str]) -> str:
    """Return errors as a list; an empty text where there are none."""
    return elements.page(_FILE, "refused", sentences)


def is_refusal(html: str) -> bool:
    """Tell whether a text of this module is what `refused` gives."""
    return "hnw-errors" in html


def refused_by_host(sentences: Sequence[str]) -> str:
    """Return errors as the WebUI's own pages show them."""
    return elements.page(_FILE, "refused_by_host", sentences)


def note(sentence: str, chart: Markup = _NONE) -> str:
    """Return a remark, below the chart that it is about."""
    return elements.page(_FILE, "note", sentence, chart)


def paragraph(sentence: str) -> str:
    """Return a sentence without a style of its own."""
    return elements.page(_FILE, "paragraph", sentence)


def plain(words: str) -> str:
    """Return text for an element that the page styles."""
    return elements.page(_FILE, "plain", words)


def progress(words: str, chart: Markup) -> str:
    """Return the progress of a job, with the chart of its run below."""
    return elements.page(_FILE, "progress", words, chart)


def run(words: str, is_paused: bool, chart: Markup) -> str:
    """Return the progress of a run, with its chart below; the page's script finds out from it whether one goes on."""
    return elements.page(_FILE, "run", words, is_paused, chart)


def waiting(sentence: str, task: str, can_be_let_in: bool) -> str:
    """Return what a job waits for, with a button that lets the job of `task` in, where it can be."""
    return elements.page(_FILE, "waiting", sentence, task, can_be_let_in)
