"""What a person enters for a merge: the networks, their weights, the method and its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..base.errors import SettingsError
from ..base.options import Settings, setting
from . import blocks
from .inputs import MAX_WEIGHT, Options

ROWS = 4
#: The host keeps this name for "no network".
NONE = "None"
#: The methods as people read them, to their names.
METHODS = {
    "Weighted sum": "weighted_sum",
    "Add difference A + m (B − C)": "add_difference",
    "SVD (differences from A, cut to a rank)": "svd",
    "DARE (differences from A, a random part)": "dare",
    "TIES (differences from A that agree)": "ties",
    "Exact parallel (sum of the outputs)": "exact_parallel",
    "Exact sequence (one after the other)": "exact_sequence",
}
LABELS = {method: label for label, method in METHODS.items()}
_OWN_OPTIONS = {
    "add_difference": ("multiplier",),
    "svd": ("rank",),
    "dare": ("density", "seed"),
    "ties": ("density",),
}
#: The fields that only some methods have.
OWN_OPTIONS = frozenset(name for names in _OWN_OPTIONS.values() for name in names)
_MAX_RANK = 16384
_MAX_SEED = 2**53 - 1  # a page cannot hold a larger number


def _network(letter: str, help_: str) -> Any:
    return setting("", f"Network {letter}", help_)


def _weight(letter: str) -> Any:
    help_ = "May be below 0."
    return setting(0.5, f"Weight of {letter}", help_, minimum=-MAX_WEIGHT, maximum=MAX_WEIGHT)


@dataclass(frozen=True)
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
        "Weighted sum", "Method", "The table tells which can merge these networks.", choices=tuple(METHODS)
    )
    multiplier: float = setting(
        1.0, "Multiplier m", "How much of B − C is added to A.", minimum=-MAX_WEIGHT, maximum=MAX_WEIGHT
    )
    rank: int = setting(
        16, "Rank", "How much detail of each difference is kept; more is nearer.", minimum=1, maximum=_MAX_RANK
    )
    density: float = setting(
        0.5, "Density", "The share of each difference that is kept, above 0.", minimum=0, maximum=1
    )
    seed: int = setting(0, "Seed", "Decides what is dropped.", minimum=0, maximum=_MAX_SEED)
    block_weights: str = setting(
        "",
        "Weights of single blocks",
        "Such as 768.k=0.5, v=0.2. One number is the share of B, or m; 0.2/0.3/0.5 gives each its weight.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.density == 0:
            raise SettingsError("density", "must be above 0")

    @property
    def method_name(self) -> str:
        """The method's name in the registry."""
        return METHODS[self.method]

    @property
    def rows(self) -> tuple[int, ...]:
        """The numbers of the rows in which a network is chosen."""
        return chosen_rows({f"network_{row}": getattr(self, f"network_{row}") for row in range(1, ROWS + 1)})

    def weights(self, method: str) -> tuple[float, ...]:
        """Return the weights of the chosen networks as `method` takes them: a base has 1, and `m` is in B's place."""
        entered = tuple(getattr(self, f"weight_{row}") for row in self.rows)
        role = blocks.weights_role(method)
        if role == "difference":
            return (1.0, self.multiplier, *[1.0] * (len(entered) - 2))[: len(entered)]
        return (1.0, *entered[1:]) if role == "from base" else entered

    def merge_options(self, method: str, widths: Sequence[int]) -> Options:
        """Return the options of `method` for networks with these attention widths.

        Raises:
            SettingsError: the text of the block weights does not fit; names the field.
        """
        parsed = blocks.parse(self.block_weights, method, len(self.rows), widths)
        return Options(parsed, self.rank, self.density, self.seed)


def chosen_rows(values: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the numbers of the rows of a form in which a network is chosen."""
    return tuple(row for row in range(1, ROWS + 1) if values.get(f"network_{row}") not in (None, "", NONE))


def used_fields(method: str, rows: Sequence[int]) -> frozenset[str]:
    """Return the fields beside the networks' names that matter for `method`, a label of `METHODS`, and the rows."""
    name = METHODS.get(method, "")
    role = blocks.weights_role(name)
    weighted = {"all": rows, "from base": rows[1:], "difference": ()}[role]
    return frozenset({*(f"weight_{row}" for row in weighted), *_OWN_OPTIONS.get(name, ()), "block_weights"})
