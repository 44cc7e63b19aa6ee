"""The losses. Each is one decorated function, in this file or in another of this room."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...base.options import Group, setting
from ...base.registry import OwnOptions, Registry

#: The fold of the form for the options of losses.
LOSS = Group("loss", "Loss and noise")


@dataclass(frozen=True)
class Residuals:
    """The errors of a prediction.

    Attributes:
        differences: prediction minus target, float32 [batch, channels, height, width].
        timesteps: the pictures' timesteps, [batch]; 0 is nearly clean.
        count: number of timesteps of the model.
    """

    differences: Tensor
    timesteps: Tensor
    count: int


Distance = Callable[[Residuals, Any], Tensor]
"""Takes the residuals and the `LossSettings`, and returns the distance of every number, shaped like the differences."""


@dataclass
class Loss:
    """A loss, and the decorator of its function.

    Attributes:
        name: its name in forms and job files.
        order: position in the list; smaller numbers come first.
        options: all its options, also those that other losses have too.
        distance: the decorated function.
    """

    name: str
    order: float
    options: OwnOptions = field(default_factory=dict)
    distance: Distance = field(init=False)

    def __call__(self, distance: Distance) -> Distance:
        """Add the loss to `LOSSES`."""
        self.distance = distance
        LOSSES.add(self.name, self, self.order)
        return distance


loss = Loss
LOSSES: Registry[Loss] = Registry(room=__package__)
"""All losses by name."""

_DELTA: OwnOptions = {
    "huber_delta": setting(
        0.1,
        "Huber delta",
        "Difference at which huber turns from square to straight.",
        group=LOSS,
        minimum=1e-6,
        maximum=100.0,
    )
}


@loss("l2", order=10)
def l2(residuals: Residuals, settings: Any) -> Tensor:
    """Return the square."""
    return residuals.differences.square()


@loss("huber", order=20, options=_DELTA)
def huber(residuals: Residuals, settings: Any) -> Tensor:
    """Return the square near zero, and a straight line far from it.

    Huber (1964), in the smooth form of Charbonnier et al. (1994).
    """
    return _charbonnier(residuals, torch.full_like(residuals.timesteps, settings.huber_delta, dtype=torch.float32))


@loss("scheduled huber", order=30, options=_DELTA)
def scheduled_huber(residuals: Residuals, settings: Any) -> Tensor:
    """Return Huber's loss with a delta that falls with the noise, so that clean timesteps keep the square.

    Khrapov et al. (2024). The delta falls from 1 at a clean picture to that of the settings at pure noise.
    """
    falling = math.log(settings.huber_delta) * residuals.timesteps.float() / max(residuals.count - 1, 1)
    return _charbonnier(residuals, torch.exp(falling))


def _charbonnier(residuals: Residuals, delta: Tensor) -> Tensor:
    """Return the smooth Huber distance for the delta [batch] of each picture."""
    delta = delta.view(-1, 1, 1, 1)
    return 2 * delta * (torch.sqrt(residuals.differences.square() + delta**2) - delta)
