"""Patch set: axes for hypernetworks, their strengths and compositions in the host's X/Y/Z plot, where it has one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...hypernetworks import compose
from ...hypernetworks.base.errors import CompositionError
from ...hypernetworks.files import listing
from ..model import lookup
from ..patching import PatchSet, UnsupportedHostError, capabilities, page, switches
from ..patching import patch_set as patch_set_of
from ..rows.entries import NONE, apply_axis, axis_label

_MARK = "hnw_axis"
#: Number of rows that have axes; two make a table of two strengths.
_AXIS_ROWS = 2
#: Cost of a change, from 0 to 1, by which the grid orders its axes: it may mean reading a file.
_COST = 0.3


class Axes:
    """A patch that adds our axes to every script with a list of axes."""

    def __init__(self) -> None:
        # Where ours were among the others', so that all have their old numbers when ours are back.
        self._places: dict[int, int] = {}

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
            place = self._places.get(id(grid), len(grid.axis_options))
            grid.axis_options[place:place] = _make(grid.AxisOption)
            _show(grid)

    def uninstall(self) -> None:
        """Remove them."""
        for grid in _grids():
            places = [index for index, option in enumerate(grid.axis_options) if _is_ours(option)]
            if places:
                self._places[id(grid)] = places[0]
            grid.axis_options[:] = [option for option in grid.axis_options if not _is_ours(option)]
            _show(grid)


def _grids() -> list[Any]:
    from modules import scripts  # noqa: PLC0415

    modules = {id(data.module): data.module for data in scripts.scripts_data}.values()
    return [module for module in modules if hasattr(module, "axis_options") and hasattr(module, "AxisOption")]


def _show(grid: Any) -> None:
    """Offer the present axes wherever the grid offers some: in new pages, and in the host's API.

    A page that is open keeps its list, and with it the numbers of the axes; so those of ours that it was made with stay
    behind it, and say there that they are off.
    """
    from modules import scripts  # noqa: PLC0415

    kinds = [data.script_class for data in scripts.scripts_data if data.module is grid]
    runners: list[Any] = [getattr(scripts, name, None) for name in ("scripts_txt2img", "scripts_img2img")]
    for runner in runners:
        for script in getattr(runner, "scripts", ()):
            if type(script) in kinds and hasattr(script, "current_axis_options"):
                _show_in(script, runner.inputs, grid.axis_options)


def _show_in(script: Any, inputs: Sequence[Any], axes: Sequence[Any]) -> None:
    kept = script.current_axis_options
    offered = [axis for axis in axes if _is_ours(axis) or axis in kept]
    shown = [axis.label for axis in offered]
    known = {axis.label for axis in kept}
    are_on = any(map(_is_ours, offered))
    if are_on:
        script.current_axis_options = offered
    for component in inputs[script.args_from : script.args_to]:
        if _offers(component, known):
            component.choices = page.choices(shown) if are_on else component.choices
            page.change(component, {"choices": shown})
    for argument in getattr(script.api_info, "args", None) or ():
        if _offers(argument, known):
            argument.choices = shown


def _offers(component: Any, labels: set[str]) -> bool:
    choices = getattr(component, "choices", None) or ()
    return bool(choices) and labels.issuperset(one[0] if isinstance(one, tuple) else one for one in choices)


def _is_ours(option: Any) -> bool:
    return getattr(option, _MARK, False)


def _make(axis_option: Callable[..., Any]) -> list[Any]:
    options = []
    names, compositions = _confirmed(_confirm_names), _confirmed(_confirm_compositions)
    for index in range(_AXIS_ROWS):
        name, strength = axis_label(index, "name"), axis_label(index, "strength")
        options += [
            axis_option(name, str, apply_axis(index, "name"), confirm=names, cost=_COST, choices=_choices),
            axis_option(strength, float, apply_axis(index, "strength"), confirm=_confirmed(_confirm_strengths)),
        ]
    options.append(
        axis_option("Hypernetwork composition", str, apply_axis(0, "name"), confirm=compositions, cost=_COST)
    )
    if not capabilities.attention_has_hooks():
        confirm = _confirmed(_confirm_text_models)
        options.append(axis_option(switches.TEXT_MODEL_FIELD, str, _apply_text_model, confirm=confirm, cost=1.0))
    for option in options:
        setattr(option, _MARK, True)
    return options


def _apply_text_model(p: Any, value: str, _values: Any) -> None:
    # The copies of `p` that a grid makes share their attributes' objects.
    p.override_settings = {**(p.override_settings or {}), switches.TEXT_MODEL: value}


def _confirm_text_models(_p: Any, values: Iterable[str]) -> None:
    from ..parts import text_files  # noqa: PLC0415 - needs the running host

    if not patch_set_of("text_model").is_installed:
        raise RuntimeError("The CLIP text model is switched off in Settings > Hypernetworks")
    for value in values:
        if not text_files.is_known(value):
            raise RuntimeError(f"Unknown CLIP text model: {value}")


def _choices() -> list[str]:
    from modules import shared  # noqa: PLC0415

    shared.reload_hypernetworks()
    return [NONE, *lookup.listed()]


def _confirmed(check: Callable[[Any, Iterable[Any]], None]) -> Callable[[Any, Iterable[Any]], None]:
    """Return the check of an axis' values; a page that was opened before they were switched off passes none."""

    def confirm(p: Any, values: Iterable[Any]) -> None:
        if not patch_set.is_installed:
            raise RuntimeError("The axes for hypernetworks are switched off; open this page again")
        check(p, values)

    return confirm


def _confirm_strengths(_p: Any, values: Iterable[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise RuntimeError(f"A strength must be a finite number, not {value}")


def _confirm_names(_p: Any, values: Iterable[str]) -> None:
    values = list(values)
    listed = lookup.listed(*(value for value in values if value != NONE))
    for value in values:
        if value != NONE and listing.find(listed, value) is None:
            raise RuntimeError(lookup.absent(f"Unknown hypernetwork: {value}", value))


def _confirm_compositions(_p: Any, values: Iterable[str]) -> None:
    listed = lookup.listed()
    for value in values:
        if value in ("", NONE) or listing.find(listed, value):
            continue
        try:
            composition = compose.parse(value)
            composition.check([name for name in composition.names if listing.find(listed, name)])
        except CompositionError as error:
            raise RuntimeError(f"Hypernetwork composition {value}: {error}") from error


patch_set = PatchSet("xyz_grid", "Hypernetworks in the X/Y/Z plot", [Axes()], mends=True)
