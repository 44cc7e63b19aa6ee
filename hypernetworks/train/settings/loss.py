"""Settings of loss and noise."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.errors import SettingsError
from ...base.intervals import parse_interval
from ...base.options import Settings, setting
from ...base.registry import gather, rule, with_options
from ..optim.losses import LOSS, LOSSES

#: What the checkpoint is, as the host tells it.
OF_CHECKPOINT = "of the checkpoint"
PREDICTIONS = (OF_CHECKPOINT, "epsilon", "v")
ZERO_SNR = "zero terminal SNR"
NOISE_SCHEDULES = (OF_CHECKPOINT, ZERO_SNR)


@dataclass(frozen=True)
@with_options(gather(loss.options for loss in LOSSES.values()), after="kind")
class LossSettings(Settings):
    """Settings of the loss and the noise."""

    kind: str = setting(
        "l2",
        "Loss",
        "l2 is the usual one; huber is less sensitive to outliers, scheduled huber only at noisy timesteps.",
        group=LOSS,
        choices=LOSSES,
    )
    min_snr_gamma: float = setting(
        0.0, "Min-SNR gamma", "5 weighs timesteps evenly; 0 is off.", group=LOSS, minimum=0.0, maximum=100.0
    )
    prediction: str = setting(
        OF_CHECKPOINT,
        "Prediction",
        "Only for a model of which the host does not know what it predicts, such as many v models of SD1.",
        group=LOSS,
        starts_row=True,
        choices=PREDICTIONS,
    )
    noise_schedule: str = setting(
        OF_CHECKPOINT,
        "Noise schedule",
        "zero terminal SNR is for models that were trained so, as many v models of SDXL are.",
        group=LOSS,
        choices=NOISE_SCHEDULES,
    )
    noise_offset: float = setting(
        0.0,
        "Noise offset",
        "0.05 to 0.1 allows very dark and very bright pictures.",
        group=LOSS,
        starts_row=True,
        minimum=0.0,
        maximum=1.0,
    )
    adaptive_noise_offset: float = setting(
        0.0,
        "Adaptive noise offset",
        "Adds this share of each latent's mean to the offset.",
        group=LOSS,
        minimum=-1.0,
        maximum=1.0,
    )
    multires_iterations: int = setting(
        0,
        "Multi-resolution noise",
        "Coarser layers of noise that are added; 6 to 10, 0 is off.",
        group=LOSS,
        starts_row=True,
        minimum=0,
        maximum=10,
    )
    multires_discount: float = setting(
        0.3, "Multi-resolution discount", "Strength of each coarser layer.", group=LOSS, minimum=0.0, maximum=1.0
    )
    min_timestep: int = setting(
        0, "Lowest timestep", "0 is nearly the clean picture.", group=LOSS, starts_row=True, minimum=0, maximum=999
    )
    max_timestep: int = setting(
        999, "Highest timestep", "999 is nearly pure noise.", group=LOSS, minimum=0, maximum=999
    )
    noise_cycle: str = setting(
        "0",
        "Noise scheduler",
        "Steps or epochs during which the highest timestep rises from the lowest; 0 is off.",
        group=LOSS,
        starts_row=True,
    )
    noise_restarts: bool = setting(
        False, "Noise scheduler restarts", "Starts again at the lowest timestep after each such period.", group=LOSS
    )

    @rule("min_timestep", "max_timestep")
    def _has_timesteps(self) -> None:
        if self.min_timestep > self.max_timestep:
            raise SettingsError("min_timestep", f"must not be above the highest timestep {self.max_timestep}")

    @rule("noise_cycle")
    def _cycle_is_length(self) -> None:
        parse_interval("noise_cycle", self.noise_cycle, 1)
