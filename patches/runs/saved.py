"""The runs on the disk: which there are, and the settings to continue one with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.base.intervals import parse_interval
from ...hypernetworks.base.options import Option, take
from ...hypernetworks.jobs.train_entry import LABELS, in_words
from ...hypernetworks.train import records
from ...hypernetworks.train.records import RunRecord
from ...hypernetworks.train.settings.job import SECTIONS, Job
from ..embedding.words import embedding_dir
from ..model import host
from . import folders
from .job import run_name

_MOST_SHOWN = 200
_KINDS = {section: {name: (kind, option) for name, kind, option in cls.options()} for section, cls in SECTIONS.items()}
#: Settings that say what may be replaced, and whether changes are agreed to.
_AGREED = ("overwrite", "resume_changed")
#: Tables of plain values, as a form has them.
Tables = Mapping[str, Mapping[str, Any]]


def all_runs() -> tuple[list[RunRecord], list[str]]:
    """Return the runs, the one that was written last first, and sentences on those that are not among them."""
    found, problems = records.records(dict.fromkeys(folders.found()), host.network_dir(), embedding_dir())
    sentences = [f"{in_words(problem)}." for problem in problems]
    if len(found) > _MOST_SHOWN:
        sentences.append(f"Older runs that are not shown: {len(found) - _MOST_SHOWN}.")
    return found[:_MOST_SHOWN], sentences


def chosen(ids: str) -> list[RunRecord]:
    """Return the runs of these ids, one a line.

    Raises:
        SettingsError: none is chosen, or one is gone or cannot be read any more.
    """
    known = {str(folder): folder for folder in folders.found()}
    wanted = list(dict.fromkeys((ids or "").splitlines()))
    if not wanted:
        raise SettingsError("Runs", "choose a run first")
    return [_run_in(one, known.get(one)) for one in wanted]


def _run_in(text: str, folder: Path | None) -> RunRecord:
    record = records.read_record(folder, host.network_dir(), embedding_dir()) if folder else None
    if record is None:
        raise SettingsError("Runs", f"there is no run in {text} any more; refresh the list")
    return record


def id_of(record: RunRecord) -> str:
    """Return what tells a run from the others."""
    return str(record.paths.folder)


def of_form(form: Tables) -> RunRecord | None:
    """Return the run that a form names, in the folder that it names or in the host's; None where there is none.

    Raises:
        SettingsError: its settings cannot be read; to go on with the form's would be another run.
    """
    name, folder = run_name(form), form["output"]["dir"]
    if not name or Path(name).name != name:
        return None
    place = Path(folder) if folder else folders.log_dir()
    return records.read_record(place / name, host.network_dir(), embedding_dir())


def differing(record: RunRecord, form: Tables) -> list[tuple[str, str, Any, Any]]:
    """Return address, label, value of the run and value of the form where a form is not as a run."""
    found = records.differences(record.job, comparable(form))
    return [(address, LABELS[address], _word(run), _word(entered)) for address, (run, entered) in found.items()]


def comparable(form: Tables) -> Tables:
    """Return the tables of a form as a job would have them; a value that cannot be read stays as it is."""
    return {
        section: {name: _read(kinds, name, value) for name, value in form.get(section, {}).items()}
        for section, kinds in _KINDS.items()
    }


def _read(kinds: Mapping[str, tuple[Any, Option]], name: str, value: Any) -> Any:
    if name not in kinds:
        return value
    try:
        read = take(name, value, *kinds[name])
    except SettingsError:  # a form that is not filled in yet; a run that takes it says so
        return value
    return list(read) if isinstance(read, tuple) else read


def job_to_continue(record: RunRecord, form: Tables, taken: Sequence[str] = ()) -> Job:
    """Return the settings to continue a run with: its own, and those of the form at the addresses in `taken`.

    Whether a file may be replaced and changes are agreed to is asked at the moment: a box that is ticked in the form
    counts as if it were in the run. Where all steps are done, the form's number of steps is taken if it is more: there
    would be nothing to continue otherwise.

    Raises:
        SettingsError: a value of the form that is taken is wrong.
    """
    now = comparable(form)
    goes_further = record.is_finished and _is_longer(now["train"], record)
    job = records.changed(record.job, [*taken, *(["train.max_steps"] if goes_further else [])], now)
    agreed: dict[str, Any] = {name: bool(form["output"].get(name)) or getattr(job.output, name) for name in _AGREED}
    return replace(job, output=replace(job.output, **agreed))


def _is_longer(entered: Mapping[str, Any], record: RunRecord) -> bool:
    """Tell whether the number of steps in a form is more than a run has."""
    length = str(entered["max_steps"])
    try:
        return parse_interval("train.max_steps", length, record.steps_per_epoch or 1) > record.total
    except SettingsError:  # a form that is not filled in yet
        return False


def unused_sentence(differences: Iterable[tuple[str, str, Any, Any]], job: Job) -> str:
    """Return a sentence on what the form has otherwise than the run that goes on; empty where nothing."""
    tables = job.to_mapping()
    kept = [
        f"{label}: {run} (the form: {form})"
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
