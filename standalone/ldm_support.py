"""Imports `ldm`, `sgm` and `k_diffusion` from PyPI without the optional packages that they ask for."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.machinery
import importlib.util
import io
import logging
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep libraries' console messages off the standard output."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def _stand_ins(*names: str) -> Iterator[None]:
    """Put empty modules in place of packages that are imported but not needed, and remove them afterwards."""
    added = []
    for name in names:
        if name not in sys.modules:
            module = types.ModuleType(name)
            module.__spec__ = importlib.machinery.ModuleSpec(name, None)
            sys.modules[name] = module
            added.append(name)
            parent, _, child = name.rpartition(".")
            if parent in added:
                setattr(sys.modules[parent], child, module)
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


@functools.cache
def ldm(name: str) -> Any:
    """Return a module of `ldm`, for instance ldm("modules.attention"); attention is never built for xformers."""
    with quiet():
        module = importlib.import_module(f"ldm.{name}")
        attention: Any = importlib.import_module("ldm.modules.attention")
    # xformers would make the blocks use a class that patches of CrossAttention miss.
    attention.MemoryEfficientCrossAttention = attention.CrossAttention
    attention.BasicTransformerBlock.ATTENTION_MODES["softmax-xformers"] = attention.CrossAttention
    return module


#: What a U-Net of `sgm` needs, in the order of its imports.
_SGM_PARTS = ("attention", "diffusionmodules", "diffusionmodules.util", "video_attention")


@functools.cache
def sgm(name: str) -> Any:
    """Return a module of `sgm`, for instance sgm("modules.attention"), under its own name, as the WebUI has it.

    imaginAIry carries it as `imaginairy.modules.sgm`, with a U-Net that takes its attention from elsewhere.
    """
    if "sgm.modules" not in sys.modules:
        spec = importlib.util.find_spec("imaginairy.modules")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError("imaginAIry is not installed", name="imaginairy")
        for package, places in (("sgm", []), ("sgm.modules", [str(Path(spec.origin).parent / "sgm")])):
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = places
        sys.modules["imaginairy.modules.sgm"] = sys.modules["sgm.modules"]
        logging.getLogger("sgm").setLevel(logging.ERROR)  # it warns of each layer that its depth is more than 1
        for part in _SGM_PARTS:
            sys.modules[f"imaginairy.modules.sgm.{part}"] = importlib.import_module(f"sgm.modules.{part}")
            sys.modules["imaginairy.modules.attention"] = sys.modules["sgm.modules.attention"]
        for part in ("openaimodel", "video_model"):  # the one imports the other again in each forward
            full = f"diffusionmodules.{part}"
            sys.modules[f"imaginairy.modules.sgm.{full}"] = importlib.import_module(f"sgm.modules.{full}")
    return importlib.import_module(f"sgm.{name}")


@functools.cache
def k_diffusion(name: str) -> Any:
    """Return a module of `k_diffusion`, for instance k_diffusion("sampling"), without its package's own imports."""
    if "k_diffusion" not in sys.modules:
        spec = importlib.util.find_spec("k_diffusion")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError("k-diffusion is not installed", name="k_diffusion")
        package = types.ModuleType("k_diffusion")
        package.__path__ = [str(Path(spec.origin).parent)]
        package.__spec__ = spec
        sys.modules["k_diffusion"] = package
    missing = importlib.util.find_spec("torchvision") is None
    vision = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional") if missing else ()
    with _stand_ins(*vision):
        return importlib.import_module(f"k_diffusion.{name}")
