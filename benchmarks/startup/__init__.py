"""What the extension adds to the start of the host, and how long one waits for the page and for the demo.

The extension is started (scripts loaded, patches installed, options registered) as in the WebUI: each round is a
process of its own, in which everything is loaded that the WebUI has loaded before it loads extensions. The extension's
bytecode is there, as from the second start on: one round before the first makes it.
"""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from standalone import host

from ..clock import spread
from ..machine import describe
from . import waiting

#: What the WebUI has imported before it loads an extension, besides its own modules.
_HOST_HAS = ("torch", "numpy", "PIL.Image", "gradio", "safetensors.torch", "psutil", "omegaconf", "transformers")


def measure(rounds: int) -> dict[str, Any]:
    """Measure in `rounds` fresh processes, the demo in one; return the machine and the cases as `bench` prints them."""
    with tempfile.TemporaryDirectory() as folder:
        data, made = Path(folder) / "data", Path(folder) / "demo"
        waiting.page(data)  # the first start makes what later ones find
        pages = [waiting.page(data) for _ in range(rounds)]
        cases = [
            extension(rounds),
            _case("the page, from its command on", pages),
            _case("the demo, from its command to the end", [waiting.demo(made)]),
        ]
    return {"machine": describe(torch.device("cpu")), "cases": cases}


def extension(rounds: int) -> dict[str, Any]:
    """Measure what the extension adds to the start of the host in `rounds` fresh processes; return the case."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as bytecode, context.Pool(1, maxtasksperchild=1) as pool:
        _, *found = [pool.apply(_start, [bytecode]) for _ in range(1 + rounds)]
    case = _case("the extension, in the start of the host", [times for *times, _ in found])
    return {**case, "modules": found[0][2]}


def _case(what: str, times: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return a case by its seconds and processor seconds, one pair for each round."""
    seconds, processor_seconds = zip(*times, strict=True)
    return {"what": what, **spread("seconds", seconds), **spread("processor_seconds", processor_seconds)}


def _start(bytecode: str) -> tuple[float, float, int]:
    """Return seconds, processor seconds and number of modules of one start of the extension.

    Args:
        bytecode: a folder that keeps what Python compiles.
    """
    with tempfile.TemporaryDirectory() as folder:
        running = host.prepare(["--no-browser", "--data-dir", folder], extension=False)
        for name in (*_HOST_HAS, "modules.sd_ldm", "modules.processing", "modules.sd_samplers"):
            importlib.import_module(name)
        extensions, scripts = running.module("extensions"), running.module("scripts")
        extensions.use([str(host.ROOT)])
        before = set(sys.modules)
        sys.pycache_prefix, sys.dont_write_bytecode = bytecode, False
        passed, used = time.perf_counter(), time.process_time()
        scripts.load_scripts()
        running.module("script_callbacks").ui_settings_callback()
        passed, used = time.perf_counter() - passed, time.process_time() - used
        if not any(name.startswith("hypernetwork_workbench.patches") for name in set(sys.modules) - before):
            raise RuntimeError("the extension was loaded before it was measured")
        running.stop()
        return passed, used, len(set(sys.modules) - before)
