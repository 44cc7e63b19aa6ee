"""Settings of optimizer, schedule, loss and run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...base.errors import ScheduleError, SettingsError
from ...base.intervals import parse_interval
from ...base.options import Settings, setting
from ...kernels import attention as attention_kernels
from ...kernels.memory import CHECKPOINTING
from ..optim import optimizers, schedules, warmup_schedules

_RESTARTS = "cosine restarts"


@dataclass(frozen=True)
class OptimizerSettings(Settings):
    """How weights follow the gradients."""

    name: str = setting(
        "AdamW",
        "Optimizer",
        "AdamW suits nearly everything; Prodigy and DAdapt find the rate themselves (rate 1).",
        choices=tuple(optimizers.KINDS),
    )
    arguments: str = setting(
        "", "Optimizer options", "Such as weight_decay=0.01, betas=(0.9, 0.99). Empty: the optimizer's own."
    )
    clip: str = setting(
        "none",
        "Gradient clipping",
        "norm bounds the length of the gradient, value each of its numbers.",
        choices=("none", "norm", "value"),
    )
    clip_limit: str = setting("1.0", "Clipping limit", "A number, or limits with the step each ends at: 1.0:500,0.1.")

    def problems(self) -> Iterator[SettingsError]:
        """Options that the optimizer does not have, and limits that are none."""
        try:
            optimizers.check_arguments(self.name, self.arguments)
        except SettingsError as error:
            yield error
        try:
            limit = schedules.parse(self.clip_limit, 1)
        except ScheduleError:
            yield SettingsError("clip_limit", f"must be a number or such as 1.0:500,0.1, not {self.clip_limit!r}")
        else:
            if limit.rate(0) <= 0:
                yield SettingsError("clip_limit", "must be above 0")


@dataclass(frozen=True)
class ScheduleSettings(Settings):
    """The learning rate over the steps."""

    rate: str = setting(
        "0.00001", "Learning rate", "A number, or rates with the step each ends at: 4e-05:2000,4e-06:4000."
    )
    kind: str = setting(
        "steps",
        "Rate schedule",
        "steps keeps to the learning rate as it is written; the others shape one rate.",
        choices=("steps", *warmup_schedules.KINDS, _RESTARTS),
    )
    warmup: int = setting(
        0,
        "Warm-up steps",
        "Steps in which the rate rises from the minimum, at each restart too.",
        minimum=0,
        maximum=1_000_000,
    )
    min_rate: float = setting(0.0, "Minimum rate", "Where the rate ends.", minimum=0.0, maximum=10.0)
    power: float = setting(1.0, "Power", "Of the polynomial schedule.", minimum=0.1, maximum=10.0)
    cycle: str = setting(
        "0",
        "Cosine cycle",
        "Length of the first cycle in steps, warm-up included, or such as 10 epochs; 0 takes the whole run.",
    )
    multiplier: float = setting(
        1.0,
        "Cycle multiplier",
        "Each cycle is this many times as long as the one before, warm-up included.",
        minimum=0.1,
        maximum=schedules.MAX_MULTIPLIER,
    )
    decay: float = setting(
        1.0, "Cycle decay", "Each cycle peaks at this share of the one before.", minimum=0.0, maximum=1.0
    )

    def problems(self) -> Iterator[SettingsError]:
        """Texts that are no rate and no cycle, and more than one rate where one is needed."""
        try:
            schedules.parse(self.rate, 1)
        except ScheduleError as error:
            yield SettingsError("rate", str(error))
        if self.kind != "steps" and ":" in self.rate:
            yield SettingsError("rate", f"must be one number for the schedule {self.kind}")
        try:
            parse_interval("cycle", self.cycle, 1)
        except SettingsError as error:
            yield error

    def schedule(self, max_steps: int, steps_per_epoch: int = 1) -> schedules.Schedule:
        """Return the schedule of a run of `max_steps` optimizer steps.

        Raises:
            SettingsError: the numbers do not fit each other; names the field.
        """
        steps = schedules.parse(self.rate, max_steps)
        if self.kind == "steps":
            return steps
        max_rate = steps.rate(0)
        cycle = parse_interval("cycle", self.cycle, steps_per_epoch) or max_steps
        try:
            if self.kind != _RESTARTS:
                return warmup_schedules.WarmupSchedule(
                    self.kind, max_rate, self.min_rate, self.warmup, max_steps, self.power
                )
            return schedules.CosineRestarts(cycle, self.multiplier, max_rate, self.min_rate, self.warmup, self.decay)
        except ScheduleError as error:
            raise SettingsError(error.field, error.reason) from error


@dataclass(frozen=True)
class LossSettings(Settings):
    """How far the prediction is from the noise, and which noise."""

    kind: str = setting(
        "l2",
        "Loss",
        "l2 is the usual one; huber minds outliers less, scheduled huber only at noisy timesteps.",
        choices=("l2", "huber", "scheduled huber"),
    )
    huber_delta: float = setting(
        0.1, "Huber delta", "Where huber turns from square to straight.", minimum=1e-6, maximum=100.0
    )
    min_snr_gamma: float = setting(
        0.0, "Min-SNR gamma", "5 weighs timesteps evenly; 0 is off.", minimum=0.0, maximum=100.0
    )
    noise_offset: float = setting(
        0.0, "Noise offset", "0.05 to 0.1 allows very dark and very bright pictures.", minimum=0.0, maximum=1.0
    )
    adaptive_noise_offset: float = setting(
        0.0, "Adaptive noise offset", "Adds this share of each latent's mean to the offset.", minimum=-1.0, maximum=1.0
    )
    multires_iterations: int = setting(
        0, "Multi-resolution noise", "Coarser layers of noise that are added; 6 to 10, 0 is off.", minimum=0, maximum=10
    )
    multires_discount: float = setting(
        0.3, "Multi-resolution discount", "Strength of each coarser layer.", minimum=0.0, maximum=1.0
    )
    min_timestep: int = setting(0, "Lowest timestep", "0 is nearly the clean picture.", minimum=0, maximum=999)
    max_timestep: int = setting(999, "Highest timestep", "999 is nearly pure noise.", minimum=0, maximum=999)
    noise_cycle: str = setting(
        "0", "Noise scheduler", "Steps or epochs in which the highest timestep rises from the lowest; 0 is off."
    )
    noise_restarts: bool = setting(
        False, "Noise scheduler restarts", "Starts again at the lowest timestep after each such length."
    )

    def problems(self) -> Iterator[SettingsError]:
        """Return an empty range of timesteps, a length that is none."""
        if self.min_timestep > self.max_timestep:
            yield SettingsError("min_timestep", f"must not be above the highest timestep {self.max_timestep}")
        try:
            parse_interval("noise_cycle", self.noise_cycle, 1)
        except SettingsError as error:
            yield error


@dataclass(frozen=True)
class TrainSettings(Settings):
    """Length, seed and safety of the run."""

    max_steps: int = setting(1000, "Steps", "Optimizer steps of the whole run.", minimum=1, maximum=10_000_000)
    gradient_accumulation: int = setting(
        1, "Gradient accumulation", "Batches gathered for one step.", minimum=1, maximum=1024
    )
    seed: int = setting(
        0, "Training seed", "Fixes initial weights, order, noise, timesteps and dropout.", minimum=0, maximum=2**63 - 1
    )
    precision: str = setting(
        "auto",
        "Precision",
        "auto takes what the model is in on a GPU, and fp32 on the CPU.",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    ema_decay: float = setting(
        0.0, "EMA decay", "0.99 to 0.999 saves a running mean of the weights; 0 is off.", minimum=0.0, maximum=0.99999
    )
    validation_share: float = setting(
        0.0,
        "Validation share",
        "Share of the pictures that is held out to measure the loss on.",
        minimum=0.0,
        maximum=0.5,
    )
    validation_every: str = setting(
        "1 epoch", "Validate every", "Steps, or such as 2 epochs, between measurements of the validation loss."
    )
    rollback_after: int = setting(
        3,
        "Roll back after",
        "Steps with a loss or gradient that is no number, in a row, before the last good state comes back.",
        minimum=1,
        maximum=1000,
    )
    rollback_halves_rate: bool = setting(
        False, "Roll-back halves the rate", "Goes on with half the learning rate after a roll-back."
    )

    attention: str = setting(
        "auto",
        "Attention in training",
        "auto takes torch's own fused SDPA where there is one; xformers needs a GPU; host leaves the one of the "
        "WebUI's settings.",
        choices=attention_kernels.CHOICES,
    )
    checkpointing: str = setting(
        "auto",
        "Gradient checkpointing",
        "Saves memory and costs time: attention computes the transformer blocks again in the backward pass, all every "
        "block; auto takes the least that fits into the free memory.",
        choices=("auto", *CHECKPOINTING),
    )
    unload_encoders: bool = setting(
        True,
        "Unload VAE and text encoder",
        "They leave the GPU once pictures and captions are encoded; previews and new captions bring them back for a "
        "moment.",
    )
    optimizer_on_cpu: bool = setting(
        False,
        "Optimizer on the CPU",
        "Keeps its state in main memory and steps there: slower, and saves two or three times the size of the network "
        "on the GPU.",
    )
    preview_unloads_optimizer: bool = setting(
        False, "Previews unload the optimizer", "Its state leaves the GPU while a preview is made."
    )

    def problems(self) -> Iterator[SettingsError]:
        """Return a length that is none."""
        try:
            if not parse_interval("validation_every", self.validation_every, 1):
                yield SettingsError("validation_every", "must not be 0; a validation share of 0 switches it off")
        except SettingsError as error:
            yield error
