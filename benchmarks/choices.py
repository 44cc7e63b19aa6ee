"""What each choice of the trainer's kernels is worth: a step as it is beside one with the other choice, in turns.

Both are measured in one run with one thread, by a clock that leaves out the waiting for a core; the least of the turns
counts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from hypernetwork_workbench.hypernetworks.kernels import attention, compiled, onednn
from hypernetwork_workbench.hypernetworks.train.trainer import Trainer
from torch import Tensor, nn

from .clock import own_s
from .machine import describe
from .training import OURS, Sides
from .training_cases import Case, loaded, make_trainer_for

CASES = (Case("demo", 64, batch_size=8), Case("demo", 256))
_TURNS = 3
#: Weights of a network of structure 1, 2, 1 for SD1.
_TRAINED = 22_000_000
#: Widths of self-attention in SD1, and the tokens of 256 pixels there.
_WIDTHS = {320: 1024, 640: 256, 1280: 64}

Work = Callable[[], object]


def measure(rounds: int) -> dict[str, Any]:
    """Measure every choice in `rounds` times three turns; return the machine and the cases as `bench` prints them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        steps = [found for case in CASES for found in _in_steps(case, rounds * _TURNS)]
        return {"machine": describe(torch.device("cpu")), "cases": [*steps, *_alone(rounds * _TURNS)]}
    finally:
        torch.set_num_threads(before)


def _in_steps(case: Case, turns: int) -> Iterator[dict[str, Any]]:
    """Yield what whole steps take with and without each choice."""
    with loaded(case) as running, tempfile.TemporaryDirectory() as folder:
        trainer, _ = make_trainer_for(case, Path(folder))
        unet = running.model.model.diffusion_model
        sides = Sides(trainer, unet)
        others: dict[str, Callable[[], AbstractContextManager[Any]]] = {
            "layers on oneDNN, not torch's BLAS": lambda: mock.patch.object(onednn, "takes", return_value=False),
            "torch's fused attention, not plain products": lambda: mock.patch.object(
                attention, "_sdpa", plain_attention
            ),
            "torch's own layout of weights, not channels-last": lambda: _channels_last(unet),
            "plain blocks, not compiled ones": lambda: compiled_blocks(trainer),
        }
        for name, other in others.items():

            def step(way: AbstractContextManager[Any] | None = None) -> float:
                if way is None:
                    return min(one.own_s for one in sides.take(OURS, 1))
                with way:
                    return min(one.own_s for one in sides.take(OURS, 1))

            pairs = [(step(), step(other())) for _ in range(turns)]
            yield _case(name, f"step of the demo model, {case.px} px, batch {case.batch_size}", pairs)


def _alone(turns: int) -> Iterator[dict[str, Any]]:
    """Yield what parts take by themselves."""
    weights = [torch.zeros(_TRAINED // 4, requires_grad=True) for _ in range(4)]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    fused, plain = (torch.optim.AdamW(weights, lr=1e-5, fused=is_fused) for is_fused in (True, False))
    pairs = [(_seconds(fused.step), _seconds(plain.step)) for _ in range(turns)]
    yield _case("AdamW fused, not in several calls", f"step for {_TRAINED // 1_000_000} M weights", pairs)
    for width, tokens in _WIDTHS.items():
        _, apart, joined = two_networks(width, tokens)
        pairs = [(_seconds(apart), _seconds(joined)) for _ in range(turns)]
        yield _case("networks of k and v apart, not as one product", f"{tokens} tokens of width {width}", pairs)


def _case(choice: str, measured: str, pairs: list[tuple[float, float]]) -> dict[str, Any]:
    ours, other = (min(pair[side] for pair in pairs) for side in (0, 1))
    seconds = {"seconds": round(ours, 4), "otherwise": round(other, 4)}
    return {"choice": choice, "measured": measured, **seconds, "otherwise / ours": round(other / ours, 2)}


def _seconds(work: Work) -> float:
    start = own_s()
    work()
    return own_s() - start


def plain_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Return the attention of q, k and v [batch, heads, tokens, head width] as two products."""
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    return (scores if mask is None else scores.masked_fill(~mask, float("-inf"))).softmax(-1) @ v


@contextmanager
def _channels_last(unet: nn.Module) -> Iterator[None]:
    unet.to(memory_format=torch.channels_last)
    try:
        yield
    finally:
        unet.to(memory_format=torch.contiguous_format)


@contextmanager
def compiled_blocks(trainer: Trainer) -> Iterator[None]:
    """Let the trainer compile the U-Net, on a CPU too."""
    compiling = replace(trainer.computing, compiles=True)
    with (
        mock.patch.object(compiled, "_DEVICES", ("cpu", "cuda")),
        mock.patch.object(compiled, "obstacle", return_value=""),
        mock.patch.object(trainer, "computing", compiling),
    ):
        yield


def two_networks(width: int, tokens: int) -> tuple[nn.ModuleList, Work, Work]:
    """Return two networks 1, 2, 1, and a forward and backward pass of one after the other, and of both as one."""
    nets = nn.ModuleList(
        nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)) for _ in range(2)
    )
    x = torch.randn(tokens, width, requires_grad=True)

    def apart() -> None:
        torch.stack([net(x) for net in nets]).sum().backward()

    def joined() -> None:
        layers = [(one, other) for one, other in zip(nets[0], nets[1], strict=True) if isinstance(one, nn.Linear)]
        found = x.expand(2, -1, -1)
        for number, pair in enumerate(layers):
            weight = torch.stack([layer.weight for layer in pair]).transpose(1, 2)
            bias = torch.stack([layer.bias for layer in pair])[:, None]
            found = torch.baddbmm(bias, found.relu() if number else found, weight)
        found.sum().backward()

    return nets, apart, joined
