"""Writes pictures with their infotext."""

from __future__ import annotations

import datetime
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
from hypernetwork_workbench.hypernetworks.base import atomic
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
            comment = picture.getexif().get_ifd(_EXIF).get(_USER_COMMENT, b"")
            of_exif = comment[_PREFIX_BYTES:].decode("utf-16-be", "ignore") if isinstance(comment, bytes) else ""
            return str(picture.info.get("parameters", of_exif)) or gr.update(), None
    except (OSError, ValueError, Image.DecompressionBombError):
        pass
    try:
        text = (data or b"").decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    return text if 0 < len(text) < _MAX_CHARACTERS else gr.update(), None
