"""Writes pictures with their infotext and reads it back."""

from __future__ import annotations

import datetime
import json
import math
import re
from io import BytesIO
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks import atomic
from PIL import Image, PngImagePlugin

from modules import script_callbacks, shared


def image_grid(imgs: list[Image.Image], batch_size: int = 1, rows: int | None = None) -> Image.Image:
    """The pictures as one, in about as many rows as columns."""
    rows = min(rows or round(math.sqrt(len(imgs))) or 1, len(imgs))
    columns = math.ceil(len(imgs) / rows)
    width, height = (max(size) for size in zip(*(img.size for img in imgs), strict=True))
    grid = Image.new("RGB", (columns * width, rows * height), "black")
    for number, img in enumerate(imgs):
        grid.paste(img, (number % columns * width, number // columns * height))
    return grid


def _png_bytes(image: Image.Image, texts: dict[str, Any]) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, str(text))
    buffer = BytesIO()
    image.save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def get_next_sequence_number(path: str, basename: str) -> int:
    """One more than the highest number that a picture in the folder starts with."""
    pattern = re.compile(rf"{re.escape(basename + '-') if basename else ''}(\d+)")
    numbers = [int(match[1]) for file in Path(path).iterdir() if (match := pattern.match(file.name))]
    return max(numbers, default=-1) + 1


def save_image(
    image: Image.Image,
    path: str,
    basename: str = "",
    seed: int | None = None,
    prompt: str | None = None,
    extension: str = "png",
    **more: Any,
) -> tuple[str, None]:
    """Writes a PNG whole or not at all; returns its path.

    `info` is the infotext, `p` the job, `forced_filename` a name without extension, `existing_info` more PNG texts,
    `save_to_dirs` a folder per day. Raises HypernetworkFileError if the disk refuses.
    """
    if extension.lower() != "png":
        raise ValueError(f"Pictures are written as PNG only, not as {extension}.")
    folder = Path(path)
    if more.get("save_to_dirs"):
        folder /= datetime.date.today().isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    name = more.get("forced_filename")
    if name is None:
        parts = [basename, f"{get_next_sequence_number(str(folder), basename):05}", "" if seed is None else str(seed)]
        name = "-".join(part for part in parts if part)
    texts = dict(more.get("existing_info") or {})
    if more.get("info") is not None and shared.opts.enable_pnginfo:
        texts[more.get("pnginfo_section_name", "parameters")] = more["info"]
    params = script_callbacks.ImageSaveParams(image, more.get("p"), str(folder / f"{name}.png"), texts)
    script_callbacks.before_image_saved_callback(params)
    atomic.write_bytes(params.filename, _png_bytes(params.image, params.pnginfo))
    params.image.already_saved_as = params.filename
    script_callbacks.image_saved_callback(params)
    return params.filename, None


def read_info_from_image(image: Image.Image) -> tuple[str | None, dict[str, Any]]:
    """The infotext of a picture, None if it has none, and its other texts."""
    items = dict(image.info)
    infotext = items.pop("parameters", None)
    for key in ("dpi", "gamma", "icc_profile", "exif", "transparency", "interlace"):
        items.pop(key, None)
    return infotext, items


def to_json(value: Any) -> str:
    """JSON for the page, with anything else as text."""
    return json.dumps(value, ensure_ascii=False, default=str)
