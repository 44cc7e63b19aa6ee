"""Where a run writes, and the saving of its network."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from .. import files
from ..atomic import write_text
from ..errors import NonFiniteLossError, SettingsError
from ..jobfile import job_text
from ..network import Hypernetwork
from ..ports import Ports
from ..settings import Job


@dataclass(frozen=True)
class OutputPaths:
    """The files of a run.

    Attributes:
        network: the `.pt`.
        folder: the run's own folder, for all that is not the network.
        log: the CSV.
    """

    network: Path
    folder: Path
    log: Path

    @classmethod
    def of(cls, job: Job, ports: Ports) -> OutputPaths:
        """The files of `job`; makes nothing yet.

        Raises:
            SettingsError: the file exists and may not be replaced.
        """
        name = job.output.name
        folder = Path(job.output.dir) if job.output.dir else None
        network = (folder or ports.network_dir) / f"{name}.pt"
        if network.exists() and not job.output.overwrite:
            raise SettingsError(
                "output.name",
                f"{network.name} exists already in {network.parent}; choose another name, or set output.overwrite",
            )
        run_folder = (folder or ports.log_dir) / name
        return cls(network, run_folder, run_folder / "log.csv")

    def make_folders(self) -> None:
        """Makes the folders; raises SettingsError if one cannot be made."""
        for folder in (self.network.parent, self.folder):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError("output.dir", f"{folder} cannot be made: {error.strerror}") from error


def save_result(network: Hypernetwork, job: Job, ports: Ports, paths: OutputPaths, step: int) -> None:
    """Writes the trained network under its name, and the job beside the log.

    Raises:
        NonFiniteLossError: a weight is NaN or infinite; the file of that name is untouched.
        HypernetworkFileError: the file cannot be written.
    """
    if not all(torch.isfinite(weight).all() for weight in network.parameters()):
        raise NonFiniteLossError(f"the weights are no finite numbers any more; {paths.network.name} was not written")
    network.metadata = replace(
        network.metadata,
        name=job.output.name,
        step=step,
        sd_checkpoint=ports.checkpoint.short_hash,
        sd_checkpoint_name=ports.checkpoint.name,
        training={
            **network.metadata.training,
            "settings": job.to_mapping(),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        },
    )
    files.save(network, paths.network)
    write_text(paths.folder / "job.toml", job_text(job))
