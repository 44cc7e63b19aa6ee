"""Frozen blocks within something that trains, as code that `torch.compile` makes of them, for each shape once.

The code fuses what lies between the products, and keeps as much for the backward pass as the frozen layers do. It runs
where gradients are wanted, and its numbers are those of the blocks up to rounding. Each shape has code of its own: code
that suits all shapes would depend on which came first, and a run that continues would no longer be the same as one that
was not interrupted.

Nothing compiles in the background: the compiler winds torch's random numbers back to where they were when it started,
and would take away what the run drew meanwhile.
"""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Callable, Hashable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..base.errors import SettingsError
from .devices import autocast_dtype

#: Where blocks are compiled; on a CPU the layers' own kernels are faster.
_DEVICES = ("cuda",)
#: The oldest NVIDIA GPUs that torch's compiler makes code for.
_LEAST_CAPABILITY = (7, 0)
#: What makes the code, as `torch.compile` knows it.
BACKEND = "inductor"
_log = logging.getLogger(__name__)

#: A function of tensors and of numbers that stay the same.
Block = Callable[..., Tensor]


def check(device: torch.device, is_possible: bool) -> None:
    """Raise SettingsError where blocks cannot be compiled; on a CPU they simply are not.

    Args:
        is_possible: whether the host lets its blocks be compiled.
    """
    if not is_possible:
        raise SettingsError("train.compile_unet", "this host's U-Net cannot be compiled; switch it off")
    if device.type not in (*_DEVICES, "cpu"):
        raise SettingsError("train.compile_unet", "needs an NVIDIA or AMD GPU; switch it off")


def is_wanted(compiles: bool, device: torch.device) -> bool:
    """Tell whether blocks on the device are to be compiled."""
    return compiles and device.type in _DEVICES


def obstacle(device: torch.device) -> str:
    """Return why nothing can be compiled for a GPU here, as a part of a sentence; empty where it seems possible."""
    if importlib.util.find_spec("triton") is None:
        return "the package triton, which torch's compiler needs, is not installed"
    if torch.version.hip is None and torch.cuda.get_device_capability(device) < _LEAST_CAPABILITY:
        return "torch's compiler knows no GPU as old as this"
    return ""


def residual(
    x: Tensor, embedding: Tensor, *weights: Tensor, groups: tuple[int, int], eps: tuple[float, float]
) -> Tensor:
    """Return what a residual block makes of x [batch, inputs, height, width] and the embedding of the timestep.

    Args:
        embedding: of the timestep, [batch, size].
        weights: weight and bias of the first norm and convolution, of the linear layer for the embedding, of the second
            norm and convolution and, where the block changes the number of channels, of the convolution beside it.
        groups: of both norms.
        eps: of both norms.
    """
    found = _convolved(x, weights[0:4], groups[0], eps[0])
    added = functional.linear(functional.silu(embedding), weights[4], weights[5]).to(found.dtype)
    found = _convolved(found + added[:, :, None, None], weights[6:10], groups[1], eps[1])
    beside = weights[10:]
    return (functional.conv2d(x, beside[0], beside[1]) if beside else x) + found


def _convolved(x: Tensor, weights: tuple[Tensor, ...], groups: int, eps: float) -> Tensor:
    """Return a convolution of 3 x 3 of the SiLU of the group norm of x, which computes in float32."""
    normal = functional.group_norm(x.float(), groups, weights[0].float(), weights[1].float(), eps).to(x.dtype)
    return functional.conv2d(functional.silu(normal), weights[2], weights[3], padding=1)


def feed_forward(x: Tensor, *weights: Tensor) -> Tensor:
    """Return what a feed-forward block with a gate (GEGLU, Shazeer 2020) makes of x [batch, tokens, width].

    Args:
        weights: weight and bias of the linear layer before the gate, and of the one after it.
    """
    passed, gate = functional.linear(x, weights[0], weights[1]).chunk(2, dim=-1)
    return functional.linear(passed * functional.gelu(gate), weights[2], weights[3])


#: The code of all runs of this process: torch lets go of none, and a later run would make, and keep, the same again.
_MADE: dict[Hashable, Block] = {}


class Compiler:
    """Compiles blocks for the shapes that they meet, and leaves the rest as they are once that fails.

    Attributes:
        compiled: number of blocks and shapes that it has made code for.
        is_off: whether compiling has failed; what has code by then keeps it.
    """

    def __init__(self) -> None:
        self.compiled = 0
        self.is_off = False

    def made(self, block: Block, tensors: tuple[Tensor, ...], numbers: dict[str, Any]) -> Block | None:
        """Return code for `block` on tensors such as these; None where there can be none.

        Where there is none yet, from this run or another, it is made now and tried in both passes, which takes seconds.
        """
        switches = _switches(tensors[0].device)
        key = (block.__name__, BACKEND, *switches, *numbers.values(), *map(_form, tensors))
        found = _MADE.get(key)
        # What ran as code must do so again where a checkpoint computes it a second time, also when others failed since.
        if found is None and not self.is_off and (found := self._make(block, tensors, numbers)) is not None:
            _MADE[key] = found
        return found

    def _make(self, block: Block, tensors: tuple[Tensor, ...], numbers: dict[str, Any]) -> Block | None:
        started = time.monotonic()
        try:
            made: Block = torch.compile(_twin(block), dynamic=False, fullgraph=True, backend=BACKEND)
            _try(made, tensors, numbers)
        except Exception as error:  # a compiler may raise anything, and the run can do without
            cause = _cause(error)
            if isinstance(cause, torch.cuda.OutOfMemoryError):
                raise cause from None
            self.is_off = True
            reason = str(cause).strip().split("\n")[0] or type(cause).__name__
            _log.warning("Blocks of the U-Net that are not compiled yet stay as they are: %s", reason)
            _log.debug("What torch.compile raised:", exc_info=error)
            return None
        self.compiled += 1
        _log.info(
            "Compiled a block of the U-Net for %s in %.1f s.",
            " x ".join(map(str, tensors[0].shape)),
            time.monotonic() - started,
        )
        return made


def _cause(error: BaseException) -> BaseException:
    """Return what a backend raised, which torch hands on within an error of its own whose first line says nothing."""
    while isinstance(inner := getattr(error, "inner_exception", None), BaseException):
        error = inner
    return error


def _form(tensor: Tensor) -> Hashable:
    """Return all of a tensor that code for it depends on."""
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device, tensor.requires_grad


def _switches(device: torch.device) -> tuple[Hashable, ...]:
    """Return switches of torch whose change makes code useless; torch would make it anew, without a trial."""
    return autocast_dtype(device), torch.are_deterministic_algorithms_enabled()


def _twin(block: Any) -> FunctionType:
    """Return the same function apart: torch keeps only a few pieces of code for each."""
    twin = FunctionType(block.__code__.replace(), block.__globals__, block.__name__)
    twin.__kwdefaults__ = block.__kwdefaults__
    return twin


def _try(made: Block, tensors: tuple[Tensor, ...], numbers: dict[str, Any]) -> None:
    """Run both passes once; the backward pass, too, is only compiled when it is needed."""
    # A checkpoint around the block counts what is kept, and is not to count this.
    with torch.autograd.graph.saved_tensors_hooks(_same, _same):
        # Code is made anew where a tensor is computed instead of given, as those here will be.
        given = tuple(one.detach().requires_grad_().view_as(one) if one.requires_grad else one for one in tensors)
        learning = [tensor for tensor in given if tensor.requires_grad]
        found = made(*given, **numbers)
        if learning:
            torch.autograd.grad(found, learning, torch.zeros_like(found))


def _same(tensor: Tensor) -> Tensor:
    return tensor


class CompiledBlock:
    """The forward of one block: compiled where gradients are needed, else that which it had.

    Args:
        block: one of the functions above.
        layers: whose weights and biases it takes, in its order.
        numbers: what else it takes.
        plain: the forward of the block as it is.

    Attributes:
        is_equivalent: marks this forward as one that computes the same.
    """

    is_equivalent = True

    def __init__(
        self, compiler: Compiler, block: Block, layers: tuple[Any, ...], numbers: dict[str, Any], plain: Block
    ):
        self._compiler = compiler
        self._block = block
        self._layers = layers
        self._numbers = numbers
        self._plain = plain

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Map the inputs of the block as it does."""
        if torch.is_grad_enabled() and self._are_alike(inputs):
            tensors = (*inputs, *(tensor for layer in self._layers for tensor in (layer.weight, layer.bias)))
            made = self._compiler.made(self._block, tensors, self._numbers)
            if made is not None:
                return made(*tensors, **self._numbers)
        return self._plain(*inputs)

    def _are_alike(self, inputs: tuple[Tensor, ...]) -> bool:
        """Tell whether torch alone casts here: a host that does it itself wants its own forwards to run."""
        device = inputs[0].device
        if autocast_dtype(device) is not None:
            return True
        return all(tensor.dtype == self._layers[-1].weight.dtype for tensor in inputs)
