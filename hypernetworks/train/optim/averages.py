"""The weights that are saved and shown, where they differ from those that are trained: EMA and schedule-free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ...base.forms import STEPS, Array, Record


def weights_form(weights: Mapping[str, Tensor]) -> Record:
    """Return the form of these weights in a file, by their names."""
    return Record({name: Array(tuple(weight.shape), weight.dtype) for name, weight in weights.items()})


def average_form(weights: Mapping[str, Tensor], saved: Mapping[str, Any]) -> Record:
    """Return the form of the average of these weights in a file; `saved` tells whether it is of version 0.1."""
    if "weights" in saved:
        return Record({"steps": STEPS, "weights": weights_form(weights)})
    means = weights_form({f"module.{name}": weight for name, weight in weights.items()})
    return Record({"n_averaged": Array((), torch.int64, 1, STEPS.maximum), **means.fields})


class WeightAverage(AveragedModel):
    """A running mean of all weights, after Polyak & Juditsky (1992).

    The first steps count more: the decay is at most steps / (steps + 10).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        def move(means: Any, weights: Any, steps: Any) -> None:
            get_ema_multi_avg_fn(min(decay, int(steps) / (int(steps) + 10)))(means, weights, steps)

        super().__init__(network, multi_avg_fn=move)
        self.n_averaged.fill_(1)  # at 0 the first update would take the weights for their mean

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Restore what `state_dict` returned, also that of version 0.1."""
        if "weights" in state_dict:
            means = {f"module.{name}": weight for name, weight in state_dict["weights"].items()}
            state_dict = {"n_averaged": torch.tensor(state_dict["steps"] + 1), **means}
        return super().load_state_dict(state_dict, strict, assign)


@contextmanager
def weights_to_show(
    network: nn.Module, optimizer: torch.optim.Optimizer, average: WeightAverage | None
) -> Iterator[None]:
    """Give `network` the weights to save and show; afterwards those being trained are back, bit for bit."""
    switch = getattr(optimizer, "eval", None)
    if average is None and switch is None:
        yield
        return
    trained = [weight.detach().clone() for weight in network.parameters()]
    with torch.no_grad():
        if average is not None:
            for weight, mean in zip(network.parameters(), average.parameters(), strict=True):
                weight.copy_(mean)
        elif switch is not None:
            switch()
    try:
        yield
    finally:
        if average is None and switch is not None:
            optimizer.train()  # type: ignore[attr-defined]
        with torch.no_grad():
            # Schedule-free optimizers restore the weights by arithmetic, which is not exact.
            for weight, before in zip(network.parameters(), trained, strict=True):
                weight.copy_(before)
