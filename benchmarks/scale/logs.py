"""What a step costs its log and display, and what a log of many steps costs the Runs panel."""

from __future__ import annotations

import itertools
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.kernels.memory import PeakMemory
from hypernetwork_workbench.hypernetworks.train import records, train
from hypernetwork_workbench.hypernetworks.train.tracking.logs import CsvLog
from hypernetwork_workbench.hypernetworks.train.tracking.metrics import StepRecord
from hypernetwork_workbench.hypernetworks.train.tracking.monitor import Monitor

from ..training_cases import Case, SilentProgress, draw_pictures, job, ports

STEPS = (1000, 10_000, 100_000)
_PICTURES = 16


def log_cases(folder: Path) -> list[dict[str, Any]]:
    """Return processor seconds of each refresh, for runs of some and of many steps."""
    here = folder / "logs"
    case = Case("demo", 64)
    pictures = draw_pictures(here / "pictures", _PICTURES, case.px)
    train(job(pictures, case, train={"max_steps": 1}), ports(here))
    run = here / "logs" / "measured"
    return [_case(run, here, steps) for steps in STEPS]


def _case(run: Path, here: Path, steps: int) -> dict[str, Any]:
    folder = shutil.copytree(run, here / "runs" / str(steps))
    monitor = Monitor(SilentProgress(), steps, PeakMemory(torch.device("cpu")), None)
    log = CsvLog(folder / "log.csv", None)
    moments = [time.process_time()]
    for step in range(1, steps + 1):
        record = StepRecord(step, 1 + step // _PICTURES, 0.12345678 + step % 7 / 100, 1e-5, 1, 0.25)
        log.after_step(record)
        monitor.after_step(record)
    log.close()
    moments.append(time.process_time())
    monitor.chart()
    moments.append(time.process_time())
    found = records.read_record(folder, here / "networks")
    if found is None:
        raise RuntimeError(f"there is no run in {folder}")
    moments.append(time.process_time())
    replace(found, total=steps).curves()
    moments.append(time.process_time())
    all_steps, chart, listed, compared = (end - start for start, end in itertools.pairwise(moments))
    return {
        "case": "log",
        "steps": steps,
        "step_ms": round(all_steps / steps * 1000, 3),
        "chart_ms": round(chart * 1000, 1),
        "list_ms": round(listed * 1000, 1),
        "compare_ms": round(compared * 1000, 1),
    }
