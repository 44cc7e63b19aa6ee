"""A few steps with an optimizer that no row of `KINDS` vouches for, before a run begins with it."""

from __future__ import annotations

import copy
from functools import partial

import torch

from ...base.errors import SettingsError, WorkbenchError
from ...base.forms import UnfitError
from ...files import torch_writer
from .optimizer_state import OptimizerForm, put_back
from .optimizers import KINDS, build

_SHAPES = ((4, 2), (4,))
_STEPS = 2
_RATE = 1e-3
_CPU = torch.device("cpu")


def check(name: str, arguments: str, device: torch.device = _CPU) -> None:
    """Find out whether an optimizer can be made, trains from gradients alone, and goes on from a saved state.

    Args:
        device: where it will train; some have no step for a CPU.

    Raises:
        SettingsError: its package is missing, it refuses its options or the weights, or it cannot do one of these.
    """
    weights = _weights(device)
    optimizer = build(weights, name, arguments)
    if name in KINDS:
        return
    try:
        _step(optimizer, weights, 0)
    except Exception as error:  # whatever a class of others raises
        reason = f"{name} cannot train a network from gradients alone: {error or type(error).__name__}"
        raise SettingsError("optimizer.name", reason) from error
    try:
        goes_on = _goes_on(optimizer, weights, name, arguments)
    except (UnfitError, WorkbenchError) as error:
        reason = f"{name} keeps what cannot be saved to continue with: {error}"
        raise SettingsError("optimizer.name", reason) from error
    except Exception as error:  # whatever a class of others raises
        raise _not_continued(name) from error
    if not goes_on:
        raise _not_continued(name)


def _goes_on(optimizer: torch.optim.Optimizer, weights: list[torch.Tensor], name: str, arguments: str) -> bool:
    """Tell whether a second optimizer that is given the state of the first one takes the same steps."""
    make = partial(build, name=name, arguments=arguments)
    state = copy.deepcopy(optimizer.state_dict())
    torch_writer.check(state)
    others: list[torch.Tensor] = [torch.nn.Parameter(weight.detach().clone()) for weight in weights]
    other = make(others)
    put_back(other, OptimizerForm.of([weights], make, weights[0].device).take(state))
    for step in range(1, _STEPS + 1):
        _step(optimizer, weights, step)
        _step(other, others, step)
    return all(torch.equal(one, two) for one, two in zip(weights, others, strict=True))


def _not_continued(name: str) -> SettingsError:
    return SettingsError("optimizer.name", f"{name} does not go on from a saved state as it would without a break")


def _weights(device: torch.device) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator).to(device)) for shape in _SHAPES]


def _step(optimizer: torch.optim.Optimizer, weights: list[torch.Tensor], number: int) -> None:
    generator = torch.Generator().manual_seed(number + 1)
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator).to(weight.device)
    optimizer.param_groups[0]["lr"] = _RATE
    optimizer.step()
