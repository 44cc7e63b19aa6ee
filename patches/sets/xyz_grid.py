"""Patch set: axes for hypernetworks, their strengths and compositions in the host's X/Y/Z plot, where it has one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...hypernetworks import compose
from ...hypernetworks.base.errors import CompositionError
from ..patching import PatchSet, UnsupportedHostError
from ..rows.entries import NONE, Row

_MARK = "hnw_axis"
_CHANGES = "hnw_axis_values"
#: Rows that have axes: two of them make a table of two strengths.
_AXIS_ROWS = 2
#: How slow a change is, from 0 to 1, by which the grid orders its axes: it may have to read a file.
_COST = 0.3

_Where = tuple[int, str]


def changed(p: Any, asked: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows with what the axes of a grid put in their place, and a sentence for each that changes nothing."""
    result, problems = list(asked), []
    changes: Mapping[_Where, Any] = getattr(p, _CHANGES, {})
    for (index, field), value in sorted(changes.items()):  # names before strengths
        row = result[index]
        if field == "name":
            result[index] = dataclasses.replace(row, name=value, is_on=True)
        elif row.is_on and not row.is_empty:
            result[index] = dataclasses.replace(row, strength=value)
        elif (index, "name") not in changes:
            problems.append(f"{_label(index, 'strength')} changes nothing: Hypernetwork {index + 1} is empty or off.")
    return result, problems


class Axes:
    """Our axes in every script that has a list of them, as a patch."""

    @property
    def is_installed(self) -> bool:
        """Whether every grid has them."""
        grids = _grids()
        return bool(grids) and all(any(map(_is_ours, grid.axis_options)) for grid in grids)

    @property
    def is_needed(self) -> bool:
        """Always."""
        return True

    def install(self) -> None:
        """Add them, in the place of those that an earlier copy of this module left.

        Raises:
            UnsupportedHostError: there is no grid, or none yet.
        """
        self.uninstall()
        grids = _grids()
        if not grids:
            raise UnsupportedHostError("this WebUI has no X/Y/Z plot")
        for grid in grids:
            grid.axis_options.extend(_make(grid.AxisOption))

    def uninstall(self) -> None:
        """Take them out."""
        for grid in _grids():
            grid.axis_options[:] = [option for option in grid.axis_options if not _is_ours(option)]


def _grids() -> list[Any]:
    from modules import scripts  # noqa: PLC0415

    modules = {id(data.module): data.module for data in scripts.scripts_data}.values()
    return [module for module in modules if hasattr(module, "axis_options") and hasattr(module, "AxisOption")]


def _is_ours(option: Any) -> bool:
    return getattr(option, _MARK, False)


def _make(axis_option: Callable[..., Any]) -> list[Any]:
    options = []
    for index in range(_AXIS_ROWS):
        name, strength = _label(index, "name"), _label(index, "strength")
        options += [
            axis_option(name, str, _apply(index, "name"), confirm=_confirm_names, cost=_COST, choices=_choices),
            axis_option(strength, float, _apply(index, "strength")),
        ]
    options.append(
        axis_option("Hypernetwork composition", str, _apply(0, "name"), confirm=_confirm_compositions, cost=_COST)
    )
    for option in options:
        setattr(option, _MARK, True)
    return options


def _label(index: int, field: str) -> str:
    return f"Hypernetwork {index + 1}" if field == "name" else f"Hypernetwork {index + 1} {field}"


def _apply(index: int, field: str) -> Callable[[Any, Any, Any], None]:
    def apply(p: Any, value: Any, _values: Any) -> None:
        # The copies of `p` that a grid makes share what they hold.
        setattr(p, _CHANGES, {**getattr(p, _CHANGES, {}), (index, field): value})

    return apply


def _listed() -> list[str]:
    from modules import shared  # noqa: PLC0415

    return list(shared.hypernetworks)


def _choices() -> list[str]:
    return [NONE, *_listed()]


def _confirm_names(_p: Any, values: Iterable[str]) -> None:
    unknown = [value for value in values if value not in _choices()]
    if unknown:
        raise RuntimeError(f"Unknown hypernetwork: {unknown[0]}")


def _confirm_compositions(_p: Any, values: Iterable[str]) -> None:
    known = _listed()
    for value in values:
        if value in ("", NONE) or value in known:
            continue
        try:
            compose.parse(value).check(known)
        except CompositionError as error:
            raise RuntimeError(f"Hypernetwork composition {value}: {error}") from error


patch_set = PatchSet("xyz_grid", "Hypernetworks in the X/Y/Z plot", [Axes()], mends=True)
