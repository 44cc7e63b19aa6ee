"""The strip of previews: the same prompts and seeds at successive moments of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from ...base.pillow import label_font

CELL_PX = 192
FOOT_PX = 20
#: Moments per line; a longer strip continues below, so that it can be seen as a whole.
LINE = 8
_MOMENTS = 24


def draw_strip(moments: Sequence[tuple[int, Sequence[Path]]]) -> Image.Image:
    """Draw a column for each moment, or for some of a long run, with a row for each prompt and the step below.

    Args:
        moments: optimizer step and pictures, one for each prompt, in order.
    """
    last = len(moments) - 1
    chosen = [moments[index] for index in sorted({round(i * last / (_MOMENTS - 1)) for i in range(_MOMENTS)})]
    chosen = chosen if len(moments) > _MOMENTS else list(moments)
    rows = max(len(pictures) for _, pictures in chosen)
    line_px = rows * CELL_PX + FOOT_PX
    size = (CELL_PX * min(len(chosen), LINE), line_px * -(-len(chosen) // LINE))
    canvas = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(canvas), label_font(12)
    for number, (step, pictures) in enumerate(chosen):
        left, top = number % LINE * CELL_PX, number // LINE * line_px
        for row, path in enumerate(pictures):
            with Image.open(path) as picture:
                canvas.paste(fitted(picture.convert("RGB"), CELL_PX), (left, top + row * CELL_PX))
        middle = (left + CELL_PX // 2, top + rows * CELL_PX + FOOT_PX // 2)
        draw.text(middle, f"step {step}", fill="black", font=font, anchor="mm")
    return canvas


def fitted(picture: Image.Image, cell_px: int) -> Image.Image:
    """Return the picture within a white square; small ones keep their pixels sharp."""
    scale = min(cell_px / picture.width, cell_px / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    resampling = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    cell = Image.new("RGB", (cell_px, cell_px), "white")
    cell.paste(picture.resize(size, resampling), ((cell_px - size[0]) // 2, (cell_px - size[1]) // 2))
    return cell
