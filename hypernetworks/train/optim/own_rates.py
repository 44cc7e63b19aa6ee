"""The rates that optimizers set by themselves: found by D-Adaptation and Prodigy, or AdaFactor's relative steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .arguments import parse_arguments
from .optimizers import finds_rate, kind_of
from .pair import parts_of

#: AdaFactor's relative steps, after Shazeer & Stern (2018): at most this rate, or while warming up so much a step.
_MOST, _WARM_UP = 1e-2, 1e-6
_LEAST_SCALE = 1e-3


def effective_rate(optimizer: torch.optim.Optimizer) -> float | None:
    """Return the rate of the steps as the optimizer itself has set it; None where it takes the rate it is given."""
    first = parts_of(optimizer)[0]
    inside = getattr(first, "inside", first)  # one that steps on the CPU
    group = inside.param_groups[0]
    if group.get("relative_step"):
        return _relative_rate(inside, group)
    found = group.get("d")
    if isinstance(found, (int, float)) or (isinstance(found, Tensor) and found.numel() == 1):
        return float(found) * float(group["lr"])
    return None


def ignores_rate(name: str, arguments: str) -> bool:
    """Tell whether an optimizer with these options takes no notice of the learning rate; raises SettingsError."""
    defaults = kind_of(name).defaults
    return bool(parse_arguments(arguments).get("relative_step", defaults.get("relative_step", False)))


def unused_rate(name: str, arguments: str) -> str:
    """Return a sentence where an optimizer does not use the learning rate; else an empty text."""
    if not ignores_rate(name, arguments):
        return ""
    return f"The learning rate is not used: {name} with relative_step sets its own."


def why_no_rate(name: str, arguments: str) -> str:
    """Return why no learning rate can be looked for, as a sentence without its end; empty where one can be."""
    if ignores_rate(name, arguments):
        return f"{name} with relative_step sets its own rate and does not use the learning rate"
    if finds_rate(name):
        return f"{name} finds the size of its steps by itself; leave the learning rate at 1"
    return ""


def _relative_rate(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> float | None:
    """Return the mean over the weights of the rate of AdaFactor's last step; None before the first."""
    weights = [weight for weight in group["params"] if optimizer.state.get(weight)]
    if not weights:
        return None
    step = int(group.get("step") or optimizer.state[weights[0]]["step"])
    rate = min(_WARM_UP * step if group.get("warmup_init") else _MOST, 1 / math.sqrt(step))
    if not group.get("scale_parameter"):
        return rate
    least = group["eps"][1] if isinstance(group.get("eps"), (tuple, list)) else group.get("eps2", _LEAST_SCALE)
    sizes = torch.stack([weight.detach().float().square().mean().sqrt() for weight in weights])
    return rate * float(sizes.clamp(min=least).mean())
