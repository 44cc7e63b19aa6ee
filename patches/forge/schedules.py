"""What the U-Net predicts and how much signal is left at each timestep, as Forge and reForge hold it."""

from __future__ import annotations

from typing import Any

from modules import processing, shared
from torch import Tensor

from ...hypernetworks.base.errors import TrainingError

_PREDICTIONS = {"epsilon": "epsilon", "v_prediction": "v"}
#: reForge's kinds by the classes that its schedules are made of; each is asked for before those it is built on.
_CLASSES = {"EDM": None, "X0": None, "V_PREDICTION": "v", "EPS": "epsilon"}
_DISCRETE = "ModelSamplingDiscrete"


def prediction(model: Any) -> str:
    """Return "epsilon" or "v" for the host's wrapper of a U-Net.

    Raises:
        TrainingError: it predicts something else.
    """
    schedule = schedule_of(model)
    named = getattr(schedule, "prediction_type", None)
    if named is not None:
        found, has_steps = _PREDICTIONS.get(named), hasattr(schedule, "alphas_cumprod")
    else:
        classes = [cls.__name__ for cls in type(schedule).__mro__]
        found = _CLASSES[next((name for name in classes if name in _CLASSES), "X0")]
        has_steps = _DISCRETE in classes
    if found is None or not has_steps:
        what = named or type(schedule).__name__
        raise TrainingError(f"checkpoints that predict neither noise nor velocity ({what}) cannot be trained on")
    return found


def signal(model: Any) -> Tensor:
    """Return the share of signal at each timestep, [timesteps], float32, as it is for pictures."""
    sigmas = schedule_of(model).sigmas.clone().cpu()
    if _has_zero_end():
        host: Any = processing
        sigmas = host.rescale_zero_terminal_snr_sigmas(sigmas)
    return (1 / (1 + sigmas.double() ** 2)).float()


def schedule_of(model: Any) -> Any:
    """Return the schedule of the host's wrapper of a U-Net."""
    return model.predictor if hasattr(model, "predictor") else model.model_sampling


def _has_zero_end() -> bool:
    """Tell whether the host makes pictures with zero signal at the last timestep; it changes its schedule for each."""
    checkpoint = shared.sd_model
    config = getattr(checkpoint, "model_config", None)
    return getattr(shared.opts, "sd_noise_schedule", "") == "Zero Terminal SNR" or bool(
        getattr(config, "ztsnr", False) or getattr(checkpoint, "ztsnr", False)
    )
