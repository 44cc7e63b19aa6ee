"""Logs of a run: always CSV, and TensorBoard and wandb if they are chosen."""

from __future__ import annotations

import dataclasses
import importlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from ...base.atomic import write_text
from ...base.errors import HypernetworkFileError, SettingsError
from ..settings.job import Job
from .metrics import Measured, StepRecord
from .notes import Notes

_OF_STEP = [field.name for field in dataclasses.fields(StepRecord)]
#: Those that were added later come last, so that older logs are read as they are.
COLUMNS = [*_OF_STEP[:-1], "validation_loss", "seconds", _OF_STEP[-1]]
_LEAST_COLUMNS = len(COLUMNS) - 1


#: So that TensorBoard shows a run while it goes on.
_FLUSH_S = 10
_PROJECT = "hypernetworks"
_DIGITS = re.compile("[0-9]{1,12}")


class Log(Protocol):
    """A log that is closed at the end of a run."""

    def after_step(self, record: StepRecord) -> None:
        """Log the step."""

    def close(self) -> None:
        """Close the log."""


@runtime_checkable
class PictureLog(Protocol):
    """A log that also takes preview pictures."""

    def add_pictures(self, step: int, pictures: Sequence[Image.Image]) -> None:
        """Log the pictures of a step."""


class CsvLog:
    """One line per optimizer step: the fields of `StepRecord`, the validation loss where one was measured, and the
    seconds since the run was started or continued.

    Args:
        resumed_step: lines of an existing log up to this step are kept; later ones are of steps that will be taken
            again; 0 starts a new log.
    """

    def __init__(
        self, path: Path, validation: Measured | None, resumed_step: int = 0, notes: Notes | None = None
    ) -> None:
        self._validation = validation
        self._started = time.monotonic()
        self._name = path.name
        self._notes = notes or Notes()
        #: What the disk has not taken yet; the run goes on, and the lines follow when there is room again.
        self._waiting = b""
        if resumed_step:
            _truncate(path, resumed_step)
        try:
            # Without a buffer, so that it is known what is on the disk when the disk is full.
            self._file = path.open("ab" if resumed_step else "wb", buffering=0)
        except OSError as error:
            raise HypernetworkFileError(f"{path.name}: cannot be written to {path.parent}: {error.strerror}") from error
        if not resumed_step or self._file.tell() == 0:
            self._write(COLUMNS)

    def after_step(self, record: StepRecord) -> None:
        """Write the line of the step."""
        measured = validation_of(self._validation, record.step)
        seconds = round(time.monotonic() - self._started, 3)
        values = {**vars(record), "validation_loss": measured}
        texts = {name: "" if v is None else repr(v) if isinstance(v, float) else v for name, v in values.items()}
        self._write([{**texts, "seconds": seconds}[name] for name in COLUMNS])

    def close(self) -> None:
        """Close the file."""
        self._flush()
        if self._waiting:
            self._notes.warn(f"{self._name} lacks the last lines: the disk did not take them.")
        self._file.close()

    def _write(self, row: Sequence[Any]) -> None:
        self._waiting += (",".join(map(str, row)) + "\n").encode()
        self._flush()

    def _flush(self) -> None:
        try:
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) or 0 :]
        except OSError as error:
            reason = f"{self._name} cannot be written to {Path(str(self._file.name)).parent}: {error.strerror}"
            self._notes.warn(f"{reason}; the run goes on, and its lines follow if they can.")


class PackageLog:
    """A log that a package of others writes: when that fails the run goes on without it.

    Args:
        name: name of the package, for the sentence about that.
    """

    def __init__(self, name: str, log: TensorBoardLog | WandbLog, notes: Notes) -> None:
        self._name = name
        self._log = log
        self._notes = notes
        self._has_failed = False

    def after_step(self, record: StepRecord) -> None:
        """Log the step."""
        self._try(self._log.after_step, record)

    def add_pictures(self, step: int, pictures: Sequence[Image.Image]) -> None:
        """Log the pictures of a step."""
        self._try(self._log.add_pictures, step, pictures)

    def close(self) -> None:
        """Close the log."""
        self._try(self._log.close)

    def _try(self, act: Callable[..., None], *arguments: Any) -> None:
        if self._has_failed:
            return
        try:
            act(*arguments)
        except Exception as error:  # whatever a package of others raises, it is not worth a run
            self._has_failed = True
            self._notes.warn(f"{self._name} failed, and the run goes on without it: {error or type(error).__name__}")


class TensorBoardLog:
    """Losses, rate, previews and settings for TensorBoard.

    Raises:
        SettingsError: the package is missing.
    """

    def __init__(self, folder: Path, job: Job, validation: Measured | None) -> None:
        try:
            module = importlib.import_module("torch.utils.tensorboard")
        except ImportError as error:
            raise SettingsError("output.tensorboard", "needs the package tensorboard") from error
        try:
            self._writer = module.SummaryWriter(str(folder), flush_secs=_FLUSH_S)
        except OSError as error:
            raise SettingsError("output.tensorboard", f"{folder} cannot be written: {error.strerror}") from error
        self._job = job
        self._validation = validation
        self._last_loss = 0.0

    def after_step(self, record: StepRecord) -> None:
        """Add the step's numbers."""
        for series, value in numbers_of(record, self._validation).items():
            self._writer.add_scalar(series, value, record.step)
        self._last_loss = record.loss

    def add_pictures(self, step: int, pictures: Sequence[Image.Image]) -> None:
        """Add preview pictures."""
        for number, picture in enumerate(pictures):
            array = np.asarray(picture.convert("RGB"))
            self._writer.add_image(f"preview/{number + 1}", array, step, dataformats="HWC")

    def close(self) -> None:
        """Add the settings with the last loss, and close the files."""
        self._writer.add_hparams(flat(self._job), {"hparam/loss": self._last_loss}, run_name=".")
        self._writer.close()


class WandbLog:
    """Losses, rate, previews and settings for Weights & Biases.

    Raises:
        SettingsError: the package is missing, or the service refuses the run.
    """

    def __init__(self, folder: Path, job: Job, validation: Measured | None) -> None:
        try:
            self._wandb = importlib.import_module("wandb")
        except ImportError as error:
            raise SettingsError("output.wandb", "needs the package wandb") from error
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._run = self._wandb.init(
                project=job.output.log_project or _PROJECT,
                name=job.output.run_name,
                dir=str(folder),
                config=flat(job),
            )
        except OSError as error:
            raise SettingsError("output.log_dir", f"{folder} cannot be made: {error.strerror}") from error
        except self._wandb.Error as error:
            raise SettingsError("output.wandb", f"the service refused the run: {error}") from error
        self._validation = validation

    def after_step(self, record: StepRecord) -> None:
        """Log the step's numbers."""
        self._run.log(numbers_of(record, self._validation), step=record.step)

    def add_pictures(self, step: int, pictures: Sequence[Image.Image]) -> None:
        """Log preview pictures."""
        self._run.log({"preview": [self._wandb.Image(picture) for picture in pictures]}, step=step)

    def close(self) -> None:
        """End the run."""
        self._run.finish()


def validation_of(validation: Measured | None, step: int) -> float | None:
    """Return the validation loss measured at `step`, if one was."""
    if validation is None or validation.latest is None or validation.latest[0] != step:
        return None
    return validation.latest[1]


def numbers_of(record: StepRecord, validation: Measured | None) -> dict[str, float]:
    """Return the numbers of a step for a log of another package, by the names of their series."""
    numbers = {
        "loss/train": record.loss,
        "rate": record.rate,
        "gradient_norm": record.gradient_norm,
        "effective_rate": record.effective_rate,
        "loss/validation": validation_of(validation, record.step),
    }
    return {series: number for series, number in numbers.items() if number is not None}


def flat(job: Job) -> dict[str, Any]:
    """Return the settings as `section.key` with values that every log takes."""
    tables: Mapping[str, Mapping[str, Any]] = job.to_mapping()
    return {
        f"{section}.{key}": value if isinstance(value, (int, float, bool)) else str(value)
        for section, table in tables.items()
        for key, value in table.items()
    }


def _truncate(path: Path, step: int) -> None:
    if not path.exists():
        return
    # A kill in the middle of a line may have left anything.
    rows = [line.split(",") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    kept = [row for row in rows[1:] if _DIGITS.fullmatch(row[0]) and int(row[0]) <= step and _is_whole(row)]
    whole = [[*row, ""][: len(COLUMNS)] for row in kept]  # a log of before there was the last column
    write_text(path, "".join(",".join(row) + "\n" for row in [COLUMNS, *whole]))


def _is_whole(row: Sequence[str]) -> bool:
    return _LEAST_COLUMNS <= len(row) <= len(COLUMNS)
