"""What 1,000 to 10,000 pictures, and large ones, cost before the first step, and 1,000 to 100,000 lines of a log."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.data.survey.survey import SurveyRequest, survey
from hypernetwork_workbench.hypernetworks.data.survey.thumbnails import Thumbnails
from hypernetwork_workbench.hypernetworks.kernels.memory import process_mb
from hypernetwork_workbench.hypernetworks.train import make_plan, train

from ..data import start_on
from ..machine import describe
from ..training_cases import Case, SilentProgress, draw_pictures, job, loaded, ports
from .logs import log_cases

CASE = Case("demo", 64)
PICTURES = (1000, 3000, 10_000)
_FEW = 16
_LARGE, _LARGE_PX = 16, 1024
_SAMPLED_EVERY_S = 0.02


def measure(rounds: int) -> dict[str, Any]:
    """Measure each case `rounds` times; return the machine and the cases as `bench` prints them."""
    with loaded(CASE), tempfile.TemporaryDirectory() as name:
        cases = [case for number in range(rounds) for case in _cases(Path(name) / str(number))]
        return {"machine": describe(torch.device("cpu")), "cases": cases}


def _cases(folder: Path) -> list[dict[str, Any]]:
    # The first run of a process pays for what torch sets up once.
    first = _first_step(folder / "first")
    many = [case for count in PICTURES for case in _of_many(folder, count)]
    return [first, *many, _of_large(folder / "large"), *log_cases(folder)]


def _first_step(folder: Path) -> dict[str, Any]:
    """Measure from the press to the first step on a few pictures, encoded by the demo model itself."""
    from hypernetwork_workbench.patches.model.encoders import HostEncoder  # noqa: PLC0415 (needs the running host)

    pictures = draw_pictures(folder / "pictures", _FEW, CASE.px)
    one_step = job(pictures, CASE, train={"max_steps": 1})
    return _measured("first step, encoded by the model", _FEW, lambda: train(one_step, ports(folder, HostEncoder())))


def _of_large(folder: Path) -> dict[str, Any]:
    """Measure from the job to encoded latents of a few large pictures, by the demo model itself."""
    pictures = draw_pictures(folder / "pictures", _LARGE, _LARGE_PX)
    return _measured("1 MP, encoded by the model", _LARGE, lambda: start_on(pictures, folder, _LARGE_PX))


def _of_many(folder: Path, count: int) -> list[dict[str, Any]]:
    here = folder / str(count)
    pictures = draw_pictures(here / "pictures", count, CASE.px)
    one_step = job(pictures, CASE, train={"max_steps": 1})
    thumbnails = Thumbnails()
    return [
        _measured("check", count, lambda: make_plan(one_step, ports(here))),
        _measured("survey", count, partial(_survey, pictures, thumbnails)),
        _measured("the same again", count, partial(_survey, pictures, thumbnails)),
        _measured("start to first step, random latents", count, lambda: train(one_step, ports(here))),
    ]


def _survey(pictures: Path, thumbnails: Thumbnails) -> None:
    data = DataSettings(folder=str(pictures), width=CASE.px, height=CASE.px)
    found = survey(SurveyRequest(data), thumbnails, SilentProgress())
    found.problems, found.buckets  # noqa: B018 (found when they are first asked for)


def _measured(case: str, count: int, act: Callable[[], object]) -> dict[str, Any]:
    """Return processor and wall seconds of a call, and by how many MB the process grew at its height."""
    before = process_mb()
    peak, is_over = [before], threading.Event()

    def watch() -> None:
        while not is_over.wait(_SAMPLED_EVERY_S):
            peak[0] = max(peak[0], process_mb())

    watching = threading.Thread(target=watch)
    watching.start()
    processor, wall = time.process_time(), time.perf_counter()
    try:
        act()
    finally:
        passed = time.process_time() - processor, time.perf_counter() - wall
        is_over.set()
        watching.join()
    return {
        "case": case,
        "pictures": count,
        "processor_s": round(passed[0], 2),
        "seconds": round(passed[1], 2),
        "peak_mb": round(max(peak[0], process_mb()) - before),
    }
