"""Settings of a network: its shape and first weights, the file to continue with, the file to make."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..base.errors import SettingsError
from ..base.names import check_name
from ..base.options import Group, Settings, setting
from ..base.registry import rule
from .activations import ACTIVATIONS
from .layers import WEIGHT_INITS
from .sizes import check_size
from .structure import Structure

LAYERS = Group("layers", "More about the layers")
WEIGHTS = Group("weights", "First weights")
NOTES = Group("notes", "Notes in the file")

#: The first weights that settings with only some of them mean, and those of a shape that cannot start from zero.
SMALL_WEIGHTS: Mapping[str, Any] = {"weight_init": "Normal", "init_std": 0.01, "zero_last_layer": False}
_DECIDES_ZERO = ("activation", "layer_norm", "activate_output", "skip_connection")
_STRUCTURE_FIELDS = tuple(f.name for f in dataclasses.fields(Structure))
_ShapeT = TypeVar("_ShapeT", bound="ShapeSettings")


@dataclass(frozen=True)
class ShapeSettings(Settings):
    """The shape and the first weights of a new network."""

    widths: tuple[int, ...] = setting(
        (),
        "Attention widths",
        "Widths the network acts on, such as 768, 320, 640, 1280. Empty: all that the model has.",
        starts_row=True,
        minimum=1,
        maximum=16384,
    )
    layer_structure: tuple[float, ...] = setting(
        (1.0, 2.0, 1.0),
        "Layer structure",
        "Width of each layer as a multiple of the attention width; starts and ends with 1.",
        starts_row=True,
        minimum=0.001,
        maximum=64,
    )
    dropout_structure: tuple[float, ...] = setting(
        (),
        "Dropout",
        "Share of values left out in training, for each entry of the layer structure, such as 0, 0.1, 0. Empty: none.",
        minimum=0.0,
        maximum=0.99,
    )
    activation: str = setting(
        "relu",
        "Activation",
        "The nonlinear function between the layers; linear has none.",
        starts_row=True,
        choices=ACTIVATIONS,
    )
    weight_init: str = setting(
        "KaimingNormal",
        "Weight initialisation",
        "Kaiming with Start from zero suits relu and most others; Normal is for networks that cannot start from zero.",
        choices=WEIGHT_INITS,
    )

    layer_norm: bool = setting(
        False,
        "Layer normalisation",
        "Evens out the values after each layer; allows higher learning rates.",
        group=LAYERS,
    )
    activate_output: bool = setting(
        False, "Activate output", "The activation follows the last layer too.", group=LAYERS
    )
    skip_connection: bool = setting(
        False,
        "Residual blocks",
        "Each layer adds to its input; only this extension reads such files.",
        group=LAYERS,
        starts_row=True,
    )
    upsample_linear: bool = setting(
        False,
        "Learned stretch",
        "Residual blocks learn how to change the width instead of repeating values.",
        group=LAYERS,
    )

    zero_last_layer: bool = setting(
        True, "Start from zero", "An untrained network then changes nothing in a picture.", group=WEIGHTS
    )
    init_std: float = setting(
        0.01,
        "Standard deviation",
        "Spread of the first weights around 0 with Normal.",
        group=WEIGHTS,
        minimum=0.0,
        maximum=1.0,
    )

    @classmethod
    def from_mapping(
        cls: type[_ShapeT], values: Mapping[str, Any], elsewhere: Mapping[str, str] | None = None
    ) -> _ShapeT:
        """Return the settings made from plain values or texts, with the first weights that these mean.

        Raises:
            SettingsError: a key is unknown or a value is wrong; names the key.
        """
        return super().from_mapping(with_first_weights(values) if isinstance(values, Mapping) else values, elsewhere)

    @rule(*_STRUCTURE_FIELDS, "widths")
    def _can_be_made(self) -> None:
        structure = self.structure()
        check_size(structure, structure.check_widths(tuple(dict.fromkeys(self.widths))))

    def structure(self) -> Structure:
        """Return the structure that these settings describe."""
        return Structure(**{name: getattr(self, name) for name in _STRUCTURE_FIELDS if hasattr(self, name)})


@dataclass(frozen=True)
class NetworkSettings(ShapeSettings):
    """A new network, or the file of one to continue with."""

    file: str = setting(
        "", "Network to train", "File of a network to go on with. Empty: a new one is made.", is_path=True
    )


@dataclass(frozen=True)
class _FileSettings(Settings):
    name: str = setting("", "Name", "Name of the network and of its file.")
    overwrite: bool = setting(False, "Overwrite", "May replace a file of this name.")

    @rule("name")
    def _name_fits(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class CreateSettings(ShapeSettings, _FileSettings):
    """A new network and its file, whose fields come first: dataclasses begin with the last of their bases."""

    seed: int = setting(
        0, "Seed", "The same seed gives the same first weights.", group=WEIGHTS, minimum=0, maximum=2**63 - 1
    )

    optional_info: str = setting(
        "", "Notes", "Free text kept in the file: purpose, author, trigger words.", group=NOTES, lines=2
    )


def with_first_weights(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a shape, completed where they do not go with the default first weights.

    A file that says something of the first weights means the small ones in all that it leaves out, as it did before
    the defaults were a pair; so does a shape that cannot start from zero, which Kaiming alone would start too loud.
    """
    if SMALL_WEIGHTS.keys() & values.keys() or not _starts_from_zero(values):
        return {**SMALL_WEIGHTS, **values}
    return dict(values)


def _starts_from_zero(values: Mapping[str, Any]) -> bool:
    """Tell whether nothing in these settings rules a last layer of zeros out."""
    try:
        ShapeSettings(**{name: values[name] for name in _DECIDES_ZERO if name in values})
    except SettingsError as error:
        return all(one.field != "zero_last_layer" for one in error.errors)
    return True
