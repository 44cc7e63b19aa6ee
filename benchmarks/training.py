"""What a training step costs: the project's own, compared with one that works as the WebUI's trainer does.

Both train the same network on the same U-Net in one process and take turns. So does the limit: a bare forward and
backward pass of the frozen U-Net on the project's kernels, without any network or optimizer. Memory, the peak above
what the loaded model takes, is measured in a process for each, because a process keeps what it freed for a while. The
ratios of processor times are for machines that do other work meanwhile, which distorts the wall time.
"""

from __future__ import annotations

import gc
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hypernetwork_workbench.hypernetworks.kernels.memory import PeakMemory
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.ports import Denoiser
from hypernetwork_workbench.hypernetworks.train.trainer import Trainer
from torch.nn import functional

from .clock import own_s, spread
from .machine import describe
from .reference import Reference
from .training_cases import Case, loaded, make_trainer_for

OURS, REFERENCE, LIMIT = "ours", "reference", "limit"
CASES = (Case("demo", 64, batch_size=8), Case("demo", 256), Case("demo", 256, batch_size=4), Case("sd15", 256))
GPU_CASES = (Case("sd15", 512, dtype="float16"),)
_MEMORY_STEPS = 3
_SHORT_TURN_S = 2.0


class Seconds(NamedTuple):
    """The time of a step: on the wall, of the processor, and of this thread as `clock` counts it."""

    wall_s: float
    processor_s: float
    own_s: float

    @classmethod
    def now(cls) -> Seconds:
        """Return what the clocks show."""
        return cls(time.perf_counter(), time.process_time(), own_s())

    def since(self, start: Seconds) -> Seconds:
        """Return the time between."""
        return Seconds(*(one - other for one, other in zip(self, start, strict=True)))


#: Times of the steps, by side and round.
Times = dict[str, list[list[Seconds]]]


def measure(rounds: int) -> dict[str, Any]:
    """Measure every case in `rounds` rounds of each side; return the machine and the cases as `bench` prints them."""
    has_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if has_gpu else "cpu")
    cases = (*CASES, *GPU_CASES) if has_gpu else CASES
    return {"machine": describe(device), "cases": [measure_case(case, rounds) for case in cases]}


def measure_case(case: Case, rounds: int) -> dict[str, Any]:
    """Return times and peaks of one case."""
    # Memory first, while this process holds no model.
    peaks = {side: _in_own_process(case, side) for side in (OURS, REFERENCE)}
    times = _times(case, rounds)
    return {
        "model": case.model,
        "px": case.px,
        "batch_size": case.batch_size,
        "dtype": case.dtype,
        **spread("ours_s", [one.wall_s for turn in times[OURS] for one in turn]),
        **spread("reference_s", [one.wall_s for turn in times[REFERENCE] for one in turn]),
        **spread("limit_s", [one.wall_s for turn in times[LIMIT] for one in turn]),
        "speedup": _ratio(times, REFERENCE, OURS, 0),
        "processor_speedup": _ratio(times, REFERENCE, OURS, 1),
        "to_limit": _ratio(times, OURS, LIMIT, 1),
        "ours_peak_mb": round(peaks[OURS], 1),
        "reference_peak_mb": round(peaks[REFERENCE], 1),
        # A tiny model may fit into what the process had freed before.
        "memory_ratio": round(peaks[OURS] / peaks[REFERENCE], 3) if peaks[REFERENCE] else None,
    }


class Sides:
    """Both trainers, and the limit, over the same batches."""

    def __init__(self, trainer: Trainer, unet: torch.nn.Module) -> None:
        self.trainer = trainer
        self.batches = trainer.batches(0, sys.maxsize)
        self.unet = unet

    def take(self, side: str, least: int, least_s: float = 0.0) -> list[Seconds]:
        """Return the times of at least `least` steps over at least `least_s` seconds; a first step is not counted."""
        if side == OURS:
            with self.trainer.working():
                return self._repeat(self._ours, least, least_s)
        if side == LIMIT:
            with self.trainer.denoiser.training(_without_layers(self.trainer.denoiser), self.trainer.computing):
                return self._repeat(self._bare, least, least_s)
        reference = Reference(self.unet, self.trainer.state.network)
        with reference.working():
            return self._repeat(lambda: self._theirs(reference), least, least_s)

    def _repeat(self, step: Callable[[], None], least: int, least_s: float) -> list[Seconds]:
        step()
        self._wait()
        times: list[Seconds] = []
        while len(times) < least or sum(one.wall_s for one in times) < least_s:
            start = Seconds.now()
            step()
            self._wait()
            times.append(Seconds.now().since(start))
        return times

    def _ours(self) -> None:
        self.trainer.checked_record(self.trainer.step(next(self.batches)))

    def _theirs(self, reference: Reference) -> None:
        for batch in self.trainer.noisy_batches(next(self.batches)):
            reference.step(batch)

    def _bare(self) -> None:
        for batch in self.trainer.noisy_batches(next(self.batches)):
            noisy = batch.noisy.requires_grad_()
            prediction = self.trainer.denoiser.predict(noisy, batch.timesteps, batch.conditioning)
            functional.mse_loss(prediction.float(), batch.target).backward()

    def _wait(self) -> None:
        if self.trainer.denoiser.device.type == "cuda":
            torch.cuda.synchronize(self.trainer.denoiser.device)


def _without_layers(denoiser: Denoiser) -> Hypernetwork:
    """Return a network for a width that no layer of the U-Net has, on its device."""
    return Hypernetwork.create(Structure(), (max(denoiser.widths) + 1,), 0).to(denoiser.device)


def _ratio(times: Times, of: str, to: str, clock: int) -> float:
    """Return the median of the ratios of two sides round by round."""
    ratios = [
        statistics.median(one[clock] for one in above) / statistics.median(one[clock] for one in below)
        for above, below in zip(times[of], times[to], strict=True)
    ]
    return round(statistics.median(ratios), 2)


def _times(case: Case, rounds: int) -> Times:
    times: Times = {OURS: [], REFERENCE: [], LIMIT: []}
    with loaded(case) as running, tempfile.TemporaryDirectory() as folder:
        trainer, _ = make_trainer_for(case, Path(folder))
        sides = Sides(trainer, running.model.model.diffusion_model)
        for _ in range(rounds):
            for side in times:
                times[side].append(sides.take(side, 1, _SHORT_TURN_S))
                gc.collect()
    return times


def _in_own_process(case: Case, side: str) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(peak_mb, (case, side))


def peak_mb(case: Case, side: str) -> float:
    """Return the most MiB that a few steps of one side take above what the loaded model takes."""
    with loaded(case) as running, tempfile.TemporaryDirectory() as folder:
        unet = running.model.model.diffusion_model
        gc.collect()
        memory = PeakMemory(next(unet.parameters()).device)
        trainer, _ = make_trainer_for(case, Path(folder))
        Sides(trainer, unet).take(side, _MEMORY_STEPS)
        return memory.above_start_mb()
