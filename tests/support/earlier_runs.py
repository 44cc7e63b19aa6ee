"""Runs whose name a later one takes, and what lies on the disk then."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base import disk
from hypernetwork_workbench.hypernetworks.files.create import create_file
from hypernetwork_workbench.hypernetworks.ports import Ports
from hypernetwork_workbench.hypernetworks.train import records, resume
from hypernetwork_workbench.hypernetworks.train.settings.job import CreateSettings, Job

from tests.support.runs import make_job

SAVING = {"output__overwrite": True, "output__save_every": "4", "output__sheet": False, "train__max_steps": 10}


def job(pictures: Path, **changes) -> Job:
    """Return that of a run with numbered copies at steps 4 and 8."""
    return make_job(pictures, **SAVING | changes)


def listing(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder, by name; without what locks leave."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def record_of(ports: Ports, name: str) -> records.RunRecord | None:
    """Return the run of a folder of the logs."""
    return records.read_record(ports.log_dir / name, ports.network_dir, ports.embedding_dir)


def dies_at_once(ports: Ports) -> Ports:
    """Return the ports with a model that has no room for a step."""

    def predict(*_):
        raise MemoryError

    ports.denoiser.predict = predict
    return ports


def made(ports: Ports, **structure) -> Path:
    """Make the network `fake` anew."""
    settings = CreateSettings(name="fake", overwrite=True, **{"widths": (12,), "activation": "relu"} | structure)
    return create_file(settings, (12, 16), ports.network_dir)


def make_way_killed(folder: Path, network_dir: Path, moves: int, kills_at: str = "") -> None:
    """Let the run of a folder make way, killed after some moves, or before a file of the name `kills_at` goes."""
    done, really_unlink = [], Path.unlink

    def put(source, target):
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(source)
        disk.put(source, target)

    def unlink(path, missing_ok=False):
        if path.name == kills_at:
            raise KeyboardInterrupt
        really_unlink(path, missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resume, "put", put)
        patch.setattr(Path, "unlink", unlink)
        for name in ("_put_back", "_drop"):  # whoever is killed puts nothing back
            patch.setattr(resume, name, lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            resume.make_way(folder, network_dir)
