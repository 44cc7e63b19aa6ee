"""The structure of a hypernetwork, without its weights: layers, activation, dropout and initialisation."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..base.errors import SettingsError
from ..base.outside import shown
from .activations import ACTIVATIONS, check_activation
from .layers import WEIGHT_INITS

MAX_LAYERS = 64
MAX_MULTIPLIER = 100
MAX_WIDTH = 65536


@dataclasses.dataclass(frozen=True)
class Structure:
    """The structure of every MLP of a hypernetwork. Wrong values raise SettingsError with the field's name.

    Attributes:
        layer_structure: width of each layer as a multiple of the attention width; starts and ends with 1.
        activation: a name of the format (`activations.ACTIVATIONS`); `linear` means none.
        weight_init: rule for the first weights (`layers.WEIGHT_INITS`); without effect on a loaded network.
        init_std: standard deviation of the rule `Normal`.
        layer_norm: whether a LayerNorm follows every layer.
        activate_output: whether the activation also follows the last layer.
        dropout_structure: probability of dropping a value, one per entry of `layer_structure`, 0 at both ends.
        skip_connection: whether residual blocks replace plain layers.
        upsample_linear: whether residual blocks stretch their input by a linear map of their own.
        zero_last_layer: whether the first weights make the network add nothing.
    """

    layer_structure: tuple[float, ...] = (1, 2, 1)
    activation: str = "linear"
    weight_init: str = "Normal"
    init_std: float = 0.01
    layer_norm: bool = False
    activate_output: bool = False
    dropout_structure: tuple[float, ...] = ()
    skip_connection: bool = False
    upsample_linear: bool = False
    zero_last_layer: bool = False

    def __post_init__(self) -> None:
        layers = _numbers("layer_structure", self.layer_structure)
        object.__setattr__(self, "layer_structure", layers)
        dropout = _numbers("dropout_structure", self.dropout_structure) or (0,) * len(layers)
        object.__setattr__(self, "dropout_structure", dropout)
        _check_layers(layers)
        for name in ("layer_norm", "activate_output", "skip_connection", "upsample_linear", "zero_last_layer"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(name, f"must be true or false, not {shown(getattr(self, name))}")
        if not isinstance(self.activation, str):
            raise SettingsError("activation", f"must be a name, not {shown(self.activation)}")
        check_activation(self.activation)
        if self.weight_init not in WEIGHT_INITS:
            raise SettingsError(
                "weight_init", f"{shown(self.weight_init)} is unknown, the choices are {', '.join(WEIGHT_INITS)}"
            )
        if not _is_number(self.init_std) or not 0 <= self.init_std <= 1:
            raise SettingsError("init_std", f"must be a number from 0 to 1, not {shown(self.init_std)}")
        _check_dropout(dropout, layers, self.skip_connection)
        self._check_combinations()

    def _check_combinations(self) -> None:
        if self.upsample_linear and not self.skip_connection:
            raise SettingsError("upsample_linear", "needs skip_connection")
        if not self.zero_last_layer:
            return
        if self.skip_connection:
            raise SettingsError(
                "zero_last_layer", "cannot be used with skip_connection, whose blocks never start from zero"
            )
        if self.activate_output and not self.layer_norm and not ACTIVATIONS[self.activation].passes_zero:
            reason = (
                f"cannot be used with activate_output and {self.activation}, which would not start silent or not learn"
            )
            raise SettingsError("zero_last_layer", reason)

    @property
    def use_dropout(self) -> bool:
        """Whether any layer drops values in training."""
        return any(self.dropout_structure)

    @property
    def last_layer_dropout(self) -> bool:
        """Whether the last hidden layer drops values in training."""
        return self.dropout_structure[-2] != 0

    def layer_widths(self, width: int) -> tuple[int, ...]:
        """Return the width of each layer for an attention width of `width`."""
        return tuple(int(width * multiplier) for multiplier in self.layer_structure)

    def parameter_count(self, widths: Iterable[int]) -> int:
        """Return the number of weights of the networks for `widths`, both of each pair."""
        total = 0
        for width in widths:
            sizes = self.layer_widths(width)
            for inputs, outputs in itertools.pairwise(sizes):
                total += inputs * outputs + outputs
                total += 2 * outputs if self.layer_norm else 0
                total += inputs * outputs if self.upsample_linear else 0
        return 2 * total

    def check_widths(self, widths: Sequence[int]) -> tuple[int, ...]:
        """Return `widths` as a tuple; raises SettingsError where one cannot be a width of this structure."""
        for width in widths:
            if isinstance(width, bool) or not isinstance(width, int) or not 1 <= width <= MAX_WIDTH:
                raise SettingsError("widths", f"must be whole numbers from 1 to {MAX_WIDTH}, not {width!r}")
            if min(self.layer_widths(width)) < 1:
                raise SettingsError(
                    "widths", f"{width} leaves a layer without any value in {list(self.layer_structure)}"
                )
        if len(set(widths)) != len(widths):
            raise SettingsError("widths", "the same width occurs twice")
        return tuple(widths)


def default_dropout(layer_structure: Sequence[float], use_dropout: bool, last_layer_dropout: bool) -> tuple[float, ...]:
    """Return the dropout that files without a `dropout_structure` mean: 0.3 between the hidden layers."""
    count = len(layer_structure)
    if not use_dropout or count < 3:  # noqa: PLR2004 - a network without a hidden layer has no place for dropout
        return (0,) * count
    return (0, *[0.3] * (count - 3), 0.3 if last_layer_dropout else 0, 0)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def _numbers(field: str, values: Any) -> tuple[float, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise SettingsError(field, f"must be a list of numbers, not {shown(values)}")
    for value in values:
        if not _is_number(value):
            raise SettingsError(field, f"must hold numbers only, not {shown(value)}")
    return tuple(values)


def _check_layers(layers: tuple[float, ...]) -> None:
    if not 2 <= len(layers) <= MAX_LAYERS:  # noqa: PLR2004 - an input and an output
        raise SettingsError("layer_structure", f"must have 2 to {MAX_LAYERS} entries, not {len(layers)}")
    if layers[0] != 1 or layers[-1] != 1:
        raise SettingsError("layer_structure", f"must start and end with 1, not {list(layers)}")
    for value in layers:
        if not 0 < value <= MAX_MULTIPLIER:
            raise SettingsError("layer_structure", f"entries must be above 0 and at most {MAX_MULTIPLIER}, not {value}")


def _check_dropout(dropout: tuple[float, ...], layers: tuple[float, ...], residual: bool) -> None:
    if len(dropout) != len(layers):
        raise SettingsError(
            "dropout_structure", f"must have {len(layers)} entries like layer_structure, not {len(dropout)}"
        )
    for value in dropout:
        if not 0 <= value < 1:
            raise SettingsError("dropout_structure", f"entries must be at least 0 and below 1, not {value}")
    # Dropout is inside of a residual block, so the original allows it in the last one too.
    if dropout[0] != 0 or (dropout[-1] != 0 and not residual):
        raise SettingsError("dropout_structure", f"must start and end with 0, not {list(dropout)}")
