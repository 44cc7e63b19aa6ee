"""Writes pictures with their infotext."""

from __future__ import annotations

import datetime
import re
from io import BytesIO
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks.base import atomic
from PIL import Image, PngImagePlugin

from modules import script_callbacks, shared


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
