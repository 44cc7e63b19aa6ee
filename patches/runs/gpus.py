"""Several GPUs for a run of the host: on each other one a process of its own takes its share of every step.

This process is the first rank, so that progress, pictures and buttons are the same with any number. The others start
the host once more, without a page, and end with it or with the run. What travels goes over the CPU: a GPU that waits
for one that is gone would wait for ever, and the host with it.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from modules import devices, shared

from ...hypernetworks.base.errors import RanksLostError, TrainingError
from ...hypernetworks.base.outside import UnfitTextError, read_text
from ...hypernetworks.ports import Ports, Progress
from ...hypernetworks.ranks import Ranks, several
from ...hypernetworks.train.settings.job import Job
from ..patching import capabilities, switches

_CHILD = Path(__file__).with_name("rank_child.py")
#: Exit code of a process that ended because another one has.
_LOST = 3
_POLL_S = 0.2
_PATIENCE_S = 30.0


def chosen() -> int:
    """Return how many GPUs a run takes: what was chosen in the settings, and no more than there are."""
    if not capabilities.starts_without_page():
        return 1
    return max(1, min(int(getattr(shared.opts, switches.GPUS, 1) or 1), torch.cuda.device_count()))


@contextmanager
def shared_by(count: int, job: Job, resume: bool, ports: Ports) -> Iterator[Ranks]:
    """Start the processes of the other GPUs, and yield the ranks of a run of `job`; they have ended afterwards.

    Raises:
        TrainingError: one of them cannot be started, or has ended before the run; says what it said last.
    """
    with tempfile.TemporaryDirectory(prefix="hypernetwork-gpus-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        meeting = f"file:///{(folder / 'meeting').as_posix().lstrip('/')}"
        request = {
            "path": sys.path,
            "argv": _arguments(),
            "job": job.to_mapping(),
            "resume": resume,
            "log_dir": str(ports.log_dir),
            "size": count,
            "meeting": meeting,
        }
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        children = [_Child(folder, rank) for rank in range(1, count)]

        def check() -> None:
            _ready(children, ports.progress)

        try:
            _wait_for(children, ports.progress)
            with several.on_this_machine(), several.joined(0, count, meeting, True, check) as ranks:
                yield ranks
            for child in children:
                child.wait()
        except RanksLostError as error:
            lost = _lost(children)
            kept = f"; {error.kept}" if error.kept else ""
            raise TrainingError(f"the process of {lost.name} has ended ({lost.said()}){kept}") from error
        finally:
            for child in children:
                child.end()


class _Child:
    """A process of another GPU."""

    def __init__(self, folder: Path, rank: int) -> None:
        gpus = _gpus()
        self.name = f"GPU {rank + 1}"
        self._ready, self._problem = folder / f"ready-{rank}", folder / f"problem-{rank}"
        # The arguments of the host are in the request already, with those of this variable.
        environment = os.environ | {"COMMANDLINE_ARGS": "", "CUDA_VISIBLE_DEVICES": gpus[rank] if gpus else ""}
        with (folder / f"log-{rank}").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(_CHILD), str(folder), str(rank)],
                stdin=subprocess.PIPE,  # whose end tells it that this process has ended
                stdout=log,
                stderr=log,
                env=environment,
                # Ctrl-C in the terminal reaches this process alone, which ends the run with a saved state.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        self._log = folder / f"log-{rank}"

    @property
    def is_ready(self) -> bool:
        """Whether it has loaded the model; raises TrainingError where it has ended."""
        if self._process.poll() is not None:
            raise TrainingError(f"the process of {self.name} has ended ({self.said()})")
        return self._ready.exists()

    def said(self) -> str:
        """Return why it ended: its own sentence, or the last line of its log."""
        try:
            if self.has_problem:
                return read_text(self._problem)
            lines = read_text(self._log, 1 << 24).splitlines()
        except (OSError, UnfitTextError):
            lines = []
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return said[-200:] or str(self._process.poll())

    @property
    def has_problem(self) -> bool:
        """Whether it has said itself what ended it."""
        return self._problem.exists()

    def wait(self, seconds: float = _PATIENCE_S) -> int | None:
        """Wait a little for its end; return its exit code, or None where it goes on."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def _lost(children: list[_Child]) -> _Child:
    """Return the process that ended the run, and not one that ended because another had."""
    until = time.monotonic() + _PATIENCE_S
    codes = {child: child.wait(max(0.0, until - time.monotonic())) for child in children}
    return min(children, key=lambda one: (not one.has_problem, codes[one] in (None, 0, _LOST), codes[one] is None))


def _wait_for(children: list[_Child], progress: Progress) -> None:
    """Wait until all have loaded the model; raises TrainingError where one has ended, or somebody interrupts."""
    while (ready := _ready(children, progress)) < len(children):
        progress.report(ready, len(children), f"Loading the model on {len(children)} more GPUs, {ready} done")
        time.sleep(_POLL_S)


def _ready(children: list[_Child], progress: Progress) -> int:
    """Return how many have loaded the model; raises TrainingError where one has ended, or somebody interrupts."""
    if progress.is_interrupted():
        raise TrainingError("the run was interrupted before it began")
    return sum([child.is_ready for child in children])


def _gpus() -> list[str]:
    """Return the GPUs as CUDA is to be told, that of this process first."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    all_ = named.split(",") if named else list(map(str, range(torch.cuda.device_count())))
    own = torch.device(devices.device).index or 0
    return [*all_[own : own + 1], *all_[:own], *all_[own + 1 :]]


def _arguments() -> list[str]:
    """Return the command line of this host, with the checkpoint that is loaded now."""
    options = importlib.import_module("modules.shared_cmd_options")
    given = [*getattr(options, "given", sys.argv[1:])]
    if getattr(shared.cmd_opts, "device_id", None) is not None:
        given += ["--device-id", "0"]  # it sees one alone
    return [*given, "--ckpt", shared.sd_model.sd_checkpoint_info.filename]
