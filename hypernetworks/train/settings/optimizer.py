"""Settings of the optimizer."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.errors import ScheduleError, SettingsError
from ...base.options import Group, Settings, setting
from ...base.registry import rule
from ..optim import optimizers, schedules

OPTIMIZER = Group("optimizer", "Optimizer and precision")


@dataclass(frozen=True)
class OptimizerSettings(Settings):
    """Settings of the optimizer and of gradient clipping."""

    name: str = setting(
        "AdamW",
        "Optimizer",
        "AdamW suits nearly everything; Prodigy and DAdapt find the rate themselves (rate 1). Others can be typed, "
        "such as Adamax of torch, or pytorch_optimizer.AdaBelief.",
        group=OPTIMIZER,
        choices=optimizers.KINDS,
        others=optimizers.check_name,
    )
    arguments: str = setting(
        "",
        "Optimizer options",
        "Such as weight_decay=0.01, betas=(0.9, 0.99). Empty: the optimizer's own.",
        group=OPTIMIZER,
    )
    clip: str = setting(
        "none",
        "Gradient clipping",
        "norm limits the length of the gradient, value each of its numbers.",
        group=OPTIMIZER,
        starts_row=True,
        choices=("none", "norm", "value"),
    )
    clip_limit: str = setting(
        "1.0", "Clipping limit", "A number, or limits with the step each ends at: 1.0:500,0.1.", group=OPTIMIZER
    )

    @rule("name", "arguments")
    def _has_arguments(self) -> None:
        optimizers.check_arguments(self.name, self.arguments)

    @rule("clip_limit")
    def _limits_can_be_read(self) -> None:
        try:
            limits = schedules.rates(self.clip_limit)
        except ScheduleError as error:
            reason = f"must be a number or such as 1.0:500,0.1, not {self.clip_limit!r}"
            raise SettingsError("clip_limit", reason if "learning rate" in error.reason else error.reason) from error
        if min(limits) <= 0:
            raise SettingsError("clip_limit", "must be above 0")
