"""The files that a run writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import SettingsError
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
    """

    network: Path
    folder: Path

    @classmethod
    def of(cls, job: Job, ports: Ports, is_resumed: bool = False) -> OutputPaths:
        """Return the files of `job`, without making any.

        Raises:
            SettingsError: the file exists and may not be replaced.
        """
        name = job.output.name
        folder = Path(job.output.dir) if job.output.dir else None
        network = (folder or ports.network_dir) / f"{name}.pt"
        if is_file(network) and not (job.output.overwrite or is_resumed):
            reason = f"{network.name} exists already in {network.parent}; choose another name, or set output.overwrite"
            raise SettingsError("output.name", reason)
        return cls(network, (folder or ports.log_dir) / name)

    @property
    def log(self) -> Path:
        """The CSV log."""
        return self.folder / "log.csv"

    @property
    def job(self) -> Path:
        """The settings of the run."""
        return self.folder / "job.toml"

    @property
    def previews(self) -> Path:
        """The folder of the preview pictures."""
        return self.folder / "previews"

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

    def make_folders(self) -> None:
        """Make the folders; raises SettingsError if one cannot be made."""
        for folder in (self.network.parent, self.folder):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError("output.dir", f"{folder} cannot be made: {error.strerror}") from error
