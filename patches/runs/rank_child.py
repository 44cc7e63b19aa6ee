"""The process of another GPU, which `gpus` starts: the host without a page, and its share of one run."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

#: Exit code where another process of the run has ended before.
_LOST = 3


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the other end of the pipe is closed
    os._exit(_LOST)


class _Unseen:
    """The port `Progress` of a process that nobody sees: only the first one shows and ends the run."""

    def report(self, done: int, total: int, text: str) -> None:
        """Do nothing."""

    def draw(self, chart: Any) -> None:
        """Do nothing."""

    def show(self, picture: Any) -> None:
        """Do nothing."""

    def is_interrupted(self) -> bool:
        """Tell that nobody has ended it."""
        return False


def main(folder: Path, rank: int) -> int:
    """Start the host, say that it is ready, and take the steps; return the exit code."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    sys.path[:] = request["path"]
    sys.argv = [sys.argv[0], *request["argv"]]
    initialize = importlib.import_module("modules.initialize")
    initialize.imports()
    initialize.initialize()
    ours = "hypernetwork_workbench"
    errors = importlib.import_module(f"{ours}.hypernetworks.base.errors")
    several = importlib.import_module(f"{ours}.hypernetworks.ranks.several")
    settings = importlib.import_module(f"{ours}.hypernetworks.train.settings.job")
    training = importlib.import_module(f"{ours}.patches.runs.training")
    importlib.import_module("modules.shared").sd_model  # noqa: B018 - it is loaded now
    (folder / f"ready-{rank}").touch()
    try:
        job = settings.Job.from_mapping(request["job"])
        with (
            several.on_this_machine(),
            several.joined(rank, request["size"], request["meeting"], over_cpu=True) as ranks,
        ):
            log_dir = Path(request["log_dir"])
            training.run_job(job, _Unseen(), request["resume"], log_dir, ranks)
    except errors.RanksLostError:
        return _LOST
    except errors.WorkbenchError as error:
        (folder / f"problem-{rank}").write_text(str(error), encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
