"""The before-and-after sheet: the same prompts and seeds at strength 0, 0.5 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..network import Hypernetwork
from ..ports import PictureRequest, Previewer
from .callbacks import save_picture

ROWS = 6
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
            canvas.paste(_enlarged(picture), (_column(column), _row(row)))
    for column, request in enumerate(requests):
        caption = _shortened(request.prompt, _CELL_PX, _font(11))
        draw.text((_column(column), _row(len(STRENGTHS)) - _HEAD_PX), caption, fill="black", font=_font(11))
    save_picture(canvas, path)
    return path


def _column(index: int) -> int:
    return _GAP_PX + index * (_CELL_PX + _GAP_PX)


def _row(index: int) -> int:
    return _HEAD_PX + index * (_CELL_PX + _HEAD_PX)


def _enlarged(picture: Image.Image) -> Image.Image:
    """Fits the picture into its cell; small ones keep their pixels sharp."""
    scale = min(_CELL_PX / picture.width, _CELL_PX / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    filter_ = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    fitted = picture.resize(size, filter_)
    cell = Image.new("RGB", (_CELL_PX, _CELL_PX), "white")
    cell.paste(fitted, ((_CELL_PX - size[0]) // 2, (_CELL_PX - size[1]) // 2))
    return cell


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _shortened(text: str, width_px: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, or as much of its start as fits."""
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(text + "…") > width_px:
        text = text[:-1]
    return text + "…"
