"""What people hand over to be applied, turned into one chain, and whether it fits a model."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ..hypernetworks.base.errors import AdapterError, SettingsError
from ..hypernetworks.compose import Composition
from ..hypernetworks.compose.bound import Apply, Blend, Chain, Step
from ..hypernetworks.network.hypernetwork import Hypernetwork

#: One network, alone or with its strength.
Row: TypeAlias = "Hypernetwork | tuple[Hypernetwork, float]"
_PAIR = 2


def chain_of(
    what: Row | Sequence[Row] | Composition, strength: float, networks: Mapping[str, Hypernetwork] | None
) -> tuple[Step, list[Hypernetwork]]:
    """Return the steps that `what` means, and all networks that it names, also where strength 0 leaves no steps.

    Args:
        what: a network, several one after the other, or a composition, which takes them by name from `networks`.
        strength: multiplies what all of them together add.

    Raises:
        SettingsError: a strength that is no number, nothing to apply, or something else than networks.
        CompositionError: a network that the composition names is not in `networks`.
    """
    strength = _finite(strength, "strength")
    if isinstance(what, Composition):
        what.check(networks or {})
        given = networks or {}
        return what.as_step(given, strength), [given[name] for name in what.names]
    if networks is not None:
        raise SettingsError("networks", "are for a composition, which names them")
    rows = tuple(_rows(what))
    if not rows:
        raise SettingsError("networks", "there is none to apply")
    return _chain(rows, strength), [row.network for row in rows]


def _chain(rows: tuple[Apply, ...], strength: float) -> Step:
    if strength == 0:
        return Chain(())
    if len(rows) == 1:
        return Apply(rows[0].network, rows[0].strength * strength)
    return Chain(rows) if strength == 1 else Blend(((Chain(rows), strength),))


def _rows(what: Any) -> Iterable[Apply]:
    rows = [what] if isinstance(what, Hypernetwork) or _is_row(what) else what
    if isinstance(rows, str | bytes) or not isinstance(rows, Sequence):
        raise _wrong(what)
    for number, row in enumerate(rows, 1):
        network, strength = row if _is_row(row) else (row, 1.0)
        if not isinstance(network, Hypernetwork):
            raise _wrong(network)
        yield Apply(network, _finite(strength, f"strength of network {number}"))


def _is_row(what: Any) -> bool:
    """Tell whether something is a network with its strength; two networks in a tuple are a chain."""
    return isinstance(what, tuple) and len(what) == _PAIR and not isinstance(what[1], Hypernetwork | tuple)


def _wrong(what: Any) -> SettingsError:
    kind = "a file name, load it first" if isinstance(what, str | bytes) else f"{type(what).__name__}"
    return SettingsError("networks", f"must be networks, each alone or with its strength, or a composition, not {kind}")


def _finite(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SettingsError(field, f"must be a finite number, not {value!r}")
    return float(value)


def check_widths(networks: Iterable[Hypernetwork], widths: Collection[int]) -> None:
    """Raise AdapterError for a network that was made for a model of other attention widths.

    A network may have fewer widths than the model, or more if it has all of them as well.
    """
    for network in networks:
        foreign = sorted(set(network.widths) - set(widths))
        if foreign and not set(network.widths) >= set(widths):
            raise AdapterError(
                f"{network.metadata.name or 'the network'} was made for another family of models: it has the width "
                f"{foreign[0]}, the U-Net has {', '.join(map(str, sorted(widths)))}"
            )
