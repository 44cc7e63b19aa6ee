"""Logs of a run: always CSV, and TensorBoard and wandb if they are chosen."""

from __future__ import annotations

import csv
import dataclasses
import importlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from ...base.atomic import write_text
from ...base.errors import SettingsError
from ..settings.job import Job
from .metrics import Measured, StepRecord

COLUMNS = [*(field.name for field in dataclasses.fields(StepRecord)), "validation_loss", "seconds"]


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

    def __init__(self, path: Path, validation: Measured | None, resumed_step: int = 0) -> None:
        self._validation = validation
        self._started = time.monotonic()
        if resumed_step:
            _truncate(path, resumed_step)
        self._file = path.open("a" if resumed_step else "w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")
        if not resumed_step or self._file.tell() == 0:
            self._writer.writerow(COLUMNS)

    def after_step(self, record: StepRecord) -> None:
        """Write the line of the step."""
        measured = validation_of(self._validation, record.step)
        seconds = round(time.monotonic() - self._started, 3)
        row = [repr(v) if isinstance(v, float) else v for v in dataclasses.astuple(record)]
        self._writer.writerow([*row, "" if measured is None else repr(measured), seconds])
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


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
        self._writer = module.SummaryWriter(str(folder))
        self._job = job
        self._validation = validation
        self._last_loss = 0.0

    def after_step(self, record: StepRecord) -> None:
        """Add the step's numbers."""
        self._writer.add_scalar("loss/train", record.loss, record.step)
        self._writer.add_scalar("rate", record.rate, record.step)
        self._writer.add_scalar("gradient_norm", record.gradient_norm, record.step)
        measured = validation_of(self._validation, record.step)
        if measured is not None:
            self._writer.add_scalar("loss/validation", measured, record.step)
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
            self._run = self._wandb.init(
                project="hypernetworks", name=job.output.name, dir=str(folder), config=flat(job)
            )
        except self._wandb.Error as error:
            raise SettingsError("output.wandb", f"the service refused the run: {error}") from error
        self._validation = validation

    def after_step(self, record: StepRecord) -> None:
        """Log the step's numbers."""
        numbers = {"loss/train": record.loss, "rate": record.rate, "gradient_norm": record.gradient_norm}
        measured = validation_of(self._validation, record.step)
        if measured is not None:
            numbers["loss/validation"] = measured
        self._run.log(numbers, step=record.step)

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
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    kept = [row for row in rows[1:] if row and row[0].isdigit() and int(row[0]) <= step and len(row) == len(COLUMNS)]
    write_text(path, "".join(",".join(row) + "\n" for row in [COLUMNS, *kept]))
