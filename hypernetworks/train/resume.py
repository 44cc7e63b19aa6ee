"""What Continue starts from, whether there is anything left to do, and how a run makes way for a new one."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .. import files
from ..base.atomic import write_text
from ..base.errors import HypernetworkFileError, RunEndedError, SettingsError, TrainingError
from ..embedding import files as embedding_files
from ..network.hypernetwork import Metadata
from .origin import Origin
from .paths import OutputPaths
from .records import RunRecord, read_record
from .settings.job import Job
from .settings.job_file import job_text
from .settings.output import EARLIER
from .state_file import SavedRun, newest_state, read_state, state_of
from .tracking import sheet

_log = logging.getLogger(__name__)

_NO_RECORD = "An older version saved the state: whether pictures or settings have changed since then is not known."


def state_to_resume(job: Job, paths: OutputPaths, end_step: int) -> SavedRun:
    """Return the saved state of the run to continue, or to finish where all steps are done and a result is missing.

    Raises:
        HypernetworkFileError: no saved state can be read.
        SettingsError: the state was made with another optimizer, or the file of the name is of something else, or
            newer.
        RunEndedError: the run has ended and all its results are there.
        TrainingError: there is no state.
    """
    saved = newest_state(paths.states())
    if saved is None:
        raise TrainingError(f"there is no saved state of {job.output.name} to continue from")
    if saved.optimizer_name != job.optimizer.name:
        raise SettingsError("optimizer.name", f"the saved state was made with {saved.optimizer_name}; set it as it was")
    found = {path: _metadata(path, path in paths.embeddings) for path in paths.results}
    for path, metadata in found.items():
        if metadata is not None and not _is_of(saved, metadata):
            _check_may_replace(path, job, paths)
    if saved.step < end_step:
        return saved
    step = saved.first_step + saved.step
    is_saved = all(one is not None and _is_of(saved, one) and one.step == step for one in found.values())
    if is_saved and (not job.makes_sheet or sheet.is_of(paths.sheet, saved.run, saved.step)):
        raise RunEndedError(f"the run has ended at step {saved.step} already; raise train.max_steps to continue")
    return saved


def _check_may_replace(path: Path, job: Job, paths: OutputPaths) -> None:
    """Check that the run may replace a file that is not its own, such as the one that it began from.

    Raises:
        SettingsError: it may not; says what to do.
    """
    if not job.output.overwrite:
        reason = f"{path} is not of the run to continue; move it away, or set output.overwrite"
        raise SettingsError("output.name", reason)
    if paths.is_newer(path) and not job.output.resume_changed:
        reason = (
            f"{path.name} was made anew after the run to continue, which would replace it; "
            "start a new run, or set output.resume_changed to replace it"
        )
        raise SettingsError("output.resume_changed", reason)


def changes_since(saved: SavedRun, now: Origin, job: Job, end_step: int) -> tuple[str, ...]:
    """Return sentences on what is different from when `saved` was written.

    Raises:
        SettingsError: with it the run will not end as one without a break, and the settings do not agree to that.
    """
    if saved.origin is None:
        return (_NO_RECORD,)
    changes = saved.origin.changes(now)
    breaking = [change.text for change in changes if change.breaks]
    if breaking and saved.step < end_step and not job.output.resume_changed:
        reason = (
            f"since the state was saved this has changed: {'; '.join(breaking)}; "
            "the result will be another than without a break; set output.resume_changed to continue all the same"
        )
        raise SettingsError("output.resume_changed", reason)
    return tuple(f"Changed since the state was saved: {change.text}." for change in changes)


def _is_of(saved: SavedRun, metadata: Metadata) -> bool:
    return not saved.run or metadata.training.get("run") == saved.run


def _metadata(path: Path, is_embedding: bool) -> Metadata | None:
    """Return the metadata of a result of the run; None where there is none that can be read."""
    if not path.exists():
        return None
    try:
        return embedding_files.read(path).metadata if is_embedding else files.load(path).metadata
    except HypernetworkFileError:
        return None


def make_way(folder: Path, network_dir: Path, embedding_dir: Path | None = None) -> str:
    """Give the run of a folder another name, so that a later one replaces none of its log, pictures and copies.

    Its network stays, for the later run to replace at its end; its state goes along, and Continue writes the network
    from it again.

    Returns:
        The other name; empty where no run of this folder came as far as its first state, or its settings cannot be
        read.

    Raises:
        SettingsError: a file cannot be moved; all are where they were.
    """
    try:
        record = read_record(folder, network_dir, embedding_dir)
    except SettingsError as error:
        _log.warning("What an earlier run has left in %s keeps its name: %s", folder.name, error)
        return ""
    if record is None or not _came_far(record):
        return ""
    new = _free(record.paths)
    try:
        _move(record, new)
    except (OSError, HypernetworkFileError) as reason:
        why = (reason.strerror if isinstance(reason, OSError) else None) or reason
        sentence = (
            f"the earlier run in {folder} cannot be kept as {new.folder.name} ({why}); "
            "close what has its files open or make room, or choose another name"
        )
        raise SettingsError("output.name", sentence) from reason
    return new.folder.name


def _came_far(record: RunRecord) -> bool:
    """Tell whether a run has left more than what it was killed at: a state, its end, or copies where it saves none."""
    return record.is_resumable or record.is_finished or (record.steps > 0 and not record.job.output.save_state)


def _free(old: OutputPaths) -> OutputPaths:
    """Return the files of the first of `night-earlier`, `night-earlier-2` ... that neither run nor network has."""
    number, name = 1, old.folder.name + EARLIER
    while (new := old.named(name)).is_known:
        number += 1
        name = f"{old.folder.name}{EARLIER}-{number}"
    return new


def _move(record: RunRecord, new: OutputPaths) -> None:
    """Move all files of a run, or none; raises OSError or HypernetworkFileError."""
    job = replace(record.job, output=replace(record.job.output, name=new.folder.name))
    new.folder.mkdir()
    with contextlib.ExitStack() as undo:
        undo.callback(_drop, new)
        write_text(new.job, job_text(job))
        for source, target in (*record.paths.moves_to(new), *_state_to_move(record, new)):
            shutil.move(source, target)  # the state beside a network may be on another disk
            undo.callback(_move_back, target, source)
        record.paths.job.unlink()
        undo.pop_all()


def _state_to_move(record: RunRecord, new: OutputPaths) -> Iterator[tuple[Path, Path]]:
    """Yield the state beside the result, with its place as that of a run that was cut short: Continue finds both."""
    old, state = record.paths, record.paths.state_beside
    if state is None or record.name != old.folder.name:  # a copied folder has the result of another run
        return
    if not old.is_of_words or _name_in(state) == record.name:
        yield state, new.running if not old.running.exists() else state_of(new.folder / new.network.name)


def _name_in(state: Path) -> str:
    """Return the name of the run that wrote a state; empty where that cannot be told."""
    try:
        origin = read_state(state).origin
    except HypernetworkFileError:
        return ""
    return str(origin.settings.get("output.name", "")) if origin else ""


def _move_back(target: Path, source: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.move(target, source)


def _drop(new: OutputPaths) -> None:
    """Take the settings and the folder away; one that still holds a file stays."""
    with contextlib.suppress(OSError):
        new.job.unlink(missing_ok=True)
        new.folder.rmdir()
