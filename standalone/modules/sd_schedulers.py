"""Noise levels for a number of steps."""

from __future__ import annotations

from typing import Any

import torch
from hypernetwork_workbench.standalone.ldm_support import k_diffusion

sampling = k_diffusion("sampling")
names = ["Automatic", "Uniform", "Karras", "Exponential"]


def _uniform(model: Any, steps: int) -> torch.Tensor:
    """Steps evenly spread over the timesteps, down to 0."""
    last = len(model.sigmas) - 1
    return sampling.append_zero(model.t_to_sigma(torch.linspace(last, 0, steps, device=model.sigmas.device)))


def _ddim(model: Any, steps: int) -> torch.Tensor:
    """DDIM's timesteps 1, 1 + n, 1 + 2n, ... for any number of steps; ends at the smallest level."""
    total = len(model.sigmas)
    timesteps = (torch.arange(steps, device=model.sigmas.device) * total / steps).floor() + 1
    return torch.cat([model.t_to_sigma(timesteps.clamp(max=total - 1).flip(0)), model.sigmas[:1]])


def sigmas(name: str | None, model: Any, steps: int) -> torch.Tensor:
    """The noise levels [steps + 1] of a schedule; None stands for Uniform."""
    low, high = model.sigma_min.item(), model.sigma_max.item()
    if name == "Karras":
        return sampling.get_sigmas_karras(steps, low, high, device=model.sigmas.device)
    if name == "Exponential":
        return sampling.get_sigmas_exponential(steps, low, high, device=model.sigmas.device)
    if name == "DDIM":
        return _ddim(model, steps)
    return _uniform(model, steps)
