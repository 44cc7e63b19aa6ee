"""Writes pictures with their infotext."""

from __future__ import annotations

import datetime
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
from hypernetwork_workbench.hypernetworks.base import atomic, encodings
from PIL import Image, PngImagePlugin

from modules import script_callbacks, shared

_MAX_CHARACTERS = 10_000
#: Where JPEG and WebP keep the infotext, behind the name of its encoding.
_EXIF, _USER_COMMENT, _PREFIX_BYTES = 0x8769, 0x9286, 8


def save_image(image: Image.Image, path: str, seed: int, info: str, p: Any) -> str:
    """Write a PNG, NUMBER-SEED.png in today's folder below `path`, whole or not at all, and return its path.

    Raises HypernetworkFileError if the disk refuses.
    """
    folder = Path(path, datetime.date.today().isoformat())
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(match[0]) for file in folder.iterdir() if (match := re.match(r"\d+", file.name))]
    filename = str(folder / f"{max(numbers, default=-1) + 1:05}-{seed}.png")
    texts = {"parameters": info} if shared.opts.enable_pnginfo else {}
    params = script_callbacks.ImageSaveParams(image, p, filename, texts)
    script_callbacks.before_image_saved_callback(params)
    chunks, buffer = PngImagePlugin.PngInfo(), BytesIO()
    for key, text in params.pnginfo.items():
        chunks.add_text(key, str(text))
    params.image.save(buffer, format="PNG", pnginfo=chunks)
    atomic.write_bytes(params.filename, buffer.getvalue())
    params.image.already_saved_as = params.filename
    script_callbacks.image_saved_callback(params)
    return params.filename


def image_data(data: bytes | None) -> tuple[Any, None]:
    """Return the infotext of a picture or text file dropped on the prompt, and nothing for the file's own component."""
    try:
        with Image.open(BytesIO(data or b"")) as picture:
            comment = picture.getexif().get_ifd(_EXIF).get(_USER_COMMENT) or picture.info.get("comment", b"")
            of_exif = _commented(comment) if isinstance(comment, bytes) else str(comment)
            return str(picture.info.get("parameters", of_exif)) or gr.update(), None
    except (OSError, ValueError, Image.DecompressionBombError):
        pass
    try:
        text = encodings.decode(data or b"")
    except encodings.UnfitTextError:
        text = ""
    return text if 0 < len(text) < _MAX_CHARACTERS else gr.update(), None


def _commented(comment: bytes) -> str:
    """Return the text of a comment in a JPEG, WebP or GIF, without the name of its encoding."""
    name, rest = comment[:_PREFIX_BYTES].rstrip(b"\0"), comment[_PREFIX_BYTES:]
    if name == b"UNICODE":
        # Programs write either order of bytes. In an infotext there are blanks, and characters like U+2000 are rare.
        is_little = rest[::2].count(b" ") > rest[1::2].count(b" ")
        return rest.decode("utf-16-le" if is_little else "utf-16-be", "ignore")
    if name == b"JIS":
        return rest.decode("cp932", "ignore")
    return (rest if name in (b"", b"ASCII") else comment).decode("utf-8", "ignore")
