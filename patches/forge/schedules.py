"""What the U-Net predicts and how much signal is left at each timestep, as Forge and reForge hold it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modules import shared
from torch import Tensor

from ...hypernetworks.base.errors import TrainingError
from ...hypernetworks.train.noise import for_samplers, zero_terminal_snr
from ..model import temporary

_PREDICTIONS = {"epsilon": "epsilon", "v_prediction": "v"}
#: reForge's kinds by the classes that its schedules are made of; each is asked for before those it is built on.
_CLASSES = {"EDM": None, "X0": None, "V_PREDICTION": "v", "EPS": "epsilon"}
_DISCRETE = "ModelSamplingDiscrete"


def prediction(model: Any) -> str:
    """Return "epsilon" or "v" for the host's wrapper of a U-Net.

    Raises:
        TrainingError: it predicts something else.
    """
    found = known_prediction(model)
    if found is None:
        schedule = schedule_of(model)
        what = getattr(schedule, "prediction_type", None) or type(schedule).__name__
        raise TrainingError(f"checkpoints that predict neither noise nor velocity ({what}) cannot be trained on")
    return found


def known_prediction(model: Any) -> str | None:
    """Return "epsilon" or "v" for the host's wrapper of a U-Net; None where it predicts something else."""
    schedule = schedule_of(model)
    named = getattr(schedule, "prediction_type", None)
    if named is not None:
        found, has_steps = _PREDICTIONS.get(named), hasattr(schedule, "alphas_cumprod")
    else:
        classes = [cls.__name__ for cls in type(schedule).__mro__]
        found = _CLASSES[next((name for name in classes if name in _CLASSES), "X0")]
        has_steps = _DISCRETE in classes
    return found if has_steps else None


def signal(model: Any) -> Tensor:
    """Return the share of signal at each timestep, [timesteps], float32, as it is for pictures."""
    sigmas = schedule_of(model).sigmas.clone().cpu().double()
    alphas = (1 / (1 + sigmas**2)).float()
    return zero_terminal_snr(alphas) if _has_zero_end() else alphas


@contextmanager
def taken_for(model: Any, prediction: str, alphas_cumprod: Tensor) -> Iterator[None]:
    """Let the host sample as if its U-Net predicted this on this schedule; see `hypernetworks.ports.Denoiser`."""
    schedule = schedule_of(model)
    alphas = for_samplers(alphas_cumprod.to(schedule.sigmas.device))
    sigmas = ((1 - alphas) / alphas).sqrt()
    before, option = (schedule.sigmas, _objective(schedule)), shared.opts.data.get(temporary.SCHEDULE_OPTION)
    try:
        if option is not None:
            shared.opts.data[temporary.SCHEDULE_OPTION] = "Default"
        _set(schedule, sigmas, _as_here(schedule, prediction))
        with _remembered(sigmas, alphas):
            yield
    finally:
        _set(schedule, *before)
        if option is not None:
            shared.opts.data[temporary.SCHEDULE_OPTION] = option


@contextmanager
def _remembered(sigmas: Tensor, alphas: Tensor) -> Iterator[None]:
    """Let reForge, which once made a picture without signal at the end, go back to these after each picture.

    Its samplers of timesteps read the shares of signal off the checkpoint too.
    """
    checkpoint = shared.sd_model
    given = {"sigmas_original": sigmas, "alphas_cumprod": alphas, "alphas_cumprod_original": alphas}
    before = {name: getattr(checkpoint, name) for name in given if hasattr(checkpoint, name)}
    try:
        for name, value in before.items():
            setattr(checkpoint, name, given[name].to(value.device))
        yield
    finally:
        # What a first picture in the block made the host keep is of these schedules, and would outlive them.
        for name in given:
            if name not in before and hasattr(checkpoint, name):
                delattr(checkpoint, name)
        for name, value in before.items():
            setattr(checkpoint, name, value)


def _objective(schedule: Any) -> Any:
    """Return what tells what the U-Net predicts: a text in Forge, the class of the schedule in reForge."""
    return getattr(schedule, "prediction_type", type(schedule))


def _as_here(schedule: Any, prediction: str) -> Any:
    """Return a prediction as `_objective` gives it."""
    if hasattr(schedule, "prediction_type"):
        return next(name for name, known in _PREDICTIONS.items() if known == prediction)
    steps = type(schedule).__bases__[0]
    name = next(name for name, known in _CLASSES.items() if known == prediction)
    return type(type(schedule).__name__, (steps, getattr(sys.modules[steps.__module__], name)), {})


def _set(schedule: Any, sigmas: Tensor, objective: Any) -> None:
    schedule.set_sigmas(sigmas)
    if isinstance(objective, str):
        schedule.prediction_type = objective
    else:
        schedule.__class__ = objective


def schedule_of(model: Any) -> Any:
    """Return the schedule of the host's wrapper of a U-Net."""
    return model.predictor if hasattr(model, "predictor") else model.model_sampling


def _has_zero_end() -> bool:
    """Tell whether the host makes pictures with zero signal at the last timestep; it changes its schedule for each."""
    checkpoint = shared.sd_model
    config = getattr(checkpoint, "model_config", None)
    return getattr(shared.opts, temporary.SCHEDULE_OPTION, "") == temporary.ZERO_SNR or bool(
        getattr(config, "ztsnr", False) or getattr(checkpoint, "ztsnr", False)
    )
