"""The files that a run writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..base.atomic import not_folder, not_regular, sweep
from ..base.disk import link_in_the_way
from ..base.errors import SettingsError, TrainingError, raise_all
from ..base.locks import held
from ..base.outside import is_file
from ..ports import Ports
from .settings.job import Job
from .state_file import SUFFIX, state_of


@dataclass(frozen=True)
class OutputPaths:
    """The files of a run.

    Attributes:
        network: the `.pt`.
        folder: the run's own folder, for everything but the network.
        is_resumed: whether the run continues one that may have written these files.
    """

    network: Path
    folder: Path
    is_resumed: bool = False

    @classmethod
    def of(cls, job: Job, ports: Ports, is_resumed: bool = False) -> OutputPaths:
        """Return the files of `job`, without making any.

        Raises:
            SettingsError: the file exists and may not be replaced, or a folder or device has the name of a file.
        """
        name = job.output.name
        folder = Path(job.output.dir) if job.output.dir else None
        paths = cls((folder or ports.network_dir) / f"{name}.pt", (folder or ports.log_dir) / name, is_resumed)
        paths._check_free(job)
        raise_all(paths._obstacles())
        return paths

    @property
    def log(self) -> Path:
        """The CSV log."""
        return self.folder / "log.csv"

    @property
    def job(self) -> Path:
        """The settings of the run."""
        return self.folder / "job.toml"

    @property
    def length(self) -> Path:
        """How long the run is, in steps."""
        return self.folder / "length.json"

    @property
    def previews(self) -> Path:
        """The folder of the preview pictures."""
        return self.folder / "previews"

    @property
    def tensorboard(self) -> Path:
        """The folder of the log for TensorBoard."""
        return self.folder / "tensorboard"

    @property
    def sheet(self) -> Path:
        """The before-and-after sheet."""
        return self.folder / "sheet.png"

    @property
    def unfinished(self) -> Path:
        """The weights of a run that failed."""
        return self.folder / f"{self.network.stem}-unfinished.pt"

    @property
    def best(self) -> Path:
        """The copy with the lowest validation loss."""
        return self.folder / f"{self.network.stem}-best.pt"

    @property
    def running(self) -> Path:
        """The state of the run as it was a few minutes ago; at the end it goes beside the network."""
        return self.folder / f"{self.network.stem}-running{SUFFIX}"

    def numbered(self, step: int) -> Path:
        """Return the copy of optimizer step `step` of this run."""
        return self.folder / f"{self.network.stem}-{step:06d}.pt"

    def all_numbered(self) -> list[Path]:
        """Return the existing numbered copies, oldest first."""
        form = re.compile(re.escape(self.network.stem) + r"-(\d{6,})\.pt")
        found = [(int(match[1]), path) for path in self.folder.glob("*.pt") if (match := form.fullmatch(path.name))]
        return [path for _, path in sorted(found)]

    def states(self) -> list[Path]:
        """Return the existing state files."""
        networks = [self.network, self.best, *self.all_numbered()]
        states = [self.running, *map(state_of, networks)]
        return [path for path in states if path.exists()]

    @contextmanager
    def held(self, job: Job) -> Iterator[None]:
        """Make the folders, and keep other processes from the name while the block runs.

        Raises:
            SettingsError: a folder cannot be made, or somebody has made the file meanwhile.
            TrainingError: somebody else is writing files of the name; says who.
        """
        self._make_folders()
        doing = f"{job.output.name} is being trained"
        with held(self.network, doing, TrainingError), held(self.folder / "run", doing, TrainingError):
            self._check_free(job)  # once more: another run may have ended since
            for folder in (self.folder, self.previews):
                sweep(folder, is_held=True)
            sweep(self.network.parent)
            yield

    def _check_free(self, job: Job) -> None:
        if not_regular(self.network) is None and (link := link_in_the_way(self.network)):
            raise SettingsError("output.name", link)
        if is_file(self.network) and not (job.output.overwrite or self.is_resumed):
            place = self.network.parent
            reason = f"{self.network.name} exists already in {place}; choose another name, or set output.overwrite"
            raise SettingsError("output.name", reason)

    def _obstacles(self) -> Iterator[SettingsError]:
        """Yield what is no regular file or no folder, though the run wants to write one there."""
        for folder in (self.network.parent, self.folder, self.previews, self.tensorboard):
            if (what := not_folder(folder)) is not None:
                yield SettingsError("output.dir", f"{folder} is {what}, where the run needs a folder")
        ours = (self.log, self.job, self.length, self.sheet, self.running)
        for path in (*ours, *(one for network in (self.network, self.best, self.unfinished) for one in _pair(network))):
            if (what := not_regular(path)) is not None:
                yield SettingsError("output.name", f"{path} is {what}, where the run writes a file")

    def _make_folders(self) -> None:
        """Make the folders; raises SettingsError if one cannot be made."""
        for folder in (self.network.parent, self.folder):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError("output.dir", f"{folder} cannot be made: {error.strerror}") from error


def _pair(network: Path) -> tuple[Path, Path]:
    return network, state_of(network)
