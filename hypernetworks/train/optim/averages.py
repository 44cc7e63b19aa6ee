"""The weights that are saved and shown, where they differ from those that are trained: EMA and schedule-free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ...network.hypernetwork import Hypernetwork


class WeightAverage:
    """A running mean of all weights, after Polyak & Juditsky (1992).

    The first steps count more: the decay is at most steps / (steps + 10). Torch's `AveragedModel` has a function for a
    constant decay only, and one of our own in it would take five times as long on a CPU.
    """

    def __init__(self, network: Hypernetwork, decay: float) -> None:
        self._decay = decay
        self._steps = 0
        self._weights = {name: weight.detach().clone() for name, weight in network.named_parameters()}

    @torch.no_grad()
    def update(self, network: Hypernetwork) -> None:
        """Move the mean towards the weights after an optimizer step."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        for name, weight in network.named_parameters():
            self._weights[name].lerp_(weight.detach(), 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        """Return steps and weights."""
        return {"steps": self._steps, "weights": dict(self._weights)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take steps and weights back."""
        self._steps = state["steps"]
        for name, weight in self._weights.items():
            weight.copy_(state["weights"][name])

    @property
    def weights(self) -> dict[str, Tensor]:
        """The mean of each weight by its name."""
        return self._weights


@contextmanager
def weights_to_show(
    network: Hypernetwork, optimizer: torch.optim.Optimizer, average: WeightAverage | None
) -> Iterator[None]:
    """For its length `network` has the weights worth saving; those being trained come back bit for bit."""
    switch = getattr(optimizer, "eval", None)
    if average is None and switch is None:
        yield
        return
    trained = [weight.detach().clone() for weight in network.parameters()]
    with torch.no_grad():
        if average is not None:
            for name, weight in network.named_parameters():
                weight.copy_(average.weights[name])
        elif switch is not None:
            switch()
    try:
        yield
    finally:
        if average is None and switch is not None:
            optimizer.train()  # type: ignore[attr-defined]
        with torch.no_grad():
            # Schedule-free optimizers come back by arithmetic, which is not exact.
            for weight, before in zip(network.parameters(), trained, strict=True):
                weight.copy_(before)
