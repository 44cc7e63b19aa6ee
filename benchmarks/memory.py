"""The estimates of memory that the trainer decides by, for a U-Net of SD1's shape; nothing is computed for them.

They are those of a GPU too, where none is at hand: counted on torch's meta device, in the dtypes of a run there.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any
from unittest import mock

import torch
from hypernetwork_workbench.hypernetworks.kernels import stored_layers
from hypernetwork_workbench.hypernetworks.kernels.memory import MB, Activations
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from torch import nn

from . import models, shapes
from .machine import describe
from .training_cases import Case, loaded


def measure(_rounds: int) -> dict[str, Any]:
    """Count each case once; return the machine and the cases as `bench` prints them."""
    with loaded(Case("demo", 64)) as running:
        with torch.device("meta"):
            unet = models.hollow_unet(running)
            xl = shapes.hollow_unet(running, shapes.XL)
        cases = [*_cases(unet), *_stored("SD1", unet), *_stored("SDXL", xl.half())]
        return {"machine": describe(torch.device("cpu")), "cases": cases}


def _cases(unet: nn.Module) -> list[dict[str, Any]]:
    half, network = torch.float16, Hypernetwork.create(Structure(activation="relu"), models.WIDTHS, 0)
    count = partial(_count, (unet, network))
    return [
        _case("step on a CPU, 256 px, float32", count(torch.float32, 256, "cpu")),
        _case("step on a GPU, 512 px, fp16", count(half, 512, "cuda", half)),
        _case("the same on torch's own frozen layers", count(half, 512, "cuda", half, is_lean=False)),
        _case("the same with autocast to bf16", count(half, 512, "cuda", torch.bfloat16)),
        {"estimate of": "the network, float32", "none": round(_bytes(network.float()) / MB)},
    ]


def _stored(name: str, unet: nn.Module) -> list[dict[str, Any]]:
    """Return the bytes of a U-Net's weights in fp16, and while some of them rest in eight bits."""
    from hypernetwork_workbench.patches.model import lean_layers  # noqa: PLC0415 (after the host)

    whole = _bytes(unet)
    sizes = {"fp16": whole, "fp8 during a run": whole - stored_layers.freed_bytes(lean_layers.storable(unet))}
    return [{"estimate of": f"the U-Net of {name}, {form}", "none": round(size / MB)} for form, size in sizes.items()]


def _bytes(module: nn.Module) -> int:
    return sum(weight.nbytes for weight in module.parameters())


def _case(name: str, found: Activations) -> dict[str, Any]:
    kinds = ("none", "attention", "all")
    return {"estimate of": name, **{kind: round(found.of(kind) / MB) for kind in kinds}}


def _count(
    modules: tuple[nn.Module, Hypernetwork],
    dtype: torch.dtype,
    px: int,
    device: str,
    autocast: torch.dtype | None = None,
    *,
    is_lean: bool = True,
) -> Activations:
    """Return the bytes that a step of one picture keeps, for each choice of checkpointing."""
    from hypernetwork_workbench.patches.model import activation_memory, lean_layers  # noqa: PLC0415 (after the host)

    unet, network = modules
    unet.to(dtype).dtype = dtype
    with nullcontext() if is_lean else mock.patch.object(lean_layers, "lean", return_value=nullcontext()):
        found = activation_memory.count(unet, network, (1, px, px), device, autocast)
    if found is None:
        raise RuntimeError("the memory of this U-Net cannot be estimated")
    return found
