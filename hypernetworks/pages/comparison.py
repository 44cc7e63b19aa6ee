"""A comparison of two networks as one HTML table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..report.comparison import Comparison, OutputDistance, WeightDistance
from . import elements

_WEIGHTS_SHOWN = 400


def render(comparison: Comparison, first: str, second: str) -> str:
    """Return the comparison under the names of the two networks."""
    names = [elements.text(name, 80) for name in (first, second)]
    verdict = "Both give the same outputs." if comparison.is_same else "Their outputs differ."
    parts = [
        elements.part(("Structure", *names, "", ""), _facts(comparison)),
        elements.part(
            ("Outputs at strength 1", "mean change by the first", "by the second", "largest difference", "mean"),
            map(_output, comparison.outputs),
        ),
        elements.part(
            ("Weights", "norm of the first", "of the second", "relative L2 distance", "cosine"), _weights(comparison)
        ),
    ]
    return (
        f"<div class='hnw-report'><h3>{names[0]} and {names[1]}</h3><p>{verdict}</p>"
        f"<div class='hnw-wide-table'><table class='hnw-table hnw-comparison'>{''.join(parts)}</table></div></div>"
    )


def _facts(comparison: Comparison) -> Sequence[Sequence[str]]:
    if not comparison.facts:
        return [("no difference", "", "", "", "")]
    return [
        (fact.fact.replace("_", " "), elements.text(fact.first, 300), elements.text(fact.second, 300), "", "")
        for fact in comparison.facts
    ]


def _output(output: OutputDistance) -> Sequence[str]:
    numbers = (output.first, output.second, output.largest, output.mean)
    return (f"{output.width} {output.side}", *map(elements.number, numbers))


def _weights(comparison: Comparison) -> Iterator[Sequence[str]]:
    for weight in comparison.weights[:_WEIGHTS_SHOWN]:
        yield _weight(weight)
    left = len(comparison.weights) - _WEIGHTS_SHOWN
    if left > 0:
        yield (f"and {left:,} more", "", "", "", "")


def _weight(weight: WeightDistance) -> Sequence[str]:
    relative = "–" if weight.relative is None else f"{weight.relative:.2%}"
    cosine = "–" if weight.cosine is None else f"{weight.cosine:.4f}"
    name = f"{weight.width} {weight.side} {elements.text(weight.weight, 60)}"
    return (name, elements.number(weight.first), elements.number(weight.second), relative, cosine)
