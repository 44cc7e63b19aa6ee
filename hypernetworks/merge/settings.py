"""The settings of a merge in a form: the networks, their weights, the method and its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..base.options import Settings, setting
from ..base.registry import with_options
from . import blocks
from .inputs import MAX_WEIGHT
from .merge_options import FIELDS, Options
from .method import METHODS, Labels

ROWS = 4
#: The name that means "no network" to the host.
NONE = "None"
#: The methods by their labels.
LABELS = Labels()
#: The fields that only some methods have.
OWN_OPTIONS = ("multiplier", *FIELDS)


def _network(letter: str, help_: str) -> Any:
    return setting("", f"Network {letter}", help_)


def _weight(letter: str) -> Any:
    help_ = "May be below 0."
    return setting(0.5, f"Weight of {letter}", help_, minimum=-MAX_WEIGHT, maximum=MAX_WEIGHT)


@dataclass(frozen=True)
@with_options(FIELDS, after="multiplier")
class MergeSettings(Settings):
    """Up to four networks with their weights, a method and its options."""

    network_1: str = _network("A", "The first network; differences are taken from it.")
    weight_1: float = _weight("A")
    network_2: str = _network("B", "The second network.")
    weight_2: float = _weight("B")
    network_3: str = _network("C", "A third one, or None.")
    weight_3: float = _weight("C")
    network_4: str = _network("D", "A fourth one, or None.")
    weight_4: float = _weight("D")
    method: str = setting(
        "Weighted sum", "Method", "The table shows which methods can merge these networks.", choices=LABELS
    )
    multiplier: float = setting(
        1.0, "Multiplier m", "How much of B − C is added to A.", minimum=-MAX_WEIGHT, maximum=MAX_WEIGHT
    )
    block_weights: str = setting(
        "",
        "Weights of single blocks",
        "Such as 768.k=0.5, v=0.2. One number is the share of B, or m; 0.2/0.3/0.5 gives each its weight.",
    )

    @property
    def method_name(self) -> str:
        """The method's name in the registry."""
        return LABELS[self.method].name

    @property
    def network_rows(self) -> tuple[int, ...]:
        """The numbers of the rows in which a network is chosen."""
        return chosen_rows({f"network_{row}": getattr(self, f"network_{row}") for row in range(1, ROWS + 1)})

    def weights(self, method: str) -> tuple[float, ...]:
        """Return the weights of the chosen networks for `method`: a base has 1, and `m` replaces that of B."""
        entered = tuple(getattr(self, f"weight_{row}") for row in self.network_rows)
        return METHODS[method].weights.of_form(entered, self.multiplier)

    def merge_options(self, method: str, widths: Sequence[int]) -> Options:
        """Return the options of `method` for networks with these attention widths.

        Raises:
            SettingsError: the text of the block weights is wrong for these networks; names the field.
        """
        parsed = blocks.parse(self.block_weights, method, len(self.network_rows), widths)
        return Options(block_weights=parsed, **{name: getattr(self, name) for name in FIELDS})


def chosen_rows(values: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the numbers of the rows of a form in which a network is chosen."""
    return tuple(row for row in range(1, ROWS + 1) if values.get(f"network_{row}") not in (None, "", NONE))


def used_fields(method: str, rows: Sequence[int]) -> frozenset[str]:
    """Return the fields besides the networks' names that have an effect for `method`, one of `LABELS`, and the rows."""
    chosen = LABELS.get(method)
    if chosen is None:
        return frozenset({*(f"weight_{row}" for row in rows), "block_weights"})
    return frozenset({*chosen.weights.fields(rows), *(own.name for own in chosen.options), "block_weights"})
