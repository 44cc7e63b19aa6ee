"""What the tab Runs shows of a run: its place in the list, its curves and its pictures."""

from __future__ import annotations

import base64
import io
import time

from PIL import Image

from ....hypernetworks.pages.runs import Card, Compared
from ....hypernetworks.train.records import RunRecord
from ....hypernetworks.train.tracking import sheet
from ...runs.run import PAUSED, Run, runs
from ...runs.saved import id_of

_THUMBNAIL_PX = 192
_QUALITY = 85


def card(record: RunRecord) -> Card:
    """Return what the list shows of a run."""
    active = _active(record)
    return Card(
        id=id_of(record),
        name=record.name,
        state=_state(record, active),
        steps=active.done if active else record.steps,
        total=active.total if active else record.total,
        loss=_number(record.loss),
        validation=_number(record.validation),
        date=time.strftime("%Y-%m-%d %H:%M", time.localtime(record.changed)),
        picture=_thumbnail(record),
    )


def compared(record: RunRecord) -> Compared:
    """Return what a comparison shows of a run."""
    loss, validation = record.curves()
    cells = [] if record.sheet is None else [(_uri(one), _uri(two)) for one, two in sheet.cells(record.sheet)]
    return Compared(record.name, loss, validation, cells)


def _active(record: RunRecord) -> Run | None:
    run = runs.active
    if run is None or run.job is None or run.job.output.name != record.name:
        return None
    return run if run.job.output.dir == record.job.output.dir else None


def _state(record: RunRecord, active: Run | None) -> str:
    if active is not None:
        return "paused" if active.state == PAUSED else "running"
    if record.is_finished:
        return "finished"
    return "stopped" if record.is_resumable else "ended"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _thumbnail(record: RunRecord) -> str:
    """Return the newest picture of a run as a data URI: its last preview, else the last row of its sheet."""
    if record.newest_preview is not None:
        try:
            with Image.open(record.newest_preview) as picture:
                return _uri(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError):  # broken: the sheet may be whole
            pass
    found = sheet.cells(record.sheet) if record.sheet else []
    return _uri(found[0][1]) if found else ""


def _uri(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
