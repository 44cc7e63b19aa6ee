"""The trials of a study for TensorBoard: losses and settings of all of them in one folder.

With the original extension's files, tags and folder are the original's: `NAME_0_1/Loss/train` and so on.
"""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..base.errors import SettingsError
from .kept import Study
from .space.originals import CREATION, TRAINING
from .trials import COMPLETE, Trial


def write(study: Study, trials: Iterable[Trial]) -> None:
    """Write what of the trials is not written yet into the folder `tensorboard` of the study.

    Raises:
        SettingsError: the package is missing.
    """
    try:
        module = importlib.import_module("torch.utils.tensorboard")
    except ImportError as error:
        raise SettingsError("output.tensorboard", "needs the package tensorboard") from error
    folder = study.folder / "tensorboard"
    is_original = any(one.address in (CREATION, TRAINING) for one in study.space.parameters)
    for trial in trials:
        name = study.name_of(trial)
        if trial.state != COMPLETE or any(folder.glob(f"**/*.tfevents.*.{name}")):
            continue
        place = folder if is_original else folder / name
        with module.SummaryWriter(str(place), filename_suffix=f".{name}") as writer:
            for tag, value, step in _scalars(study.folder_of(trial) / "log.csv", f"{name}/" if is_original else ""):
                writer.add_scalar(tag, value, step)
            settings = {key: plain(value) for key, value in study.settings_of(trial).items()}
            values = dict(zip(study.settings.objectives, trial.values, strict=True))
            measured = {f"hparam/{key}": value for key, value in values.items()}
            writer.add_hparams(settings, measured, run_name=name if is_original else ".")


def plain(value: Any) -> Any:
    """Return a value as every table takes it."""
    return value if isinstance(value, (str, int, float, bool)) else json.dumps(value)


def _scalars(log: Path, prefix: str) -> Iterator[tuple[str, float, int]]:
    """Yield tag, value and step of each number in the log of a run; nothing where another machine has it."""
    if not log.is_file():
        return
    epoch_begins = {"0": 0}
    with log.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            step, epoch = int(row["step"]), row["epoch"]
            within = step - epoch_begins.setdefault(epoch, step - 1)
            for tag, key in (("Loss/train", "loss"), ("Learn rate/train", "rate")):
                yield f"{prefix}{tag}", float(row[key]), step
                if prefix:  # as the original has it
                    yield f"{prefix}{tag}/epoch-{int(epoch) - 1}", float(row[key]), within
