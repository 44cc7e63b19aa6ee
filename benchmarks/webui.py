"""What a training step costs beside the WebUI's own trainer, in the WebUI that WEBUI_DIR names, on the demo model.

Both are started by the WebUI's own route; ours takes its place where the switch *training* is on. A step is the
difference between a short and a longer run, so that starting, encoding and saving are not in it, in processor time of
the whole WebUI.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import torch

from tests.real_host import webui, workplace

from .machine import describe
from .training_cases import draw_pictures

#: Side of the pictures in pixels, and pictures in a batch.
CASES = ((64, 8), (256, 1), (256, 4))
_SHORT, _LONG = 3, 11
_OURS, _THEIRS = "ours", "webui"
#: Sets without which the WebUI trains as it does by itself; with newer versions of torch it needs that of batches.
_SETS = ("training", "attention", "checkpointing", "loading")


def measure(rounds: int) -> dict[str, Any]:
    """Measure each case `rounds` times; return the machine and the cases as `bench` prints them."""
    machine = describe(torch.device("cpu"))
    if webui.installed() is None:
        return {"machine": machine, "skipped": "WEBUI_DIR names no installed WebUI"}
    with tempfile.TemporaryDirectory() as name:
        folder = workplace.make(Path(name) / "data")
        workplace.add_extension(folder)
        with webui.running(folder) as host:
            return {"machine": machine, "cases": [_case(host, *case, rounds) for case in CASES]}


def _case(host: webui.WebUI, px: int, batch_size: int, rounds: int) -> dict[str, Any]:
    pictures = draw_pictures(host.folder / f"{batch_size} of {px}", max(4, batch_size), px)
    # Without copies to save, even if none will be due, the WebUI's trainer makes no folder for its log.
    sizes = {"training_width": px, "training_height": px, "batch_size": batch_size, "save_hypernetwork_every": 1000}
    times: dict[str, list[float]] = {_OURS: [], _THEIRS: []}
    for turn in range(rounds):
        for side, found in times.items():
            host.call("/sdapi/v1/options", {f"hnw_patch_{name}": side == _OURS for name in _SETS})
            name = f"{batch_size} of {px} {side} {turn}"
            short, long = (_run_s(host, f"{name} {steps}", pictures, steps, sizes) for steps in (_SHORT, _LONG))
            found.append((long - short) / (_LONG - _SHORT))
    seconds = {f"{side}_processor_s": round(median(found), 3) for side, found in times.items()}
    ratios = [theirs / ours for ours, theirs in zip(times[_OURS], times[_THEIRS], strict=True)]
    return {"px": px, "batch_size": batch_size, **seconds, "speedup": round(median(ratios), 2)}


def _run_s(host: webui.WebUI, name: str, pictures: Path, steps: int, sizes: dict[str, int]) -> float:
    """Return the processor seconds of a whole run of a new network."""
    made = {"name": name, "enable_sizes": ["96", "64", "128"], "overwrite_old": False, "activation_func": "relu"}
    host.call("/sdapi/v1/create/hypernetwork", made)
    before = host.processor_s()
    said = host.train(name, pictures, steps, **sizes)
    if "error: None" not in said:
        raise RuntimeError(said)
    return host.processor_s() - before
