"""The before-and-after sheet: the same prompts and seeds at strength 0, 0.5 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..data.dataset import Dataset
from ..network import Hypernetwork
from ..ports import PictureRequest, Previewer
from ..settings import Job
from .pictures import save_picture
from .strip import fitted

COLUMNS = 6
STRENGTHS = (0.0, 0.5, 1.0)
_CELL_PX = 192
_GAP_PX = 8
_HEAD_PX = 28
_FOOT_PX = 20


def write(requests: Sequence[PictureRequest], network: Hypernetwork, previewer: Previewer, path: Path) -> Path:
    """Makes a column for each request and a row for each of `STRENGTHS`, and saves them as one PNG."""
    columns = len(requests)
    canvas = Image.new("RGB", (_column(columns), _row(len(STRENGTHS)) + _FOOT_PX), "white")
    draw = ImageDraw.Draw(canvas)
    for row, strength in enumerate(STRENGTHS):
        draw.text((_GAP_PX, _row(row) - _HEAD_PX + 8), f"strength {strength:g}", fill="black", font=_font(14))
        for column, picture in enumerate(previewer.generate(requests, network, strength)):
            canvas.paste(fitted(picture, _CELL_PX), (_column(column), _row(row)))
    for column, request in enumerate(requests):
        caption = _shortened(request.prompt, _CELL_PX, _font(11))
        draw.text((_column(column), _row(len(STRENGTHS)) - _HEAD_PX), caption, fill="black", font=_font(11))
    save_picture(canvas, path)
    return path


def requests(job: Job, dataset: Dataset, previews: Sequence[PictureRequest]) -> list[PictureRequest]:
    """What the sheet shows: the prompts of the previews where a person chose them, then captions of the dataset."""
    chosen = list(previews) if job.preview.prompt or job.preview.prompt_file else []
    captions = sorted({sample.caption for sample in dataset.samples} - {request.prompt for request in chosen})
    base = previews[0]
    more = [replace(base, prompt=text, seed=base.seed + number) for number, text in enumerate(captions)]
    return (chosen + more)[:COLUMNS]


def _column(index: int) -> int:
    return _GAP_PX + index * (_CELL_PX + _GAP_PX)


def _row(index: int) -> int:
    return _HEAD_PX + index * (_CELL_PX + _HEAD_PX)


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _shortened(text: str, width_px: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, or as much of its start as fits."""
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(text + "…") > width_px:
        text = text[:-1]
    return text + "…"
