"""What Continue starts from, and whether there is anything left to do."""

from __future__ import annotations

from pathlib import Path

from .. import files
from ..base.errors import HypernetworkFileError, RunEndedError, SettingsError, TrainingError
from ..embedding import files as embedding_files
from ..network.hypernetwork import Metadata
from .origin import Origin
from .paths import OutputPaths
from .settings.job import Job
from .state_file import SavedRun, newest_state
from .tracking import sheet

_NO_RECORD = "An older version saved the state: whether pictures or settings have changed since then is not known."


def state_to_resume(job: Job, paths: OutputPaths, end_step: int) -> SavedRun:
    """Return the saved state of the run to continue, or to finish where all steps are done and a result is missing.

    Raises:
        HypernetworkFileError: no saved state can be read.
        SettingsError: the state was made with another optimizer, or the file of the name is of something else.
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
        if metadata is not None and not _is_of(saved, metadata) and not job.output.overwrite:
            reason = f"{path} is not of the run to continue; move it away, or set output.overwrite"
            raise SettingsError("output.name", reason)
    if saved.step < end_step:
        return saved
    step = saved.first_step + saved.step
    is_saved = all(one is not None and _is_of(saved, one) and one.step == step for one in found.values())
    if is_saved and (not job.makes_sheet or sheet.is_of(paths.sheet, saved.run, saved.step)):
        raise RunEndedError(f"the run has ended at step {saved.step} already; raise train.max_steps to continue")
    return saved


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
