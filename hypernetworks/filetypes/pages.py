"""Web pages in place of a network, and what websites answer in place of a file."""

from __future__ import annotations

import codecs
import html
import json
import re
from collections.abc import Mapping
from typing import Any

from .kind import Kind

_SHOWN = 60
_ITSELF = "open its page in the browser, and download the file itself"
_SIGN_IN = "sign in on the website, or add your API key to the address, and download it again"
_CONFIRM = "open its page in the browser, confirm what it asks, and download the file itself"
_GONE_ADVICE = "its address is wrong, or it was taken away; look for it on its page"
_LATER = "wait a while, and download it again"

_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body|script|meta|title|center|h1)\b",
    re.IGNORECASE | re.DOTALL,
)
_TITLE = re.compile(r"<title\b[^>]{0,300}>(.{1,300}?)</title\b", re.IGNORECASE | re.DOTALL)
_BYTE_ORDERS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_HOSTS = r"mega\.nz|mediafire|dropbox|onedrive|pixeldrain|gofile|terabox|pan\.baidu|pan\.quark"
#: The websites that people download networks from, by what their pages have in them, with what to do there.
_SITES: tuple[tuple[str, str, str], ...] = (
    (r"cloudflare|just a moment", "Cloudflare", _CONFIRM),
    (r"civitai", "Civitai", _SIGN_IN),
    (
        r"hugging ?face|hf\.co",
        "Hugging Face",
        "press the arrow for downloading there, or write resolve for blob in its address",
    ),
    (r"github", "GitHub", "press Download raw file there, or write raw for blob in its address"),
    (r"drive\.google|google drive", "Google Drive", _CONFIRM),
    (r"modelscope", "ModelScope", "press the button for downloading there"),
    (_HOSTS, "a file host", _CONFIRM),
)

_LOGIN = re.compile(
    r"unauthori[sz]ed|log ?in|sign ?in|api.?key|token|forbidden|permission|credential|username|gated|restricted"
    r"|access denied|authenticat|40[13]\b",
    re.IGNORECASE,
)
_GONE = re.compile(r"not ?found|no such|does ?n.t exist|404\b|410\b|deleted|removed", re.IGNORECASE)
_BUSY = re.compile(r"too many|rate.?limit|quota|429\b|50[0234]\b|timed? ?out|unavailable|try again", re.IGNORECASE)
_ANSWER_KEYS = ("error", "errors", "message", "detail", "error_description", "code", "status", "statusCode")
#: What a website says in place of a file; no longer text is one.
_ANSWER = re.compile(
    r"(?:\d{3}[ :]|error\b|unauthori[sz]ed|forbidden|invalid|access (?:to|denied)|(?:entry |repository |page |file )?"
    r"not found|too many|bad request|you must|please (?:log|sign)|service unavailable|internal server)",
    re.IGNORECASE,
)
_LONGEST_ANSWER = 600


def kind_of(head: bytes) -> Kind | None:
    """Return the kind of a web page that begins with `head`; None where it is none."""
    encoding = _BYTE_ORDERS.get(head[:2])
    plain = head.decode(encoding, "ignore").encode() if encoding else head
    if not _PAGE.match(plain.removeprefix(codecs.BOM_UTF8)):
        return None
    text = plain.decode("utf-8", "replace")
    title = _TITLE.search(text)
    shown = _short(html.unescape(title[1])) if title else ""
    # A title says more than the links that stand in every page.
    for place in (shown, text):
        for pattern, site, advice in _SITES:
            if re.search(pattern, place, re.IGNORECASE):
                return Kind(f"a web page of {site}", advice)
    return Kind(f"a web page (“{shown}”)" if shown else "a web page", _ITSELF)


def kind_of_answer(text: str) -> Kind | None:
    """Return the kind of a short text, where it is what a website says in place of a file; else None."""
    return _answer(text) if len(text) <= _LONGEST_ANSWER and _ANSWER.match(text) else None


def kind_of_table(table: Mapping[str, Any]) -> Kind | None:
    """Return the kind of a table in JSON, where it is what a website says in place of a file; else None."""
    said = [table[key] for key in _ANSWER_KEYS if key in table]
    return _answer(" ".join(one if isinstance(one, str) else json.dumps(one) for one in said)) if said else None


def _answer(words: str) -> Kind:
    advice = next((told for pattern, told in _ANSWERS if pattern.search(words)), _ITSELF)
    return Kind(f"the answer of a website (“{_short(words)}”)", advice)


_ANSWERS = ((_LOGIN, _SIGN_IN), (_GONE, _GONE_ADVICE), (_BUSY, _LATER))


def _short(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]
