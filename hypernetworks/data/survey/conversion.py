"""Conversion of caption files to UTF-8, as an edit that can be undone: the bytes that were there are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...base.encodings import PAGES
from ...base.errors import SettingsError
from ...base.options import Settings, setting
from ...base.outside import shown_name
from .caption_edits import Change, bytes_of
from .survey import Survey

RECOGNISED = "as recognised"
_CODECS = {
    "Japanese, Shift-JIS": "cp932",
    "Japanese, EUC-JP": "euc_jp",
    "Chinese, GBK": "gb18030",
    "Chinese, Big5": "big5",
    "Korean, CP949": "cp949",
    "Cyrillic, Windows-1251": "cp1251",
    "Western, Windows-1252": "cp1252",
}


@dataclass(frozen=True)
class ConversionSettings(Settings):
    """Which encoding caption files are taken to be in."""

    encoding: str = setting(
        RECOGNISED,
        "Encoding",
        "What the caption files are in that cannot be read; choose it where it is not recognised for certain.",
        choices=(RECOGNISED, *_CODECS),
    )


def changes_to_utf8(survey: Survey, settings: ConversionSettings) -> list[Change]:
    """Return the changes that write the caption files that could not be read in UTF-8.

    Where the encoding is to be recognised, files in which it is not certain are left as they are.

    Raises:
        SettingsError: there is none to convert, or one is not in that encoding; names it.
        DatasetError: a file cannot be read.
    """
    foreign = {one.caption.path: one.caption for one in survey.scan.left_out if one.caption is not None}
    if not foreign:
        raise SettingsError("encoding", "all caption files that were found can be read; there is nothing to convert")
    chosen = _CODECS.get(settings.encoding)
    # UTF-16 without a mark and JIS are told by their bytes, and would be read in any of the others.
    codecs = ((one.path, one.codec if one.codec not in PAGES else "", one.codec) for one in foreign.values())
    known = [(path, codec) for path, marked, told in codecs if (codec := marked or chosen or told)]
    if not known:
        name = shown_name(next(iter(foreign)))
        raise SettingsError("encoding", f"choose it here, since it is not certain for {name}")
    return [_change(path, codec) for path, codec in known]


def _change(path: Path, codec: str) -> Change:
    data = bytes_of(path)
    try:
        text = (data or b"").decode(codec)
    except UnicodeDecodeError:
        raise SettingsError("encoding", f"{shown_name(path)} is in another one; nothing was converted") from None
    return Change(path, data, text.encode("utf-8"))
