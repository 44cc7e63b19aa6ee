"""How far a prediction is from its target. Each loss is one decorated function, here or in another file here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...base.options import Group, setting
from ...base.registry import OwnOptions, Registry

#: The fold of the form that options of losses stand in.
LOSS = Group("loss", "Loss and noise")


@dataclass(frozen=True)
class Errors:
    """What a loss is made of.

    Attributes:
        differences: of prediction and target, float32 [batch, channels, height, width].
        timesteps: of the pictures, [batch]; 0 is nearly clean.
        count: how many timesteps the model has.
    """

    differences: Tensor
    timesteps: Tensor
    count: int


Distance = Callable[[Errors, Any], Tensor]
"""Gives the distance of every number, of the shape of the differences, from the errors and the `LossSettings`."""


@dataclass
class Loss:
    """A loss, and the decorator of the function that measures it.

    Attributes:
        name: in forms and job files.
        order: its place in the list; smaller ones come first.
        options: those that it has, also where others have them too.
        distance: the decorated function.
    """

    name: str
    order: float
    options: OwnOptions = field(default_factory=dict)
    distance: Distance = field(init=False)

    def __call__(self, distance: Distance) -> Distance:
        """Take the loss into `LOSSES`."""
        self.distance = distance
        LOSSES.add(self.name, self, self.order)
        return distance


loss = Loss
LOSSES: Registry[Loss] = Registry(room=__package__)
"""All losses by name."""

_DELTA: OwnOptions = {
    "huber_delta": setting(
        0.1, "Huber delta", "Where huber turns from square to straight.", group=LOSS, minimum=1e-6, maximum=100.0
    )
}


@loss("l2", order=10)
def l2(errors: Errors, settings: Any) -> Tensor:
    """Give the square."""
    return errors.differences.square()


@loss("huber", order=20, options=_DELTA)
def huber(errors: Errors, settings: Any) -> Tensor:
    """Give the square near zero, and go on straight far from it.

    Huber (1964), in the smooth form of Charbonnier et al. (1994).
    """
    return _charbonnier(errors, torch.full_like(errors.timesteps, settings.huber_delta, dtype=torch.float32))


@loss("scheduled huber", order=30, options=_DELTA)
def scheduled_huber(errors: Errors, settings: Any) -> Tensor:
    """Let the delta fall with the noise, so that clean timesteps keep the square.

    Khrapov et al. (2024). It goes from 1 at a clean picture down to the delta of the settings at pure noise.
    """
    falling = math.log(settings.huber_delta) * errors.timesteps.float() / max(errors.count - 1, 1)
    return _charbonnier(errors, torch.exp(falling))


def _charbonnier(errors: Errors, delta: Tensor) -> Tensor:
    """Give the smooth Huber distance for the delta [batch] of each picture."""
    delta = delta.view(-1, 1, 1, 1)
    return 2 * delta * (torch.sqrt(errors.differences.square() + delta**2) - delta)
