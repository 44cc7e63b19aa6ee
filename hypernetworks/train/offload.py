"""Optimizer state off the GPU: always, with steps on the CPU, or while something else needs the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..kernels.devices import move
from .optim.optimizer_state import put_back
from .optim.pair import parts_of

CPU = torch.device("cpu")


class OptimizerOnCpu(torch.optim.Optimizer):
    """An optimizer with its state, and a copy of the weights that it changes, in main memory.

    With every step the gradients go there and the weights come back; those that autograd uses stay in place. With the
    weights on the CPU anyway the result is that of the inner optimizer, bit for bit.

    Args:
        parameters: the weights that are trained.
        build: makes the inner optimizer for copies of them.
    """

    def __init__(self, parameters: Iterable[Tensor], build: Callable[[list[Tensor]], torch.optim.Optimizer]) -> None:
        weights = list(parameters)
        copies: list[Tensor] = [torch.nn.Parameter(weight.detach().to(CPU, copy=True)) for weight in weights]
        self.inside = build(copies)
        super().__init__(weights, dict(self.inside.defaults))
        self._pairs = list(zip(weights, copies, strict=True))
        switches: Any = self.inside
        if hasattr(switches, "eval"):  # schedule-free optimizers show weights that differ from those they train
            self.eval, self.train = self._then_give(switches.eval), self._then_give(switches.train)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take a step on the CPU with the current gradients."""
        for outer, inner in zip(self.param_groups, self.inside.param_groups, strict=True):
            inner["lr"] = outer["lr"]
        for weight, copy in self._pairs:
            copy.grad = None if weight.grad is None else weight.grad.to(CPU)
        self.inside.step()
        self.inside.zero_grad(set_to_none=True)
        self._give()

    def state_dict(self) -> dict[str, Any]:
        """Return that of the inner optimizer, so that a continued run may keep its state elsewhere."""
        return self.inside.state_dict()

    def load_state_dict(self, state_dict: Any) -> None:
        """Restore the state, for the current weights."""
        with torch.no_grad():
            for weight, copy in self._pairs:
                copy.copy_(weight)
        put_back(self.inside, state_dict)

    @torch.no_grad()
    def _give(self) -> None:
        for weight, copy in self._pairs:
            weight.copy_(copy)

    def _then_give(self, switch: Callable[[], None]) -> Callable[[], None]:
        def switched() -> None:
            switch()
            self._give()

        return switched


@contextmanager
def unloaded(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Keep the state of `optimizer` in main memory; afterwards it is back, bit for bit."""
    places: list[tuple[Any, Any, torch.device]] = []
    for state in (kept for part in parts_of(optimizer) for kept in part.state.values()):
        for name, value in state.items():
            if isinstance(value, Tensor) and value.device.type != "cpu":
                places.append((state, name, value.device))
                state[name] = move(value, CPU)
    try:
        yield
    finally:
        for state, name, device in places:
            state[name] = move(state[name], device)
