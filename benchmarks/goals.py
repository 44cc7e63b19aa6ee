"""What was promised, each as one number that takes seconds and that a busy machine does not change; tests hold them."""

from __future__ import annotations

import gc
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from . import startup
from .clock import own_s
from .data import start_on
from .machine import describe
from .tensors import TensorPeak
from .training import OURS, REFERENCE, Sides
from .training_cases import Case, draw_pictures, loaded, make_trainer_for

_SPEED_CASE = Case("demo", 256, batch_size=2)
_MEMORY_CASE = Case("narrow", 64)
_TURNS, _TURN_STEPS, _MEMORY_STEPS = 2, 1, 1
_PICTURES, _SECOND_STARTS = 48, 8


@dataclass(frozen=True)
class Goal:
    """A number and its limit.

    Attributes:
        name: what is measured.
        measure: returns the number.
        limit: what it must reach.
        is_least: whether the limit is the least that is good; else the most.
    """

    name: str
    measure: Callable[[], float]
    limit: float
    is_least: bool

    def is_met(self, found: float) -> bool:
        """Tell whether a number is good enough."""
        return found >= self.limit if self.is_least else found <= self.limit


def measure(rounds: int) -> dict[str, Any]:
    """Measure every goal `rounds` times; return the machine, and the median of each as `bench` prints it."""
    return {"machine": describe(torch.device("cpu")), "cases": [_case(goal, rounds) for goal in GOALS]}


def _case(goal: Goal, rounds: int) -> dict[str, Any]:
    found = statistics.median(goal.measure() for _ in range(rounds))
    wanted = f"at {'least' if goal.is_least else 'most'} {goal.limit:g}"
    return {"goal": goal.name, "found": round(found, 3), "wanted": wanted, "met": goal.is_met(found)}


def training_speedup() -> float:
    """Return how many times as long as ours a step takes that works as the WebUI's trainer does."""
    with _sides(_SPEED_CASE) as sides:
        times: dict[str, list[float]] = {OURS: [], REFERENCE: []}
        for _ in range(_TURNS):
            for side, found in times.items():
                found += [one.own_s for one in sides.take(side, _TURN_STEPS)]
    return min(times[REFERENCE]) / min(times[OURS])


def memory_ratio() -> float:
    """Return the peak of the tensors of two steps above the loaded model, ours as a part of the reference's."""
    peaks = {}
    for side in (OURS, REFERENCE):
        with _sides(_MEMORY_CASE) as sides:
            gc.collect()
            with TensorPeak() as tensors:
                sides.take(side, _MEMORY_STEPS)
            peaks[side] = tensors.peak_mb
    return peaks[OURS] / peaks[REFERENCE]


def cache_speedup() -> float:
    """Return how many times as long the first start on some pictures takes as the later ones, with the demo's VAE."""
    with _one_thread(), loaded(Case("demo", 256)), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = draw_pictures(folder / "pictures", _PICTURES, 256)
        first, *later = [_own_s_of(lambda: start_on(pictures, folder, 256)) for _ in range(1 + _SECOND_STARTS)]
    return first / min(later)


def startup_s() -> float:
    """Return the processor seconds that the extension adds to the host's start, the median of three."""
    return float(startup.extension(3)["processor_seconds"])


GOALS: tuple[Goal, ...] = (
    Goal("training, speed beside the reference", training_speedup, 2.0, is_least=True),
    Goal("training, memory beside the reference", memory_ratio, 0.5, is_least=False),
    Goal("start on pictures that were encoded before, times as fast", cache_speedup, 10.0, is_least=True),
    Goal("start of the extension, processor seconds", startup_s, 0.5, is_least=False),
)


@contextmanager
def _sides(case: Case) -> Iterator[Sides]:
    with _one_thread(), loaded(case) as running, tempfile.TemporaryDirectory() as folder:
        trainer, _ = make_trainer_for(case, Path(folder))
        yield Sides(trainer, running.model.model.diffusion_model)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute in this thread alone, which is the one that the clock watches."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _own_s_of(work: Callable[[], None]) -> float:
    start = own_s()
    work()
    return own_s() - start
