"""What Continue starts from, whether there is anything left to do, and how a run makes way for a new one."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path

from .. import files
from ..base.atomic import write_text
from ..base.disk import is_taken, put
from ..base.errors import HypernetworkFileError, RunEndedError, SettingsError, TrainingError
from ..base.names import ended
from ..embedding import files as embedding_files
from ..network.hypernetwork import Metadata
from .origin import Origin
from .paths import MOVING, OutputPaths, written_ns
from .records import RunRecord, read_record
from .settings.job import Job
from .settings.job_file import job_text
from .settings.output import EARLIER
from .state_file import SavedRun, newest_state, read_state
from .tracking import sheet

_log = logging.getLogger(__name__)

_ENDING = re.compile(rf"{EARLIER}(-\d+)?$", re.ASCII)
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
        raise TrainingError(_no_state(job, paths))
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


def _no_state(job: Job, paths: OutputPaths) -> str:
    earlier = [path for path in earlier_folders(paths.folder) if (path / paths.job.name).is_file()]
    if not earlier:
        return f"there is no saved state of {job.output.name} to continue from"
    last = max(earlier, key=lambda path: written_ns(path / paths.log.name)).name
    return f"there is no saved state of {job.output.name} to continue from; the run before it is called {last} now"


def earlier_folders(folder: Path) -> list[Path]:
    """Return the folders of the earlier runs of a name."""
    try:
        ends = [(path, _ENDING.search(path.name)) for path in folder.parent.iterdir()]
    except OSError:
        return []
    return [path for path, end in ends if end and path.name == ended(folder.name, end[0]) and path.is_dir()]


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


def make_way(folder: Path, network_dir: Path, embedding_dir: Path | None = None, begun_from: Path | None = None) -> str:
    """Give the run of a folder another name, so that a later one replaces none of its log, pictures and copies.

    Its network stays, for the later run to replace at its end; its state goes along, and Continue writes the network
    from it again. Where this is killed, the next call goes on with it.

    Args:
        begun_from: the file of the network that the later run begins from; a copy in this folder stays, too.

    Returns:
        The other name; empty where no run of this folder came as far as its first state, or its settings cannot be
        read.

    Raises:
        SettingsError: a file cannot be moved; all that this call has moved is where it was.
    """
    try:
        record = read_record(folder, network_dir, embedding_dir)
    except SettingsError as error:
        _log.warning("What an earlier run has left in %s keeps its name: %s", folder.name, error)
        return ""
    new = record and (_cut_short(record) or (_free(record.paths) if _came_far(record) else None))
    if not (record and new):
        return ""
    try:
        _move(record, new, begun_from)
    except (OSError, HypernetworkFileError, SettingsError) as reason:
        why = (reason.strerror if isinstance(reason, OSError) else None) or reason
        sentence = (
            f"the earlier run in {folder} cannot be kept as {new.folder.name} ({why}); "
            "close what has its files open or make room, or choose another name"
        )
        raise SettingsError("output.name", sentence) from reason
    return new.folder.name


def _came_far(record: RunRecord) -> bool:
    """Tell whether a run has left more than what it was killed at: a state, copies, or its end."""
    paths = record.paths
    if any(state.parent == paths.folder for state in paths.states()):
        return True
    has_result = record.is_finished or paths.all_numbered() or not record.job.output.save_state
    return record.steps > 0 and bool(has_result or _states_beside(record))


def _free(old: OutputPaths) -> OutputPaths:
    """Return the files of the first of `night-earlier`, `night-earlier-2` ... that neither run nor network has."""
    words = set() if old.is_of_words else {path.stem.casefold() for path in old.embeddings}
    endings = (EARLIER + (f"-{number}" if number > 1 else "") for number in itertools.count(1))
    names = (name for ending in endings if (name := ended(old.folder.name, ending)).casefold() not in words)
    return next(new for new in map(old.named, names) if not new.is_known)


def _cut_short(record: RunRecord) -> OutputPaths | None:
    """Return the files to which a move of this run was cut short; None where none was."""
    for folder in earlier_folders(record.paths.folder):
        new = record.paths.named(folder.name)
        # A mark may be left of a move that has ended; then there is another run, or nothing to replace.
        if (folder / MOVING).exists() and not any(is_taken(target) for _, target in _moves(record, new)):
            with contextlib.suppress(OSError, UnicodeError):
                if new.job.read_text("utf-8") == _job_of(record, new):
                    return new
    return None


def _job_of(record: RunRecord, new: OutputPaths) -> str:
    return job_text(replace(record.job, output=replace(record.job.output, name=new.folder.name)))


def _moves(record: RunRecord, new: OutputPaths) -> list[tuple[Path, Path]]:
    """Return all that is moved, each with its place: the newest state beside the result becomes that of a cut run."""
    beside, places = _states_beside(record), []
    for number, state in enumerate(beside):
        is_first = number == 0 and not record.paths.running.exists()
        places.append(new.running if is_first else new.folder / state.name)
    return [*zip(beside, places, strict=True), *record.paths.moves_to(new)]


def _move(record: RunRecord, new: OutputPaths, begun_from: Path | None) -> None:
    """Move all files of a run, or none; raises OSError, HypernetworkFileError or SettingsError."""
    stays, old = set(), record.paths
    if begun_from and begun_from.parent.resolve() == old.folder.resolve():
        stays = {begun_from.name, files.optimizer_path(begun_from).name}
    text, moves = _job_of(record, new), _moves(record, new)
    with contextlib.ExitStack() as undo:
        if not new.folder.exists():
            undo.callback(_drop, new)
        new.folder.mkdir(exist_ok=True)
        (new.folder / MOVING).touch()
        write_text(new.job, text)
        for source, target in moves:
            if source.name in stays:
                undo.callback(target.unlink, missing_ok=True)
                shutil.copy2(source, target)
            else:
                put(source, target)
                undo.callback(_put_back, target, source)
        old.job.unlink()
        undo.pop_all()
    with contextlib.suppress(OSError):  # all is moved; a mark that stays is passed over
        (new.folder / MOVING).unlink()


def _states_beside(record: RunRecord) -> list[Path]:
    """Return the states beside the result that are of the run, the newest first."""
    if record.name.casefold() != record.paths.folder.name.casefold():  # a copied folder has another run's result
        return []
    return [state for state in record.paths.states_beside if _is_by(record, state)]


def _is_by(record: RunRecord, state: Path) -> bool:
    """Tell whether a run wrote a state that is not in its folder; where neither tells, it did."""
    try:
        saved = read_state(state)
    except HypernetworkFileError:
        return not record.paths.is_of_words
    if record.run and saved.run:
        return record.run == saved.run
    return not record.paths.is_of_words or _name_in(saved) == record.name


def _name_in(saved: SavedRun) -> str:
    return str(saved.origin.settings.get("output.name", "")) if saved.origin else ""


def _put_back(target: Path, source: Path) -> None:
    with contextlib.suppress(OSError):
        put(target, source)


def _drop(new: OutputPaths) -> None:
    """Take the settings and the folder away; one that still holds a file stays."""
    with contextlib.suppress(OSError):
        new.job.unlink(missing_ok=True)
        (new.folder / MOVING).unlink(missing_ok=True)
        new.folder.rmdir()
