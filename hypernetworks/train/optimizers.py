"""Optimizers by name."""

from __future__ import annotations

import torch

from ..network import Hypernetwork
from ..settings import OptimizerSettings

_CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    "AdamW": torch.optim.AdamW,
    "Adam": torch.optim.Adam,
    "SGD": torch.optim.SGD,
}


def build(network: Hypernetwork, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """The optimizer over all weights of `network`; the rate is set anew before each step."""
    kind = _CLASSES[settings.name]
    return kind(list(network.parameters()), lr=1.0, weight_decay=settings.weight_decay)  # type: ignore[call-arg]
