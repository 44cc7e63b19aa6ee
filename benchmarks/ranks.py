"""What several processes bring: the step of the demo job with one, and shared by two, as the log of a run tells it.

On the CPU each process has one core, as it would have one GPU.
"""

from __future__ import annotations

import csv
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from standalone import host

from .clock import spread
from .machine import describe

COUNTS = (1, 2)
#: Sides of the pictures, in pixels: small ones take a step that is short beside what the processes say to one another.
SIDES = (64, 256)
_STEPS, _SETTLED = 16, 4


def measure(rounds: int) -> dict[str, Any]:
    """Measure in `rounds` runs of each kind, taking turns; return the machine and the cases as `bench` prints them."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    counts = [count for count in COUNTS if device.type == "cpu" or count <= torch.cuda.device_count()]
    return {"machine": describe(device), "cases": [case for px in SIDES for case in _cases(px, counts, rounds)]}


def _cases(px: int, counts: list[int], rounds: int) -> list[dict[str, Any]]:
    times: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            times[count] += _step_seconds(px, count)
    alone = statistics.median(times[1])
    return [
        {
            "model": "demo",
            "px": px,
            "batch_size": 8,
            "processes": count,
            **spread("step_s", found),
            "speedup": round(alone / statistics.median(found), 2),
        }
        for count, found in times.items()
    ]


def _step_seconds(px: int, count: int) -> list[float]:
    """Return the seconds of each step of a run, without the first ones."""
    with tempfile.TemporaryDirectory() as name:
        changes = {
            "data.width": px,
            "data.height": px,
            "train.max_steps": _STEPS,
            "preview.every": 0,
            "output.dir": name,
            "output.sheet": "false",
            "output.save_state": "false",
            "evaluation.measures": "none",
        }
        command = [sys.executable, str(host.ROOT / "launch.py"), "train", str(host.ROOT / "examples" / "demo.toml")]
        command += ["--nproc", str(count), "--data-dir", str(Path(name) / "host")]
        command += [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        with (Path(name) / "night" / "log.csv").open(encoding="utf-8", newline="") as file:
            moments = [float(row["seconds"]) for row in csv.DictReader(file)]
    return [after - before for before, after in itertools.pairwise(moments[_SETTLED:])]
