"""What a start and Continue would do with the form as it is, told before they are pressed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ....hypernetworks import files
from ....hypernetworks.base.errors import HypernetworkFileError, SettingsError
from ....hypernetworks.files import listing
from ....hypernetworks.network.hypernetwork import Metadata
from ....hypernetworks.pages.sentences import note
from ....hypernetworks.train.records import RunRecord
from ...model import lookup
from ...runs import saved
from ...runs.job import trains_words_alone

#: Read again where they change; one form names one network at a time.
_KEPT = 8


def before_continue(tables: saved.Tables) -> str:
    """Return what the form has otherwise than the run that goes on, in a sentence for the time of the run."""
    try:
        found = saved.of_form(tables)
        if found is None:
            return ""
        kept = saved.unused_sentence(saved.differing(found, tables), saved.job_to_continue(found, tables))
    except SettingsError:
        return ""  # told by the run itself
    return note(kept) if kept else ""


def coming(tables: saved.Tables) -> str:
    """Return what a start would go on learning with, and which run Continue would go on with, where there is any."""
    return _start(tables) + _continue(tables)


def _start(tables: saved.Tables) -> str:
    name = tables["network"]["file"] or ""
    path = None if trains_words_alone(tables) or not name else listing.find(lookup.listed(name), name)
    known = _metadata(Path(path)) if path else None
    if known is None or not known.step:
        return ""
    return note(f"Start training begins a new run with {name}, which has learnt for {known.step} steps already.")


def _continue(tables: saved.Tables) -> str:
    try:
        found = saved.of_form(tables)
        if found is None or not found.is_resumable:
            return ""
        if _is_made_anew(found):
            return note(f"{found.paths.network.name} was made anew after the run {found.name}.")
        job = saved.job_to_continue(found, tables)
        total = job.steps(found.steps_per_epoch or 1)
    except SettingsError:
        return ""  # told by the fields, and by Continue itself
    if found.steps >= total:
        return note(f"The run {found.name} has done all of its {total} steps; raise “Steps” to continue it.")
    kept = saved.unused_sentence(saved.differing(found, tables), job)
    goes_on = f"Continue goes on with the run {found.name}, from step {found.steps} of {total}."
    if found.is_finished:
        goes_on = (
            f"The run {found.name} has done its {found.steps} steps; Continue goes on to {total}, as “Steps” says."
        )
    return note(goes_on) + (note(kept) if kept else "")


def _is_made_anew(record: RunRecord) -> bool:
    """Tell whether a network took the place of that of a run; Continue looks closer."""
    network = record.paths.network
    if not network.is_file() or not record.paths.is_newer(network):
        return False
    known = _metadata(network)
    return known is not None and not known.training.get("run")


def _metadata(path: Path) -> Metadata | None:
    """Return what the file of a network tells of it; None where it cannot be read."""
    try:
        found = path.stat()
        return _read(str(path), found.st_mtime_ns, found.st_size)
    except OSError:
        return None


@lru_cache(maxsize=_KEPT)
def _read(path: str, _changed_ns: int, _bytes: int) -> Metadata | None:
    try:
        return files.load(path).metadata
    except HypernetworkFileError:
        return None  # told by the run
