"""Counts the memory that a training step of the loaded U-Net would need, without computing it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ...hypernetworks.kernels.devices import simulated_autocast
from ...hypernetworks.kernels.memory import Activations
from ...hypernetworks.network.hypernetwork import Hypernetwork
from . import attention_layers, hooks, lean_layers, recomputing, temporary
from .shortcuts import shortcuts
from .unet_attention import on_kernel

_log = logging.getLogger(__name__)
_TOKENS = 77
_LATENT_CHANNELS = 4
#: Gradients of activations that exist at the same time, besides what is kept, in sizes of the largest tensor.
_ALIVE = 3
#: Functions that autocast computes in fewer bits on a GPU, and those in float32, besides attention.
_LOWER = frozenset({functional.linear, functional.conv2d})
_FULL = frozenset({functional.layer_norm, functional.group_norm})


class _Fused(torch.autograd.Function):
    """Keeps what a fused attention keeps for the backward pass: inputs, output and one number per query."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = torch.empty_like(q)
        ctx.save_for_backward(q, k, v, out, q.new_empty(q.shape[:-1], dtype=torch.float32))
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        raise NotImplementedError("nothing is computed here")


class _Autocast(TorchFunctionMode):
    """Imitates torch's autocast on a GPU for tensors of the meta device, for which torch has none.

    Args:
        dtype: the dtype that autocast computes in.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype
        #: The copies that autocast makes once of weights that learn.
        self._copies: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        _types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        wanted = self._dtype if func in _LOWER else torch.float32 if func in _FULL else None
        named = dict(kwargs or {})
        if wanted is not None:
            args = [self._cast(value, wanted) for value in args]
            named = {name: self._cast(value, wanted) for name, value in named.items()}
        return func(*args, **named)

    def _cast(self, value: Any, dtype: torch.dtype) -> Any:
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.dtype == dtype:
            return value
        if not (value.is_leaf and value.requires_grad) or dtype == torch.float32:
            return value.to(dtype)
        return self._copies.setdefault(id(value), (value, value.to(dtype)))[1]


class _Counter:
    """Adds up what autograd keeps for the backward pass: each storage once, weights not at all."""

    def __init__(self, weights: list[Tensor]) -> None:
        # Held, so that no other storage gets the address of one that was counted.
        self._seen = {weight.untyped_storage()._cdata: weight.untyped_storage() for weight in weights}
        self.total = self.largest = 0
        self._starts: list[int] = []
        self.blocks: list[tuple[nn.Module, int, int]] = []

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._seen:
            self._seen[storage._cdata] = storage
            self.total += storage.nbytes()
            self.largest = max(self.largest, storage.nbytes())
        return tensor

    def enter(self, _block: nn.Module, _inputs: Any) -> None:
        self._starts.append(self.total)

    def leave(self, block: nn.Module, inputs: tuple[Any, ...], _output: Any) -> None:
        self.blocks.append((block, self.total - self._starts.pop(), inputs[0].nbytes))

    def with_checkpoints(self, blocks: list[nn.Module]) -> int:
        """Return the bytes if these blocks keep only their inputs and are computed again one at a time."""
        chosen = set(blocks)
        kept = [(inside, around) for block, inside, around in self.blocks if block in chosen]
        again = max((inside for inside, _ in kept), default=0)
        return self.total - sum(inside for inside, _ in kept) + sum(around for _, around in kept) + again


def count(
    unet: nn.Module,
    network: Hypernetwork,
    batch: tuple[int, int, int],
    device_type: str,
    autocast: torch.dtype | None = None,
    dtype: torch.dtype | None = None,
) -> Activations | None:
    """Return the bytes for a batch (pictures, width and height in pixels), or None.

    They are counted in a forward on torch's meta device, where tensors have shapes but no numbers; None where the
    U-Net cannot run there.

    Args:
        device_type: type of the device for the step.
        autocast: dtype of autocast on a GPU; None without it.
        dtype: that of the U-Net's input; None: that of its weights.
    """
    with torch.device("meta"):
        twin = Hypernetwork(network.structure, network.widths)
    tensors = {**dict(unet.named_parameters()), **dict(unet.named_buffers())}
    hollow = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    counter = _Counter([*hollow.values(), *twin.parameters()])
    inputs = _inputs(unet, batch, dtype or next(unet.parameters()).dtype)
    inputs[-1].requires_grad_(not network.widths)  # without a network it is words that are trained
    try:
        with simulated_autocast(autocast), _Autocast(autocast) if autocast else nullcontext():
            _forward(unet, twin, hollow, inputs, counter, device_type)
    except (RuntimeError, NotImplementedError, TypeError, AttributeError, IndexError) as error:
        # Another extension may have replaced something by what needs real numbers.
        _log.info("The memory of a step cannot be estimated for this U-Net: %s", str(error).partition("\n")[0])
        return None
    alive = _ALIVE * counter.largest
    return Activations(
        *(alive + counter.with_checkpoints(recomputing.blocks(unet, kind)) for kind in ("none", "attention", "all"))
    )


def _inputs(unet: nn.Module, batch: tuple[int, int, int], dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy latents, timesteps and the text, without numbers."""
    pictures, width_px, height_px = batch
    noisy = torch.empty(pictures, _LATENT_CHANNELS, height_px // 8, width_px // 8, dtype=dtype, device="meta")
    timesteps = torch.zeros(pictures, dtype=torch.int64, device="meta")
    width = attention_layers.widths(unet)[0]
    return noisy, timesteps, torch.empty(pictures, _TOKENS, width, dtype=dtype, device="meta")


def _vector(unet: Any, context: Tensor) -> dict[str, Tensor]:
    """Return the vector that a U-Net as SDXL's takes besides, without numbers; nothing for others."""
    if getattr(unet, "num_classes", None) != "sequential":
        return {}
    return {"y": context.new_empty(len(context), unet.label_emb[0][0].in_features)}


def _forward(
    unet: nn.Module,
    twin: Hypernetwork,
    hollow: dict[str, Tensor],
    inputs: tuple[Tensor, Tensor, Tensor],
    counter: _Counter,
    device_type: str,
) -> None:
    *others, context = inputs
    with ExitStack() as stack:
        stack.enter_context(temporary.frozen(unet))
        stack.enter_context(temporary.without_checkpointing(unet))
        stack.enter_context(lean_layers.lean(unet, device_type))
        stack.enter_context(on_kernel(unet, lambda q, k, v, _mask: _Fused.apply(q, k, v)))
        stack.enter_context(temporary.attached(twin, 1.0))
        stack.enter_context(temporary.mode(twin, is_training=True))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(shortcuts.one_forward())
        for block in recomputing.blocks(unet, "all"):
            stack.callback(block.register_forward_pre_hook(counter.enter).remove)
            stack.callback(block.register_forward_hook(counter.leave).remove)
        stack.enter_context(torch.autograd.graph.saved_tensors_hooks(counter.pack, lambda tensor: tensor))
        named = {"context": context, **_vector(unet, context), **hooks.arguments()}
        torch.func.functional_call(unet, hollow, tuple(others), named)
