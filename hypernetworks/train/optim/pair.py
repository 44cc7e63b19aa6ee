"""Optimizers of their own for the weights of a network and for vectors of words, which step together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...base.forms import Form, Record
from .optimizer_state import OptimizerForm

NETWORK, WORDS = "network", "embedding"


class OptimizerPair(torch.optim.Optimizer):
    """Two optimizers as one; the groups of weights are theirs, so that each may have a rate of its own.

    Args:
        parts: the optimizers, by what they are for.
    """

    def __init__(self, parts: Mapping[str, torch.optim.Optimizer]) -> None:
        groups = [group for part in parts.values() for group in part.param_groups]
        super().__init__([{"params": group["params"]} for group in groups], {})
        self.parts = dict(parts)
        self.param_groups = groups
        switches: list[Any] = [part for part in parts.values() if hasattr(part, "eval")]
        if switches:  # schedule-free optimizers show weights that differ from those they train
            self.eval = lambda: _all(part.eval for part in switches)
            self.train = lambda: _all(part.train for part in switches)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take a step with each."""
        for part in self.parts.values():
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of both."""
        for part in self.parts.values():
            part.zero_grad(set_to_none=set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both, by what they are for."""
        return {name: part.state_dict() for name, part in self.parts.items()}


@dataclass(frozen=True)
class PairForm(Form):
    """The form of what both keep."""

    parts: Mapping[str, OptimizerForm]

    @property
    def keeps_for_weights(self) -> bool:
        """Whether one keeps anything for single weights."""
        return any(part.keeps_for_weights for part in self.parts.values())

    def take(self, state: Any, place: str = "") -> dict[str, Any]:
        """Return the states, each as `OptimizerForm.take` gives it; raises UnfitError."""
        found: dict[str, Any] = Record(self.parts).take(state, place)
        return found


def is_empty(state: Mapping[str, Any]) -> bool:
    """Tell whether a state, of one optimizer or of both, holds nothing for any weight."""
    parts: Sequence[Mapping[str, Any]] = [state] if "state" in state else list(state.values())
    return any(not part["state"] for part in parts)


def rates(optimizer: torch.optim.Optimizer, rate: float, of_words: float | None) -> None:
    """Set the rate of all weights, and that of words, which are the last group, where it is another."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    if of_words is not None:
        optimizer.param_groups[-1]["lr"] = of_words


def parts_of(optimizer: torch.optim.Optimizer) -> list[torch.optim.Optimizer]:
    """Return both of a pair, that of the network first, or else the one there is."""
    return list(optimizer.parts.values()) if isinstance(optimizer, OptimizerPair) else [optimizer]


def _all(acts: Any) -> None:
    for act in acts:
        act()
