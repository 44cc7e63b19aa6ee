"""Captions: the text beside a picture, or the words of its file name, put into a template."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import DatasetError

_LEADING_NUMBER = re.compile(r"^[-\d]+[\s_-]*")


def read_caption(picture: Path) -> str:
    """The text of the `.txt` beside `picture`, else the words of its file name.

    Raises:
        DatasetError: the text file cannot be read as UTF-8.
    """
    beside = picture.with_suffix(".txt")
    if not beside.is_file():
        return _LEADING_NUMBER.sub("", picture.stem).replace("_", " ").strip()
    try:
        return " ".join(beside.read_text(encoding="utf-8-sig").split())
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{beside.name}: the caption cannot be read as UTF-8 text ({error})") from error


def fill_template(template: str, caption: str, name: str) -> str:
    """The template with `[filewords]` and `[name]` replaced."""
    return template.replace("[filewords]", caption).replace("[name]", name)
