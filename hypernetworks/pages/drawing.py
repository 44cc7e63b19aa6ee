"""A drawing of a network as SVG: its layers, what happens between them, and the width of each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ..network.structure import Structure

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

#: Half-transparent, so that light and dark pages shine through; text takes the page's own colour.
_COLOURS = {
    "bar": "#3b82f6",
    "linear": "#64748b",
    "activation": "#f59e0b",
    "norm": "#10b981",
    "dropout": "#a855f7",
    "arc": "#ef4444",
}


@dataclass(frozen=True)
class _Chip:
    """One step of a layer, as a labelled box."""

    kind: str
    text: str


def draw(structure: Structure, widths: Sequence[int]) -> str:
    """Return an SVG element: a bar for each entry of the layer structure, as high as it is wide, and the steps between.

    Args:
        widths: attention widths; the width of each layer is written for each of them.
    """
    xs = [_MARGIN + index * _STEP for index in range(len(structure.layer_structure))]
    columns = [_chips(structure, index) for index in range(1, len(xs))]
    middle = _ARC_ROOM + _TALLEST / 2
    chips_top = _ARC_ROOM + _TALLEST + 30
    rows_top = chips_top + max(map(len, columns)) * (_CHIP_HEIGHT + 4) + 22
    shown = list(widths)[:_WIDTHS_SHOWN]
    height = rows_top + _ROW * (len(shown) + (len(widths) > len(shown))) + 4
    width = xs[-1] + (_MARGIN if structure.skip_connection else _MARGIN + 60)
    parts = [
        *_layers(xs, _heights(structure), middle),
        *_multipliers(xs, structure),
        *(_blocks(xs, structure, middle) if structure.skip_connection else _addition(xs, middle)),
        *_chip_columns(xs, columns, chips_top),
        *_width_rows(xs, structure, shown, rows_top),
    ]
    if len(widths) > len(shown):
        parts.append(_text(xs[0], height - 8, f"and {len(widths) - len(shown)} more"))
    return _svg(width, height, _description(structure, widths), parts)


def _svg(width: float, height: float, description: str, parts: Sequence[str]) -> str:
    # Shrunk to the page's width it could not be read; its box scrolls.
    kind = "hnw-drawing hnw-wide" if width > _WIDE else "hnw-drawing"
    return (
        f'<svg class="{kind}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" fill="currentColor" font-family="inherit" font-size="12">'
        f"<title>{escape(description)}</title>{''.join(parts)}</svg>"
    )


def _description(structure: Structure, widths: Sequence[int]) -> str:
    layers = ", ".join(f"{part:g}" for part in structure.layer_structure)
    return f"Layers {layers} for attention widths {', '.join(map(str, widths)) or 'of the checkpoint'}"


def _chips(structure: Structure, index: int) -> list[_Chip]:
    """Return the steps that lead to layer `index`, in the order in which they happen."""
    is_last = index == len(structure.layer_structure) - 1
    linear = _Chip("linear", "Linear, from 0" if is_last and structure.zero_last_layer else "Linear")
    is_activated = structure.activation != "linear" and (not is_last or structure.activate_output)
    activation = [_Chip("activation", structure.activation)] if is_activated else []
    norm = [_Chip("norm", "LayerNorm")] if structure.layer_norm else []
    share = structure.dropout_structure[index]
    dropout = [_Chip("dropout", f"Dropout {share * 100:.3g} %")] if share > 0 else []
    if structure.skip_connection:
        # A residual block activates its output whatever `activate_output` says, and does it last.
        activation = [_Chip("activation", structure.activation)] if structure.activation != "linear" else []
        return [linear, *norm, *dropout, *activation]
    return [linear, *activation, *norm, *dropout]


def _heights(structure: Structure) -> list[float]:
    tallest = max(structure.layer_structure)
    return [max(_SHORTEST, _TALLEST * part / tallest) for part in structure.layer_structure]


def _layers(xs: Sequence[float], heights: Sequence[float], middle: float) -> list[str]:
    """Return the bars, and between them the linear maps as shaded areas."""
    areas, bars = [], []
    for (x0, h0), (x1, h1) in itertools.pairwise(zip(xs, heights, strict=True)):
        left, right = x0 + _BAR / 2, x1 - _BAR / 2
        points = (left, middle - h0 / 2), (right, middle - h1 / 2), (right, middle + h1 / 2), (left, middle + h0 / 2)
        corners = " ".join(f"{x:g},{y:.1f}" for x, y in points)
        areas.append(f'<polygon points="{corners}" fill="{_COLOURS["bar"]}" fill-opacity="0.15"/>')
    for x, height in zip(xs, heights, strict=True):
        bars.append(
            f'<rect class="hnw-layer" x="{x - _BAR / 2:g}" y="{middle - height / 2:.1f}" width="{_BAR}" '
            f'height="{height:.1f}" rx="3" fill="{_COLOURS["bar"]}"/>'
        )
    return areas + bars


def _multipliers(xs: Sequence[float], structure: Structure) -> list[str]:
    y = _ARC_ROOM + _TALLEST + 18
    return [_text(x, y, f"× {part:g}", bold=True) for x, part in zip(xs, structure.layer_structure, strict=True)]


def _addition(xs: Sequence[float], middle: float) -> list[str]:
    """Return the input passing by, and joining what the layers made of it."""
    plus, top = xs[-1] + 52, 22
    start = xs[0]
    return [
        _arc(
            f"M {start:g} {_ARC_ROOM - 6} C {start:g} {top} {start:g} {top} {start + 24:g} {top} H {plus - 24:g} "
            f"C {plus:g} {top} {plus:g} {top} {plus:g} {middle - 11:g}"
        ),
        _arc(f"M {xs[-1] + _BAR / 2:g} {middle:g} H {plus - 11:g}"),
        *_plus(plus, middle),
        _text((start + plus) / 2, top - 7, "the input passes by and is added"),
    ]


def _blocks(xs: Sequence[float], structure: Structure, middle: float) -> list[str]:
    """Return an arc over each residual block, from its input to the sum with its output."""
    parts = []
    tops = [middle - height / 2 for height in _heights(structure)]
    for index, (x0, x1) in enumerate(itertools.pairwise(xs)):
        # Where one arc ends the next begins, so that they stand a little apart.
        left, right, top, foot = x0 + 5, x1 - 3, 20, _ARC_ROOM - 14
        curve = f"C {left:g} {top} {right:g} {top} {right:g} {foot - 9}"
        parts.append(
            _arc(f"M {left:g} {tops[index]:.1f} V {foot} {curve} M {right:g} {foot + 9} V {tops[index + 1]:.1f}")
        )
        parts += _plus(right, foot)
        same = structure.layer_structure[index] == structure.layer_structure[index + 1]
        text = "learned stretch" if structure.upsample_linear else "added" if same else "stretched, added"
        parts.append(_text((x0 + x1) / 2, top - 6, text))
    return parts


def _arc(path: str) -> str:
    return f'<path class="hnw-arc" d="{path}" fill="none" stroke="{_COLOURS["arc"]}" stroke-width="2"/>'


def _plus(x: float, y: float) -> list[str]:
    return [
        f'<circle cx="{x:g}" cy="{y:g}" r="9" fill="{_COLOURS["arc"]}" fill-opacity="0.2" '
        f'stroke="{_COLOURS["arc"]}" stroke-width="2"/>',
        f'<path d="M {x - 5:g} {y:g} H {x + 5:g} M {x:g} {y - 5:g} V {y + 5:g}" stroke="currentColor" '
        'stroke-width="1.5"/>',
    ]


def _chip_columns(xs: Sequence[float], columns: Sequence[Sequence[_Chip]], top: float) -> list[str]:
    parts = []
    for (x0, x1), chips in zip(itertools.pairwise(xs), columns, strict=True):
        centre, width = (x0 + x1) / 2, _STEP - 12
        for row, chip in enumerate(chips):
            y = top + row * (_CHIP_HEIGHT + 4)
            colour = _COLOURS[chip.kind]
            parts.append(
                f'<rect class="hnw-{chip.kind}" x="{centre - width / 2:g}" y="{y:g}" width="{width:g}" '
                f'height="{_CHIP_HEIGHT}" rx="5" fill="{colour}" fill-opacity="0.25" stroke="{colour}"/>'
            )
            parts.append(_text(centre, y + 14, chip.text))
    return parts


def _width_rows(xs: Sequence[float], structure: Structure, widths: Sequence[int], top: float) -> list[str]:
    """One line for each attention width: how many values every layer has."""
    return [
        _text(x, top + row * _ROW, str(value))
        for row, width in enumerate(widths)
        for x, value in zip(xs, structure.layer_widths(width), strict=True)
    ]


def _text(x: float, y: float, text: str, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle"{weight}>{escape(text)}</text>'
