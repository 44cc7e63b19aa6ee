"""Recipes for the Train tab, as values for the fields of a job.

Their rates are for Stable Diffusion 1 and 2; `launch.py bench rates` holds them against sweeps on the demo model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...base.options import Settings
from .optimizer import OptimizerSettings
from .output import OutputSettings, PreviewSettings
from .schedule import ScheduleSettings
from .training import TrainSettings

#: The settings that every recipe sets; all others stay as they are.
_DECIDED: dict[str, tuple[type[Settings], tuple[str, ...]]] = {
    "optimizer": (OptimizerSettings, ("name", "arguments", "clip", "clip_limit")),
    "schedule": (ScheduleSettings, tuple(name for name, _, _ in ScheduleSettings.options())),
    "train": (TrainSettings, ("max_steps", "gradient_accumulation")),
    "preview": (PreviewSettings, ("at_cycle_end",)),
    "output": (OutputSettings, ("save_at_cycle_end",)),
}


@dataclass(frozen=True)
class TrainPreset:
    """A recipe.

    Attributes:
        name: the name in the list.
        advice: one sentence on what it suits.
        changes: the values that differ from the defaults, by `section.key`.
    """

    name: str
    advice: str
    changes: Mapping[str, Any]

    def values(self) -> dict[str, Any]:
        """Return all values that the recipe sets, as plain values by `section.key`."""
        defaults = {
            f"{section}.{name}": getattr(kind, name) for section, (kind, names) in _DECIDED.items() for name in names
        }
        return {**defaults, **self.changes}


_CYCLES = {
    "schedule.kind": "cosine restarts",
    "schedule.cycle": "10 epochs",
    "schedule.warmup": 5,
    "schedule.min_rate": 6e-7,
    "schedule.decay": 0.998,
    "preview.at_cycle_end": True,
    "output.save_at_cycle_end": True,
}

PRESETS: tuple[TrainPreset, ...] = (
    TrainPreset(
        "Steady",
        "Slow and safe for linear and relu networks without layer normalisation.",
        {"schedule.rate": "1e-5", "train.max_steps": 10_000},
    ),
    TrainPreset(
        "Three rates",
        "Learns fast, then settles; good for a first network.",
        {"schedule.rate": "4e-05:2000,4e-06:4000,4e-07:6000", "train.max_steps": 6000},
    ),
    TrainPreset(
        "Three rates for mish",
        "For deep networks with mish.",
        {"schedule.rate": "5e-5:1500,5e-6:9000,5e-8", "train.max_steps": 10_000},
    ),
    TrainPreset(
        "Layer normalisation",
        "Only for networks with layer normalisation: they allow a rate thirty times higher.",
        {"schedule.rate": "3e-4", "train.max_steps": 2000},
    ),
    TrainPreset(
        "Accumulation",
        "Eight batches per step make it steadier and allow a rate three times higher.",
        {"schedule.rate": "3e-5", "train.gradient_accumulation": 8, "train.max_steps": 2500},
    ),
    TrainPreset(
        "Cosine restarts",
        "Cycles of 10 epochs; each ends at the lowest rate with a copy and a preview, so that you can choose the best.",
        {"schedule.rate": "1.5e-5", "train.max_steps": 10_000, **_CYCLES},
    ),
    TrainPreset(
        "Cosine restarts with accumulation",
        "Both together allow three times the steady rate, for a dataset of 50 pictures and more.",
        {"schedule.rate": "3e-5", "train.gradient_accumulation": 8, "train.max_steps": 2500, **_CYCLES},
    ),
    TrainPreset(
        "Prodigy",
        "Finds the rate by itself; the 1 of the learning rate stays as it is.",
        {"optimizer.name": "Prodigy", "schedule.rate": "1.0", "train.max_steps": 4000},
    ),
    TrainPreset(
        "D-Adaptation",
        "Finds the rate by itself, as the original extension does.",
        {
            "optimizer.name": "DAdaptAdam",
            "optimizer.arguments": "weight_decouple=True",
            "schedule.rate": "1.0",
            "train.max_steps": 4000,
        },
    ),
)


def by_name(name: str) -> TrainPreset | None:
    """Return the recipe of this name; None where there is none."""
    return next((preset for preset in PRESETS if preset.name == name), None)


def matching(values: Mapping[str, Any]) -> TrainPreset | None:
    """Return the recipe whose values are all in `values` (by `section.key`); None where there is none."""
    return next((one for one in PRESETS if all(_same(values.get(k), v) for k, v in one.values().items())), None)


def _same(entered: Any, wanted: Any) -> bool:
    """Tell whether a form shows the value wanted; a page returns a whole number for 1.0, and texts with blanks."""
    return entered.strip() == str(wanted) if isinstance(entered, str) else entered == wanted
