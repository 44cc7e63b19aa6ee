"""Patch set: axes for hypernetworks, their strengths and compositions in the host's X/Y/Z plot, where it has one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...hypernetworks import compose
from ...hypernetworks.base.errors import CompositionError
from ..patching import PatchSet, UnsupportedHostError
from ..rows.entries import NONE, apply_axis, axis_label

_MARK = "hnw_axis"
#: Number of rows that have axes; two make a table of two strengths.
_AXIS_ROWS = 2
#: Cost of a change, from 0 to 1, by which the grid orders its axes: it may mean reading a file.
_COST = 0.3


class Axes:
    """A patch that adds our axes to every script with a list of axes."""

    @property
    def is_installed(self) -> bool:
        """Whether every grid has them."""
        grids = _grids()
        return bool(grids) and all(any(map(_is_ours, grid.axis_options)) for grid in grids)

    @property
    def is_needed(self) -> bool:
        """True: every run of the host may use a grid."""
        return True

    def install(self) -> None:
        """Add them, or replace those that an earlier copy of this module left.

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
        """Remove them."""
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
        name, strength = axis_label(index, "name"), axis_label(index, "strength")
        options += [
            axis_option(name, str, apply_axis(index, "name"), confirm=_confirm_names, cost=_COST, choices=_choices),
            axis_option(strength, float, apply_axis(index, "strength")),
        ]
    options.append(
        axis_option("Hypernetwork composition", str, apply_axis(0, "name"), confirm=_confirm_compositions, cost=_COST)
    )
    for option in options:
        setattr(option, _MARK, True)
    return options


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
