"""Proven shapes, for users who do not want to think about layers.

All start from zero, and those of relu with Kaiming, as the sweeps advise (`docs/FIRST_WEIGHTS.md`).
Their rates are for Stable Diffusion 1 and 2; `launch.py bench rates` holds them against sweeps on the demo model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .settings import ShapeSettings
from .structure import Structure


@dataclass(frozen=True)
class Preset:
    """A shape with its purpose and a learning rate that suits it.

    Attributes:
        name: the name in the list.
        purpose: one sentence on what it is for.
        shape: the settings; its widths are empty, since they come from the checkpoint.
        rate: suggested learning rate on Stable Diffusion, as a text for the Train tab.
        steps: suggested number of optimizer steps.
    """

    name: str
    purpose: str
    shape: ShapeSettings
    rate: str
    steps: int

    @property
    def advice(self) -> str:
        """Purpose and suggested training in one line; other models take other rates."""
        return f"{self.purpose} On Stable Diffusion, train it with learning rate {self.rate} for {self.steps} steps."

    def values(self) -> dict[str, Any]:
        """Return the values that it fills into a form, all but the widths."""
        values = self.shape.to_mapping()
        del values["widths"]
        return values


PRESETS: tuple[Preset, ...] = (
    Preset(
        "Standard",
        "A small network that suits some 20 pictures.",
        ShapeSettings(layer_structure=(1, 2, 1), activation="relu"),
        "1e-5",
        10000,
    ),
    Preset(
        "Style",
        "Two hidden layers learn how things are drawn.",
        ShapeSettings(
            layer_structure=(1, 1.5, 1.5, 1),
            activation="relu",
            dropout_structure=(0, 0.1, 0.1, 0),
        ),
        "4e-05:2000,4e-06:4000,4e-07:6000",
        6000,
    ),
    Preset(
        "Deep style",
        "Three hidden layers and dropout for a style with many pictures.",
        ShapeSettings(
            layer_structure=(1, 1.5, 1.5, 1.5, 1),
            activation="mish",
            weight_init="XavierNormal",
            dropout_structure=(0, 0.3, 0.3, 0.3, 0),
        ),
        "5e-5:1500,5e-6:9000,5e-8",
        10000,
    ),
    Preset(
        "Character or new thing",
        "One wide hidden layer remembers what something looks like.",
        ShapeSettings(layer_structure=(1, 3, 1), activation="relu"),
        "4e-05:2000,4e-06:4000,4e-07:6000",
        6000,
    ),
    Preset(
        "Fast, with layer normalisation",
        "Allows a learning rate thirty times higher, so that few steps are enough.",
        ShapeSettings(layer_structure=(1, 2, 1), activation="linear", weight_init="Normal", layer_norm=True),
        "3e-4",
        2000,
    ),
    Preset(
        "Small memory",
        "A quarter of the standard size, for a graphics card with little memory.",
        ShapeSettings(layer_structure=(1, 0.5, 1), activation="relu"),
        "1e-5",
        10000,
    ),
)


def by_name(name: str) -> Preset | None:
    """Return the preset of this name; None where there is none."""
    return next((preset for preset in PRESETS if preset.name == name), None)


def matching(structure: Structure | None) -> Preset | None:
    """Return the preset that has this structure; None where none has."""
    return next((preset for preset in PRESETS if preset.shape.structure() == structure), None)
