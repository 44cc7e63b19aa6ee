"""What the tab Create Beta Hypernetwork shows about an entry: the network as a drawing, and its size."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from markupsafe import Markup

from ..base.errors import SettingsError
from ..network.sizes import readable_bytes, sizes
from ..network.structure import Structure
from . import elements

_FILE = "create.html"
_STEP = 118
_MARGIN = 46
_BAR = 14
_TALLEST = 120
_SHORTEST = 6
_CHIP_HEIGHT = 20
_ROW = 16
_ARC_ROOM = 54
_WIDTHS_SHOWN = 8
_WIDE = 900


class CheckedEntry(Protocol):
    """The parts of an entry for a new network that are shown."""

    @property
    def problems(self) -> Sequence[SettingsError]:
        """What is wrong with it."""

    @property
    def structure(self) -> Structure | None:
        """The layers; None while a field that decides them is wrong."""

    @property
    def widths(self) -> tuple[int, ...]:
        """The attention widths chosen, as far as they can be read."""


def drawing(entry: CheckedEntry) -> str:
    """Return a drawing of the network, or why there is none yet."""
    picture = draw(entry.structure, entry.widths) if entry.structure is not None else None
    return elements.page(_FILE, "drawing", picture)


def summary(entry: CheckedEntry, offered: tuple[int, ...], labels: Mapping[str, str]) -> str:
    """Return the size of the network and of its training, and what keeps it from being made; `labels` by field."""
    return elements.page(
        _FILE,
        "summary",
        sizes=_sizes(entry.structure, entry.widths) if entry.structure is not None and entry.widths else (),
        is_without_checkpoint=not entry.widths and not offered,
        wrong=", ".join(labels.get(error.field, error.field) for error in entry.problems),
    )


def _sizes(structure: Structure, widths: tuple[int, ...]) -> Sequence[tuple[str, str]]:
    size = sizes(structure, widths)
    files: dict[str, list[str]] = {}
    for dtype, count in size.file_bytes.items():
        files.setdefault(readable_bytes(count), []).append(dtype)
    training = f"{readable_bytes(size.training_bytes)} for weights, gradients and AdamW, in addition to the model"
    return (
        ("Parameters", f"{size.parameters:,}"),
        ("File", ", ".join(f"{text} ({' or '.join(dtypes)})" for text, dtypes in files.items())),
        ("Memory to train", training),
    )


@dataclass
class _Shapes:
    """The parts of a drawing, each kind in the order of the layers; numbers are formatted as text.

    Attributes:
        maps: corners of the linear maps between the layers.
        layers: x, y, width and height of the bars.
        arcs: paths.
        sums: centre x and y, and the path of the plus.
        chips: kind, x, y, width and height of the steps of each layer.
        labels: x, y, words, and whether they are bold.
    """

    maps: list[str] = field(default_factory=list)
    layers: list[tuple[str, str, str, str]] = field(default_factory=list)
    arcs: list[str] = field(default_factory=list)
    sums: list[tuple[str, str, str]] = field(default_factory=list)
    chips: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    labels: list[tuple[str, str, str, bool]] = field(default_factory=list)

    def add_sum(self, x: float, y: float) -> None:
        """Add a plus in a circle."""
        cross = f"M {x - 5:g} {y:g} H {x + 5:g} M {x:g} {y - 5:g} V {y + 5:g}"
        self.sums.append((f"{x:g}", f"{y:g}", cross))

    def add_label(self, x: float, y: float, words: str, is_bold: bool = False) -> None:
        """Add words centred at `x`."""
        self.labels.append((f"{x:g}", f"{y:g}", words, is_bold))


def draw(structure: Structure, widths: Sequence[int]) -> Markup:
    """Return an SVG element: a bar for each entry of the layer structure, as high as it is wide, and the steps between.

    Args:
        widths: attention widths; the width of each layer is written for each of them.
    """
    xs = [_MARGIN + index * _STEP for index in range(len(structure.layer_structure))]
    columns = [_steps(structure, index) for index in range(1, len(xs))]
    middle = _ARC_ROOM + _TALLEST / 2
    chips_top = _ARC_ROOM + _TALLEST + 30
    rows_top = chips_top + max(map(len, columns)) * (_CHIP_HEIGHT + 4) + 22
    shown = list(widths)[:_WIDTHS_SHOWN]
    height = rows_top + _ROW * (len(shown) + (len(widths) > len(shown))) + 4
    width = xs[-1] + (_MARGIN if structure.skip_connection else _MARGIN + 60)
    shapes = _Shapes()
    _add_layers(shapes, xs, structure, middle)
    if structure.skip_connection:
        _add_blocks(shapes, xs, structure, middle)
    else:
        _add_addition(shapes, xs, middle)
    _add_chips(shapes, xs, columns, chips_top)
    _add_width_rows(shapes, xs, structure, shown, rows_top)
    if len(widths) > len(shown):
        shapes.add_label(xs[0], height - 8, f"and {len(widths) - len(shown)} more")
    # Shrunk to the page's width it could not be read; its box scrolls.
    classes = "hnw-drawing hnw-wide" if width > _WIDE else "hnw-drawing"
    description = _description(structure, widths)
    return elements.piece("drawing.svg", "drawing", classes, f"{width:g}", f"{height:g}", description, shapes)


def _description(structure: Structure, widths: Sequence[int]) -> str:
    layers = ", ".join(f"{part:g}" for part in structure.layer_structure)
    return f"Layers {layers} for attention widths {', '.join(map(str, widths)) or 'of the checkpoint'}"


def _steps(structure: Structure, index: int) -> list[tuple[str, str]]:
    """Return the steps that lead to layer `index`, in the order in which they happen, each as its kind and words."""
    is_last = index == len(structure.layer_structure) - 1
    linear = ("linear", "Linear, from 0" if is_last and structure.zero_last_layer else "Linear")
    is_activated = structure.activation != "linear" and (not is_last or structure.activate_output)
    activation = [("activation", structure.activation)] if is_activated else []
    norm = [("norm", "LayerNorm")] if structure.layer_norm else []
    share = structure.dropout_structure[index]
    dropout = [("dropout", f"Dropout {share * 100:.3g} %")] if share > 0 else []
    if structure.skip_connection:
        # A residual block activates its output whatever `activate_output` says, and does it last.
        activation = [("activation", structure.activation)] if structure.activation != "linear" else []
        return [linear, *norm, *dropout, *activation]
    return [linear, *activation, *norm, *dropout]


def _heights(structure: Structure) -> list[float]:
    tallest = max(structure.layer_structure)
    return [max(_SHORTEST, _TALLEST * part / tallest) for part in structure.layer_structure]


def _add_layers(shapes: _Shapes, xs: Sequence[float], structure: Structure, middle: float) -> None:
    """Add the bars, between them the linear maps as shaded areas, and below each how wide it is."""
    heights = _heights(structure)
    for (x0, h0), (x1, h1) in itertools.pairwise(zip(xs, heights, strict=True)):
        left, right = x0 + _BAR / 2, x1 - _BAR / 2
        points = (left, middle - h0 / 2), (right, middle - h1 / 2), (right, middle + h1 / 2), (left, middle + h0 / 2)
        shapes.maps.append(" ".join(f"{x:g},{y:.1f}" for x, y in points))
    for x, height, part in zip(xs, heights, structure.layer_structure, strict=True):
        shapes.layers.append((f"{x - _BAR / 2:g}", f"{middle - height / 2:.1f}", f"{_BAR}", f"{height:.1f}"))
        shapes.add_label(x, _ARC_ROOM + _TALLEST + 18, f"× {part:g}", is_bold=True)


def _add_addition(shapes: _Shapes, xs: Sequence[float], middle: float) -> None:
    """Add the input that bypasses the layers, and its sum with their output."""
    plus, top = xs[-1] + 52, 22
    start = xs[0]
    rise = f"M {start:g} {_ARC_ROOM - 6} C {start:g} {top} {start:g} {top} {start + 24:g} {top}"
    fall = f"H {plus - 24:g} C {plus:g} {top} {plus:g} {top} {plus:g} {middle - 11:g}"
    shapes.arcs += [f"{rise} {fall}", f"M {xs[-1] + _BAR / 2:g} {middle:g} H {plus - 11:g}"]
    shapes.add_sum(plus, middle)
    shapes.add_label((start + plus) / 2, top - 7, "the input is added to the output")


def _add_blocks(shapes: _Shapes, xs: Sequence[float], structure: Structure, middle: float) -> None:
    """Add an arc over each residual block, from its input to the sum with its output."""
    tops = [middle - height / 2 for height in _heights(structure)]
    for index, (x0, x1) in enumerate(itertools.pairwise(xs)):
        # Where one arc ends the next begins, so that they stand a little apart.
        left, right, top, foot = x0 + 5, x1 - 3, 20, _ARC_ROOM - 14
        curve = f"C {left:g} {top} {right:g} {top} {right:g} {foot - 9}"
        shapes.arcs.append(
            f"M {left:g} {tops[index]:.1f} V {foot} {curve} M {right:g} {foot + 9} V {tops[index + 1]:.1f}"
        )
        shapes.add_sum(right, foot)
        same = structure.layer_structure[index] == structure.layer_structure[index + 1]
        words = "learned stretch" if structure.upsample_linear else "added" if same else "stretched, added"
        shapes.add_label((x0 + x1) / 2, top - 6, words)


def _add_chips(shapes: _Shapes, xs: Sequence[float], columns: Sequence[Sequence[tuple[str, str]]], top: float) -> None:
    """Add the steps of each layer, as labelled boxes under one another."""
    for (x0, x1), chips in zip(itertools.pairwise(xs), columns, strict=True):
        centre, width = (x0 + x1) / 2, _STEP - 12
        for row, (kind, words) in enumerate(chips):
            y = top + row * (_CHIP_HEIGHT + 4)
            shapes.chips.append((kind, f"{centre - width / 2:g}", f"{y:g}", f"{width:g}", f"{_CHIP_HEIGHT}"))
            shapes.add_label(centre, y + 14, words)


def _add_width_rows(
    shapes: _Shapes, xs: Sequence[float], structure: Structure, widths: Sequence[int], top: float
) -> None:
    """Add one line for each attention width: how many values every layer has."""
    for row, width in enumerate(widths):
        for x, value in zip(xs, structure.layer_widths(width), strict=True):
            shapes.add_label(x, top + row * _ROW, str(value))
