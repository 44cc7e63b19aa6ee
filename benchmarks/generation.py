"""What hypernetworks cost at generation: seconds per sampling step, the plain path compared with the exact shortcuts.

A U-Net of SD1's shape with random weights takes steps at 256 x 256 pixels with guidance, so in batches of two. The
cases take turns in one process. On a CPU the ratios are of processor time, so that other work on the machine does not
distort them; on a GPU of wall time.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.compose import parse
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from torch import nn

from standalone import host

from . import models
from .machine import describe

PATHS = ("plain", "fast")
NETWORKS = ("0", "1 linear", "3 linear", "1 mish", "3 mish", "composition")
_COMPOSITION = '["linear 1", {"mish 1": 0.5, "mish 2": 0.3, "linear 2": 0.2}]'
_LATENT_SIZE = 256 // 8
_STRENGTH = 0.8
_TIMED_STEPS = 2

#: Seconds of wall time and of processor time.
Seconds = tuple[float, float]
#: Times of a step by networks and path, one for each round.
Times = dict[tuple[str, str], list[Seconds]]


def measure(rounds: int) -> dict[str, Any]:
    """Measure every case in each of `rounds` rounds; return the machine and the cases as `bench` prints them."""
    with tempfile.TemporaryDirectory() as folder:
        running = host.start(data_dir=folder, extension=False, load_model=False)
        try:
            return _measure(running, rounds)
        finally:
            running.stop()


def _measure(running: host.Host, rounds: int) -> dict[str, Any]:
    from hypernetwork_workbench import patches  # noqa: PLC0415 (needs the running host)

    device = running.module("devices").device
    unet = models.random_unet(running)
    models.put_in(running, unet)
    patches.install_all()
    try:
        steps = _Steps(running, unet, _chains(), device)
        times, starts = steps.take(rounds)
    finally:
        patches.uninstall_all()
    clock = 1 if device.type == "cpu" else 0
    return {
        "machine": describe(device),
        "cases": [
            {
                "networks": networks,
                "path": path,
                "seconds_per_step": round(statistics.median(each[0] for each in times[networks, path]), 3),
                "processor_seconds_per_step": round(statistics.median(each[1] for each in times[networks, path]), 3),
                "ratio_to_none": round(_ratio(times, (networks, path), clock), 3),
                "processor_seconds_before": round(statistics.median(each[1] for each in starts[networks, path]), 3),
            }
            for networks, path in itertools.product(NETWORKS, PATHS)
        ],
    }


def _ratio(times: Times, case: tuple[str, str], clock: int) -> float:
    """Return the median over the rounds of the ratio to the quicker step without networks in the same round."""
    nones = zip(*(times["0", path] for path in PATHS), strict=True)
    none = [min(each[clock] for each in pair) for pair in nones]
    return statistics.median(one[clock] / other for one, other in zip(times[case], none, strict=True))


def _chains() -> dict[str, list[Any]]:
    """Return what stands in `shared.loaded_hypernetworks` in each case."""
    from hypernetwork_workbench.patches.model.loaded import LoadedComposition, LoadedNetwork  # noqa: PLC0415

    networks = {}
    for kind, number in itertools.product(("linear", "mish"), (1, 2, 3)):
        structure = Structure(activation=kind, init_std=0.01)
        made = Hypernetwork.create(structure, models.WIDTHS, number).requires_grad_(False)
        networks[f"{kind} {number}"] = made
    loaded = {name: LoadedNetwork(network, name) for name, network in networks.items()}
    composition = parse(_COMPOSITION)
    named = {name: networks[name] for name in composition.names}
    chains: dict[str, list[Any]] = {
        "0": [],
        "1 linear": [loaded["linear 1"]],
        "3 linear": [loaded[f"linear {number}"] for number in (1, 2, 3)],
        "1 mish": [loaded["mish 1"]],
        "3 mish": [loaded[f"mish {number}"] for number in (1, 2, 3)],
        "composition": [LoadedComposition(composition, named, "composition")],
    }
    for each in itertools.chain.from_iterable(chains.values()):
        each.set_multiplier(_STRENGTH)
    return chains


class _Steps:
    """Takes sampling steps in turn."""

    def __init__(self, running: host.Host, unet: nn.Module, chains: dict[str, list[Any]], device: torch.device) -> None:
        self.chains, self.unet = chains, unet
        self.shared = running.module("shared")
        self.device = device
        generator = torch.Generator(device).manual_seed(1)
        self.latents = torch.randn(2, 4, _LATENT_SIZE, _LATENT_SIZE, generator=generator, device=device)
        self.context = torch.randn(2, 77, 768, generator=generator, device=device)

    @torch.no_grad()
    def take(self, rounds: int) -> tuple[Times, Times]:
        """Return the seconds of a step in each round, and what the first two steps took beyond that."""
        cases = list(itertools.product(NETWORKS, PATHS))
        times: Times = {case: [] for case in cases}
        starts: Times = {case: [] for case in cases}
        self._step()
        for number in range(rounds):
            # In alternating order, so that slow drifts affect all cases alike.
            for case in cases if number % 2 == 0 else reversed(cases):
                start, step = self._case(*case)
                starts[case].append(start)
                times[case].append(step)
            gc.collect()
        return times, starts

    def _case(self, networks: str, path: str) -> tuple[Seconds, Seconds]:
        from hypernetwork_workbench.patches.model.shortcuts import shortcuts  # noqa: PLC0415 (needs the running host)

        self.shared.loaded_hypernetworks[:] = self.chains[networks]
        try:
            with shortcuts.generation(), _switched(self.shared, is_on=path == "fast"):
                # The first step sees the networks for the first time; before the second they are folded in.
                first = self._step(), self._step()
                steps = [self._step() for _ in range(_TIMED_STEPS)]
            step = min(each[0] for each in steps), min(each[1] for each in steps)
            before = [max(0.0, first[0][clock] + first[1][clock] - 2 * step[clock]) for clock in (0, 1)]
            return (before[0], before[1]), step
        finally:
            self.shared.loaded_hypernetworks[:] = []

    def _step(self) -> Seconds:
        context = self.context.clone()  # as the host makes it anew at each step
        self._wait()
        start = time.perf_counter(), time.process_time()
        self.unet(self.latents, torch.full((2,), 500, device=self.device), context=context)
        self._wait()
        return time.perf_counter() - start[0], time.process_time() - start[1]

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@contextmanager
def _switched(shared: Any, is_on: bool) -> Iterator[None]:
    from hypernetwork_workbench.patches.patching import switches  # noqa: PLC0415 (needs the running host)

    before = shared.opts.data.get(switches.SHORTCUTS)
    shared.opts.data[switches.SHORTCUTS] = is_on
    try:
        yield
    finally:
        shared.opts.data.pop(switches.SHORTCUTS)
        if before is not None:
            shared.opts.data[switches.SHORTCUTS] = before
