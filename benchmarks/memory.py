"""The estimates of memory that the trainer decides by, for a U-Net of SD1's shape; nothing is computed for them.

They are those of a GPU too, where none is at hand: counted on torch's meta device, in the dtypes of a run there.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any
from unittest import mock

import torch
from hypernetwork_workbench.hypernetworks.kernels.memory import MB, Activations
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from torch import nn

from . import models
from .machine import describe
from .training_cases import Case, loaded


def measure(_rounds: int) -> dict[str, Any]:
    """Count each case once; return the machine and the cases as `bench` prints them."""
    with loaded(Case("demo", 64)) as running:
        with torch.device("meta"):
            unet = models.hollow_unet(running)
        return {"machine": describe(torch.device("cpu")), "cases": _cases(unet)}


def _cases(unet: nn.Module) -> list[dict[str, Any]]:
    half, network = torch.float16, Hypernetwork.create(Structure(activation="relu"), models.WIDTHS, 0)
    count = partial(_count, (unet, network))
    weights = {"the network, float32": network.float(), "the U-Net, fp16": unet.to(half)}
    return [
        _case("step on a CPU, 256 px, float32", count(torch.float32, 256, "cpu")),
        _case("step on a GPU, 512 px, fp16", count(half, 512, "cuda", half)),
        _case("the same on torch's own frozen layers", count(half, 512, "cuda", half, is_lean=False)),
        _case("the same with autocast to bf16", count(half, 512, "cuda", torch.bfloat16)),
        *({"estimate of": name, "none": round(_bytes(one) / MB)} for name, one in weights.items()),
    ]


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
