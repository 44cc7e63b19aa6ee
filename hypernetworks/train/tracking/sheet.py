"""The before-and-after sheet: the same prompts and seeds at strength 0, 0.5 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from ...base import lettering
from ...base.atomic import write_bytes
from ...data.dataset import Dataset
from ...network.hypernetwork import Hypernetwork
from ...ports import PictureRequest, Previewer
from ..settings.job import Job
from .previews import save_picture
from .strip import fitted

COLUMNS = 6
STRENGTHS = (0.0, 0.5, 1.0)
_CELL_PX = 192
_GAP_PX = 8
_HEAD_PX = 28
_FOOT_PX = 12
_CAPTION_PX = 11
_LINE_PX = 14
_ORIGIN = "hypernetwork run"


def write(
    requests: Sequence[PictureRequest], network: Hypernetwork, previewer: Previewer, path: Path, origin: str = ""
) -> Path:
    """Make a column for each request and a row for each of `STRENGTHS`, save them as one PNG, and return its path.

    Where no font here has the letters of a prompt, the text file beside the sheet has all prompts.
    """
    columns = len(requests)
    canvas = Image.new("RGB", (_column(columns), _row(len(STRENGTHS)) + _FOOT_PX), "white")
    draw = ImageDraw.Draw(canvas)
    for row, strength in enumerate(STRENGTHS):
        lettering.write(draw, (_GAP_PX, _row(row) - _HEAD_PX / 2), f"strength {strength:g}", 14)
        for column, picture in enumerate(previewer.generate(requests, network, strength)):
            canvas.paste(fitted(picture, _CELL_PX), (_column(column), _row(row)))
    captions = [lettering.plain(request.prompt, _CAPTION_PX) for request in requests]
    for column, caption in enumerate(captions):
        words = f"prompt {column + 1} in {path.stem}.txt" if caption is None else caption
        for number, line in enumerate(lettering.lines(words, _CAPTION_PX, _CELL_PX)):
            middle = _row(len(STRENGTHS)) - _HEAD_PX + 8 + number * _LINE_PX
            lettering.write(draw, (_column(column), middle), line, _CAPTION_PX)
    if None in captions:
        prompts = (
            f"{number}. {' '.join(request.prompt.split())}\n" for number, request in enumerate(requests, start=1)
        )
        write_bytes(path.with_suffix(".txt"), "".join(prompts).encode(errors="replace"))
    canvas.info[_ORIGIN] = origin
    save_picture(canvas, path)
    return path


def origin(run: str, step: int) -> str:
    """Return what a sheet says of the run and the step that it shows."""
    return f"{run} {step}"


def is_of(path: Path, run: str, step: int) -> bool:
    """Tell whether there is an undamaged sheet of this step of the run; any sheet counts for a run without an id."""
    try:
        with Image.open(path) as picture:
            picture.load()
            return not run or picture.info.get(_ORIGIN) == origin(run, step)
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for a file that is missing, or broken
        return False


def cells(path: Path) -> list[tuple[Image.Image, Image.Image]]:
    """Return the pictures at strength 0 and at strength 1 of each column; none where the file is no sheet."""
    try:
        with Image.open(path) as sheet:
            whole = sheet.convert("RGB")
    except (OSError, ValueError, SyntaxError):  # as above
        return []
    count = (whole.width - _GAP_PX) // (_CELL_PX + _GAP_PX)
    rows = (0, len(STRENGTHS) - 1)
    return [(_cell(whole, column, rows[0]), _cell(whole, column, rows[1])) for column in range(min(count, COLUMNS))]


def requests(job: Job, dataset: Dataset, previews: Sequence[PictureRequest]) -> list[PictureRequest]:
    """Return the pictures of the sheet: the prompts chosen for previews, else captions of the dataset."""
    chosen = list(previews) if job.preview.prompt or job.preview.prompt_file else []
    captions = sorted({sample.caption for sample in dataset.samples} - {request.prompt for request in chosen})
    room, base = max(COLUMNS - len(chosen), 0), previews[0]
    if len(captions) > room:  # evenly from the whole list, not only neighbours in the alphabet
        captions = [captions[number * len(captions) // room] for number in range(room)]
    more = [replace(base, prompt=text, seed=base.seed + number) for number, text in enumerate(captions)]
    return [*chosen[:COLUMNS], *more]


def _cell(sheet: Image.Image, column: int, row: int) -> Image.Image:
    left, top = _column(column), _row(row)
    return sheet.crop((left, top, left + _CELL_PX, top + _CELL_PX))


def _column(index: int) -> int:
    return _GAP_PX + index * (_CELL_PX + _GAP_PX)


def _row(index: int) -> int:
    return _HEAD_PX + index * (_CELL_PX + _HEAD_PX)
