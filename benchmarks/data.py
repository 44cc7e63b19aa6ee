"""What pictures cost: the second start on the same data, steps over many cached latents, memory over many steps."""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.data.encoding import encode, encode_parts
from hypernetwork_workbench.hypernetworks.kernels.memory import process_mb
from hypernetwork_workbench.hypernetworks.train import make_plan, train
from hypernetwork_workbench.hypernetworks.train.state import make_state
from hypernetwork_workbench.hypernetworks.train.trainer import make_trainer

from . import training_cases
from .clock import spread
from .machine import describe
from .training import OURS, Sides
from .training_cases import Case, SilentProgress, draw_pictures, loaded

CASE = Case("demo", 64)
PICTURES = (10, 100, 1000)
STEPS = 2000
_ENCODED_PICTURES = 200
_ENCODED_PX = 256
_TURN_STEPS = 20
_TURNS = 5
_SETTLED = 500
_SAMPLED_EVERY = 10


def measure(rounds: int) -> dict[str, Any]:
    """Measure each case in `rounds` rounds, memory once; return the machine and the cases as `bench` prints them."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with loaded(CASE):
        cases = [*second_start(rounds), *steps_over_many(rounds), memory_over_steps(STEPS)]
    return {"machine": describe(device), "cases": cases}


def second_start(rounds: int) -> list[dict[str, Any]]:
    """Return the seconds from the job to encoded latents, first and second time, with the model's own encoders."""
    times: dict[str, list[float]] = {"first": [], "second": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            pictures = draw_pictures(folder / "pictures", _ENCODED_PICTURES, _ENCODED_PX)
            for found in times.values():
                start = time.perf_counter()
                start_on(pictures, folder, _ENCODED_PX)
                found.append(time.perf_counter() - start)
    ratio = statistics.median(times["first"]) / statistics.median(times["second"])
    return [
        {"case": f"{which} start", "pictures": _ENCODED_PICTURES, **spread("seconds", found), "ratio": value}
        for (which, found), value in zip(times.items(), (1.0, round(ratio, 1)), strict=True)
    ]


def start_on(pictures: Path, folder: Path, px: int) -> None:
    """Go from a job on pictures to their encoded latents, by the loaded model's own encoders or from the cache."""
    from hypernetwork_workbench.patches.model.encoders import HostEncoder  # noqa: PLC0415 (needs the running host)

    ports = training_cases.ports(folder, HostEncoder())
    plan = make_plan(training_cases.job(pictures, Case("demo", px)), ports)
    encode_parts((plan.training,), ports, plan.cache)


def steps_over_many(rounds: int) -> list[dict[str, Any]]:
    """Return the processor seconds of a step over few and many latents, with ratios to the fewest of the round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = {count: _sides(folder / str(count), count) for count in PICTURES}
        times: dict[int, list[float]] = {count: [] for count in PICTURES}
        for number in range(rounds * _TURNS):
            # In alternating order, so that slow drifts affect all counts alike.
            for count in PICTURES if number % 2 == 0 else PICTURES[::-1]:
                start = time.process_time()
                taken = len(sides[count].take(OURS, _TURN_STEPS)) + 1
                times[count].append((time.process_time() - start) / taken)
            gc.collect()
    fewest = times[PICTURES[0]]
    return [
        {
            "case": "steps over latents",
            "pictures": count,
            **spread("seconds", found, digits=4),
            "ratio": round(statistics.median(one / other for one, other in zip(found, fewest, strict=True)), 3),
        }
        for count, found in times.items()
    ]


def _sides(folder: Path, count: int) -> Sides:
    from hypernetwork_workbench.patches.model import host as patched  # noqa: PLC0415 (needs the running host)

    pictures = draw_pictures(folder / "pictures", count, CASE.px)
    ports = training_cases.ports(folder)
    plan = make_plan(training_cases.job(pictures, CASE), ports)
    data = encode(plan.training, ports.encoder, ports.progress)
    trainer = make_trainer(plan, ports.denoiser, data, make_state(plan.job, plan.network, ports.denoiser))
    return Sides(trainer, patched.unet())


class _Watch(SilentProgress):
    """Records the memory of the process during a run."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []

    def report(self, done: int, total: int, text: str) -> None:
        """Record the memory every few steps, once everything that lasts has been allocated."""
        if text.startswith("step") and done >= _SETTLED and done % _SAMPLED_EVERY == 0:
            self.points.append((done, process_mb() * 1024))

    def slope(self) -> float:
        """Return the growth by least squares, in KiB a step."""
        steps, sizes = ([point[axis] for point in self.points] for axis in (0, 1))
        return statistics.linear_regression(steps, sizes).slope


def memory_over_steps(steps: int) -> dict[str, Any]:
    """Return how much resident memory grows over a whole run with its log, in KiB a step."""
    watch = _Watch()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pictures = draw_pictures(folder / "pictures", PICTURES[0], CASE.px)
        ports = training_cases.ports(folder, progress=watch)
        start = time.perf_counter()
        train(training_cases.job(pictures, CASE, train={"max_steps": steps}), ports)
        passed = time.perf_counter() - start
    return {
        "case": f"memory over {steps} steps",
        "pictures": PICTURES[0],
        "seconds": round(passed, 1),
        "slope_kb_per_step": round(watch.slope(), 3),
    }
