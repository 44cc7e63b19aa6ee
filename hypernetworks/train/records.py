"""Runs as they lie on the disk: settings, log, pictures and state of each, for lists and comparisons."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..base.atomic import write_text
from ..base.errors import SettingsError
from ..base.forms import STEPS, Record, UnfitError, Whole
from ..base.outside import UnfitTextError, is_file, read_json, shown_path
from .paths import OutputPaths
from .settings.job import Job
from .settings.job_file import read_tables
from .state_file import RUN
from .tracking.logs import COLUMNS
from .tracking.monitor import span_of

_TAIL_BYTES = 1 << 17
_MOST_BYTES = 1 << 28
_POINTS = 400
#: Where a run is, and what it may replace: of no account for what it learns.
_PLACES = ("output.name", "output.dir", "output.overwrite", "output.resume_changed")

Points = list[tuple[int, float]]
_STEPS = Whole(1, STEPS.maximum)
_LENGTH = Record({"steps": _STEPS, "steps_per_epoch": _STEPS, "run": RUN}, frozenset({"run"}))
_MOST_LENGTH_BYTES = 1000


@dataclass(frozen=True)
class Length:
    """How long a run is, which its settings may tell in epochs.

    Attributes:
        steps: optimizer steps of all of it.
        steps_per_epoch: those of a pass over its pictures.
        run: what tells it from others of its name, as in its states; empty where an older version wrote it.
    """

    steps: int
    steps_per_epoch: int
    run: str = ""


@dataclass(frozen=True)
class Row:
    """What the log tells of a step."""

    step: int
    loss: float
    validation: float | None
    is_skipped: bool


@dataclass(frozen=True)
class RunRecord:
    """A run on the disk.

    Attributes:
        paths: its files.
        job: its settings.
        steps, total: optimizer steps done, as far as the log tells, and planned.
        steps_per_epoch: those of a pass over its pictures; None where that is not known.
        loss: mean over the last tenth, at most 50 steps, as the run itself told; None before the first step.
        validation: the last validation loss in sight, or None.
        changed: when its log was written last, in seconds since the epoch.
        is_resumable: whether there is a state to continue from.
        run: what tells it from others of its name; empty where that is not known.
    """

    paths: OutputPaths
    job: Job
    steps: int
    total: int
    steps_per_epoch: int | None
    loss: float | None
    validation: float | None
    changed: float
    is_resumable: bool
    run: str = ""

    @property
    def name(self) -> str:
        """Name of its network."""
        return self.job.output.name

    @property
    def is_finished(self) -> bool:
        """Whether all of its steps are done."""
        return self.steps >= self.total

    @property
    def sheet(self) -> Path | None:
        """Its before-and-after sheet, if it has one."""
        return self.paths.sheet if self.paths.sheet.is_file() else None

    @property
    def newest_preview(self) -> Path | None:
        """The preview of its last moment, if it has one."""
        return max(self.paths.previews.glob("step-*.png"), default=None, key=lambda path: path.name)

    def curves(self) -> tuple[Points, Points]:
        """Return the loss, averaged as the run itself averages it, and the validation loss, over the steps."""
        rows = [row for row in _rows(self.paths.log, _MOST_BYTES) if not row.is_skipped]
        span = span_of(self.total)
        loss: Points = []
        window = 0.0
        for number, row in enumerate(rows):
            window += row.loss - (rows[number - span].loss if number >= span else 0.0)
            if number >= span - 1 or number == len(rows) - 1:
                loss.append((row.step, window / min(number + 1, span)))
        validation = [(row.step, row.validation) for row in rows if row.validation is not None]
        return _thinned(loss), _thinned(validation)


def records(
    folders: Iterable[Path], network_dir: Path, embedding_dir: Path | None = None
) -> tuple[list[RunRecord], list[SettingsError]]:
    """Return the runs in these folders, the one that was written last first, and what is wrong with the others.

    Folders without a run are passed over.

    Args:
        network_dir: folder of the networks of jobs that name none.
        embedding_dir: that of embeddings; None: the same.
    """
    found, problems = [], []
    for folder in folders:
        try:
            record = read_record(folder, network_dir, embedding_dir)
        except SettingsError as error:
            problems.append(error)
        else:
            found += [record] if record else []
    return sorted(found, key=lambda record: record.changed, reverse=True), problems


def read_record(folder: Path, network_dir: Path, embedding_dir: Path | None = None) -> RunRecord | None:
    """Return the run of a folder; None where it holds none.

    Raises:
        SettingsError: its settings cannot be read; names their file.
    """
    file = folder / "job.toml"
    if not is_file(file):
        return None
    try:
        job = Job.from_mapping(read_tables(file))
    except SettingsError as error:
        reason = "; ".join(str(error).splitlines())
        raise SettingsError(shown_path(file), f"the settings of the run cannot be read ({reason})") from error
    paths = replace(OutputPaths.at(job, network_dir, folder.parent, True, embedding_dir), folder=folder)
    rows = [row for row in _rows(paths.log, _TAIL_BYTES) if not row.is_skipped]
    length = _read_length(paths)
    steps = rows[-1].step if rows else 0
    total = length.steps if length else _planned(job, steps)
    last = [row.loss for row in rows[-span_of(total) :]]
    return RunRecord(
        paths=paths,
        job=job,
        steps=steps,
        total=total,
        steps_per_epoch=length.steps_per_epoch if length else None,
        loss=sum(last) / len(last) if last else None,
        validation=next((row.validation for row in reversed(rows) if row.validation is not None), None),
        changed=(paths.log if paths.log.is_file() else file).stat().st_mtime,
        is_resumable=bool(paths.states()),
        run=length.run if length else "",
    )


def differences(run: Job, form: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """Return the settings that a form has otherwise than a run, as (run's, form's) by `section.key`.

    Args:
        form: tables of plain values; what they lack is no difference.
    """
    found: dict[str, tuple[Any, Any]] = {}
    for section, table in run.to_mapping().items():
        for key, value in table.items():
            address, entered = f"{section}.{key}", form.get(section, {}).get(key, value)
            if section != "network" and address not in _PLACES and entered != value:
                found[address] = (value, entered)
    return found


def changed(run: Job, addresses: Iterable[str], form: Mapping[str, Mapping[str, Any]]) -> Job:
    """Return the settings of a run with those of a form at these addresses; raises SettingsError."""
    tables = {section: dict(table) for section, table in run.to_mapping().items()}
    for address in addresses:
        section, _, key = address.partition(".")
        tables[section][key] = form[section][key]
    return Job.from_mapping(tables)


def write_length(paths: OutputPaths, length: Length) -> None:
    """Write how long a run is beside its settings; raises HypernetworkFileError."""
    write_text(paths.length, json.dumps(asdict(length)))


def _read_length(paths: OutputPaths) -> Length | None:
    """Return how long a run is; None where nobody has written it, or it cannot be read."""
    try:
        return Length(**_LENGTH.take(read_json(paths.length, _MOST_LENGTH_BYTES)))
    except (OSError, UnfitTextError, UnfitError):
        return None


def _planned(job: Job, done: int) -> int:
    """Return the steps of a run by its settings alone; one in epochs has at least one more than are done."""
    try:
        steps = job.end_step(1)
    except SettingsError:
        steps = job.steps(1)
    return max(steps, done + 1) if job.counts_epochs else steps


def _rows(log: Path, most_bytes: int) -> Iterator[Row]:
    """Yield the rows at the end of a log; what a kill or a full disk left of a row is passed over."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most_bytes))
            text = file.read(most_bytes).decode("utf-8", errors="replace")
    except OSError:
        return
    for row in csv.reader(text.splitlines()):
        named = dict(zip(COLUMNS, row, strict=False))
        try:
            validation = float(named["validation_loss"]) if named["validation_loss"] else None
            yield Row(int(named["step"]), float(named["loss"]), validation, named["skipped"] == "True")
        except (KeyError, ValueError):
            continue


def _thinned(points: Points) -> Points:
    """Return at most some hundred of the points, with both ends."""
    stride = -(-len(points) // _POINTS) or 1
    return [*points[:-1:stride], *points[-1:]]
