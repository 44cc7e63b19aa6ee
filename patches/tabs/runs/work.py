"""The work behind the tab Runs: which runs there are, what is shown of them, and the settings to continue one with."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from ....hypernetworks.base.errors import SettingsError
from ....hypernetworks.jobs.train_entry import LABELS
from ....hypernetworks.pages.runs import Card, Compared
from ....hypernetworks.train import records
from ....hypernetworks.train.records import RunRecord
from ....hypernetworks.train.settings.job import Job
from ....hypernetworks.train.tracking import sheet
from ...model import host
from ...runs import folders
from ...runs.run import PAUSED, Run, runs

_SHOWN = 200
_THUMBNAIL_PX = 144
_QUALITY = 85
Tables = Mapping[str, Mapping[str, Any]]


def all_runs() -> list[RunRecord]:
    """Return the runs, the one that was written last first."""
    return records.records(dict.fromkeys(folders.found()), host.network_dir())[:_SHOWN]


def chosen(ids: str) -> list[RunRecord]:
    """Return the runs of these ids, one a line.

    Raises:
        SettingsError: none is chosen, or one is gone.
    """
    known = {id_of(record): record for record in all_runs()}
    wanted = list(dict.fromkeys((ids or "").splitlines()))
    if not wanted:
        raise SettingsError("Runs", "choose a run first")
    if missing := [one for one in wanted if one not in known]:
        raise SettingsError("Runs", f"there is no run in {missing[0]} any more; refresh the list")
    return [known[one] for one in wanted]


def id_of(record: RunRecord) -> str:
    """Return what tells a run from the others."""
    return str(record.paths.folder)


def of_name(name: str, folder: str) -> RunRecord | None:
    """Return the run of a network's name, in a folder that was named or in the host's; None where there is none."""
    if not name or Path(name).name != name:
        return None
    return records.read_record((Path(folder) if folder else folders.log_dir()) / name, host.network_dir())


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


def differing(record: RunRecord, form: Tables) -> list[tuple[str, str, Any, Any]]:
    """Return address, label, value of the run and value of the form where a form is not as a run."""
    found = records.differences(record.job, comparable(form))
    return [(address, LABELS[address], _word(run), _word(entered)) for address, (run, entered) in found.items()]


def comparable(form: Tables) -> Tables:
    """Return the tables of a form as a job would have them, as far as they can be read."""
    try:
        filled = {name: dict(table) for name, table in form.items()}
        filled["output"] = {**filled["output"], "name": filled["output"].get("name") or "unnamed"}
        return Job.from_mapping({**filled, "network": {}}).to_mapping()
    except SettingsError:
        return form


def job_to_continue(record: RunRecord, form: Tables, taken: Sequence[str] = ()) -> Job:
    """Return the settings to continue a run with: its own, and those of the form at the addresses in `taken`.

    Whether changed pictures are agreed to is a question of the moment, and so always the form's. Where all steps are
    done, the form's number of steps is taken if it is more: there would be nothing to continue otherwise.

    Raises:
        SettingsError: a value of the form that is taken is wrong.
    """
    now = comparable(form)
    more = now["train"]["max_steps"]
    goes_further = record.is_finished and isinstance(more, int) and more > record.job.train.max_steps
    job = records.changed(record.job, [*taken, *(["train.max_steps"] if goes_further else [])], now)
    agreed = bool(form["output"].get("resume_changed"))
    return replace(job, output=replace(job.output, resume_changed=agreed or job.output.resume_changed))


def unused_sentence(differences: Iterable[tuple[str, str, Any, Any]], job: Job) -> str:
    """Return a sentence on what the form has otherwise than the run that goes on; empty where nothing."""
    tables = job.to_mapping()
    kept = [
        f"{label} {run} (the form: {form})"
        for address, label, run, form in differences
        if _word(_at(tables, address)) == run
    ]
    return f"The run goes on with its own settings, not with the form's: {'; '.join(kept)}." if kept else ""


def _at(tables: Tables, address: str) -> Any:
    section, _, key = address.partition(".")
    return tables[section][key]


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value or "empty"
    return json.dumps(value, ensure_ascii=False)


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
