"""What the commands that train share: their arguments, and the model that they name."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, Protocol

import torch

from . import host
from .command_errors import USAGE_ERROR

host.mount()

from hypernetwork_workbench.adapters.pipelines.ports import ports_on  # noqa: E402 (mounted just above)
from hypernetwork_workbench.hypernetworks.base.atomic import not_regular  # noqa: E402
from hypernetwork_workbench.hypernetworks.base.errors import (  # noqa: E402
    AdapterError,
    SettingsError,
    WorkbenchError,
    lack_of_memory_told,
)
from hypernetwork_workbench.hypernetworks.base.outside import is_folder  # noqa: E402
from hypernetwork_workbench.hypernetworks.base.paths import path_argument  # noqa: E402
from hypernetwork_workbench.hypernetworks.ports import Encoder, Ports, Previewer, Progress  # noqa: E402
from hypernetwork_workbench.hypernetworks.ranks import Ranks  # noqa: E402
from hypernetwork_workbench.hypernetworks.train import FoundRate, TrainResult, find_rate, train  # noqa: E402
from hypernetwork_workbench.hypernetworks.train.settings.job import Job  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


class Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog.split()[-1]}: {message}\n")


def add_common(parser: argparse.ArgumentParser, takes_folders: bool = False) -> None:
    """Add what every command that trains takes; with `takes_folders` also --diffusers."""
    parser.add_argument("job", type=path_argument, metavar="JOB.toml", help="the job file")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="section.key=value",
        help="a setting put over the job file's; may be given several times",
    )
    parser.add_argument("--report", type=path_argument, metavar="FILE.json", help="where to write what was measured")
    model = parser.add_mutually_exclusive_group()
    model.add_argument(
        "--ckpt", type=path_argument, metavar="FILE", help="checkpoint to train on; without it the demo model"
    )
    if takes_folders:
        model.add_argument(
            "--diffusers",
            type=path_argument,
            metavar="FOLDER",
            help="train on a model in the form of diffusers instead: the folder with model_index.json in it",
        )
    parser.add_argument(
        "--data-dir", type=path_argument, metavar="DIR", help="folder of the embedded host; without it data/"
    )


def check_report(path: Path | None) -> None:
    """Raise SettingsError where no report can be written to `path`."""
    if path is None:
        return
    if (what := not_regular(path)) is not None:
        raise SettingsError("--report", f"{path} is {what}; name a file")
    if not is_folder(path.resolve().parent):
        raise SettingsError("--report", f"the folder {path.resolve().parent} does not exist")


def start_host(ckpt: Path | None, data_dir: Path | None) -> host.Host:
    """Start the embedded host; raises SettingsError for a wrong folder or checkpoint."""
    try:
        return host.start(ckpt=ckpt, data_dir=data_dir)
    except OSError as error:
        raise SettingsError("--data-dir", f"{data_dir} cannot be used: {error.strerror}") from error
    except WorkbenchError as error:
        raise SettingsError("--ckpt", str(error).rstrip(".")) from error


class Model(Protocol):
    """A model that is loaded, and what is done on it; all raise WorkbenchError as the functions of the core do."""

    def train(self, job: Job, resume: bool, ranks: Ranks) -> TrainResult:
        """Train as the job says."""

    def find_rate(self, job: Job) -> FoundRate:
        """Try rates, on copies that are thrown away."""

    def judges(self) -> tuple[Encoder, Previewer]:
        """Return what pictures are made and looked at with."""


@contextmanager
def opened(arguments: argparse.Namespace, progress: Progress) -> Iterator[Model]:
    """Load the model that a command line names, and yield it.

    Raises:
        SettingsError: it cannot be loaded, or the data folder cannot be used; names the argument.
    """
    if arguments.diffusers is not None:
        yield _OnFolder(arguments.diffusers, arguments.data_dir, progress)
        return
    running = start_host(arguments.ckpt, arguments.data_dir)
    try:
        yield _OnHost(progress)
    finally:
        running.stop()


class _OnHost:
    def __init__(self, progress: Progress) -> None:
        from hypernetwork_workbench.patches.runs import training  # noqa: PLC0415 (needs the running host)

        self._training, self._progress = training, progress

    def train(self, job: Job, resume: bool, ranks: Ranks) -> TrainResult:
        return self._training.run_job(job, self._progress, resume, ranks=ranks)

    def find_rate(self, job: Job) -> FoundRate:
        return self._training.find_rate_for(job, self._progress)

    def judges(self) -> tuple[Encoder, Previewer]:
        from hypernetwork_workbench.patches.model.encoders import HostEncoder  # noqa: PLC0415 (needs the running host)
        from hypernetwork_workbench.patches.model.previews import HostPreviewer  # noqa: PLC0415

        return HostEncoder(), HostPreviewer()


class _OnFolder:
    def __init__(self, folder: Path, data_dir: Path | None, progress: Progress) -> None:
        data = (data_dir or ROOT / "data").resolve()
        networks, logs = data / "models" / "hypernetworks", data / "outputs" / "training"
        try:
            networks.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError("--data-dir", f"{data} cannot be used: {error.strerror}") from error
        try:
            self._ports: Ports = ports_on(folder, progress, networks, logs)
        except AdapterError as error:
            raise SettingsError("--diffusers", str(error)) from error

    def train(self, job: Job, resume: bool, ranks: Ranks) -> TrainResult:
        with _freed_memory():
            return train(job, replace(self._ports, ranks=ranks), resume)

    def find_rate(self, job: Job) -> FoundRate:
        with _freed_memory():
            return find_rate(job, self._ports)

    def judges(self) -> tuple[Encoder, Previewer]:
        return self._ports.encoder, self._ports.previewer


@contextmanager
def _freed_memory() -> Iterator[None]:
    """Free the memory afterwards; running out of it becomes a TrainingError."""
    try:
        with lack_of_memory_told():
            yield
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
