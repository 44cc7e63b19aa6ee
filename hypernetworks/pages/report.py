"""The HTML of the tab Inspect Hypernetwork: a file with all its weights, or how two networks differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..report import LayerStatistics, Outline, Report
from ..report.comparison import Comparison, OutputDistance, WeightDistance
from . import charts, elements, recorded

_FILE = "report.html"
_FORMS = {"zip": "torch file (zip)", "legacy": "torch file (before 2020)", "safetensors": "safetensors"}
_WEIGHTS_SHOWN = 400
_KEYS_SHOWN = 40
_WIDTHS_SHOWN = 16

_UNKNOWN = recorded.JobForm()

Rows = Sequence[Sequence[Any]]


def render(report: Report, form: recorded.JobForm = _UNKNOWN) -> str:
    """Return the whole report: the file, the programs that read it, and every weight with its histogram.

    Args:
        form: the form whose words the settings of the training are shown in.
    """
    groups: dict[int, list[Sequence[Any]]] = {}
    for layer in report.layers[:_WEIGHTS_SHOWN]:
        groups.setdefault(layer.width, []).append(_layer(layer))
    return elements.page(
        _FILE,
        "report",
        name=report.path.name,
        problem=f"This file is broken: {report.problem}." if report.problem else "",
        known=_facts(report),
        readers=[
            (elements.text(name), elements.piece(_FILE, "can_read", bool(reader)), elements.text(reader.reason, 400))
            for name, reader in report.readers.items()
        ],
        training=recorded.training(report.training, form) if report.training else (),
        extra=recorded.foreign(report.extra, form) if report.extra else (),
        weights=groups.items(),
        left=elements.beyond(len(report.layers), _WEIGHTS_SHOWN),
    )


def render_broken(path: Path, sentence: str, outline: Outline) -> str:
    """Return what is known of a file that is no network."""
    rows = []
    if outline.file_bytes is not None:
        rows.append(("File", f"{elements.size(outline.file_bytes)}, {outline.file_bytes:,} bytes"))
    if outline.short_hash:
        rows.append(("Hash", outline.short_hash))
    if outline.form:
        rows.append(("Form", _FORMS[outline.form]))
    if outline.keys:
        left = elements.beyond(len(outline.keys), _KEYS_SHOWN)
        keys = ", ".join(elements.text(key, 60) for key in outline.keys[:_KEYS_SHOWN])
        rows.append(("Keys", f"{keys} and {left} more" if left else keys))
    return elements.page(_FILE, "broken_file", name=path.name, problem=sentence, known=rows)


def render_comparison(comparison: Comparison, first: str, second: str) -> str:
    """Return the comparison of two networks under their names."""
    return elements.page(
        _FILE,
        "comparison",
        names=[elements.text(name, 80) for name in (first, second)],
        is_same=comparison.is_same,
        structure=_differences(comparison),
        outputs=map(_output, comparison.outputs),
        weights=_distances(comparison),
    )


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    structure = report.structure
    yield "File", f"{elements.size(report.file_bytes)}, {_FORMS[report.form]}, hash {report.short_hash}"
    if report.name != report.path.stem:
        yield "Name inside", elements.own(report.name, 300)
    yield "Step", f"{report.step:,}"
    model = elements.own(report.sd_checkpoint_name, 300) if report.sd_checkpoint_name else "unknown"
    hash_ = f" [{elements.text(report.sd_checkpoint, 80)}]" if report.sd_checkpoint else ""
    yield "Trained on", model + hash_
    yield "Notes", elements.own(report.optional_info or "–")
    yield "Layers", _list(structure.layer_structure)
    yield "Widths", _widths(report)
    yield "Activation", structure.activation + (", after the last layer too" if structure.activate_output else "")
    yield "LayerNorm", "yes" if structure.layer_norm else "no"
    yield "Dropout", _list(structure.dropout_structure) if structure.use_dropout else "none"
    if structure.skip_connection:
        yield "Residual blocks", "yes, stretched by a linear map" if structure.upsample_linear else "yes"
    yield "First weights", structure.weight_init + (", last layer zero" if structure.zero_last_layer else "")
    yield "Weights", f"{report.parameters:,}, stored as {' and '.join(report.dtypes)}"
    yield "Size by type", ", ".join(f"{dtype} {elements.size(count)}" for dtype, count in report.weight_bytes.items())


def _widths(report: Report) -> str:
    lines = [f"{width}: {' → '.join(map(str, layers))}" for width, layers in report.layer_widths.items()]
    more = [f"and {len(lines) - _WIDTHS_SHOWN} more"] if len(lines) > _WIDTHS_SHOWN else []
    return elements.piece(_FILE, "lines", [*lines[:_WIDTHS_SHOWN], *more])


def _list(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _layer(layer: LayerStatistics) -> Sequence[str]:
    picture = ""
    if layer.histogram:
        span = f"{layer.width} {layer.side} {layer.name}: {layer.low:.4g} to {layer.high:.4g}"
        picture = charts.draw_histogram(layer.histogram, span)
    not_finite = elements.share(layer.not_finite)
    return (
        f"{layer.side} {elements.text(layer.name.removeprefix('linear.'), 60)}",
        " × ".join(map(str, layer.shape)),
        elements.text(layer.dtype),
        *map(elements.number, (layer.mean, layer.std, layer.low, layer.high)),
        elements.share(layer.zeros),
        elements.piece(_FILE, "bad", not_finite) if layer.not_finite else not_finite,
        picture,
    )


def _differences(comparison: Comparison) -> Rows:
    if not comparison.facts:
        return [("no difference", "", "", "", "")]
    return [
        (fact.fact.replace("_", " "), elements.text(fact.first, 300), elements.text(fact.second, 300), "", "")
        for fact in comparison.facts
    ]


def _output(output: OutputDistance) -> Sequence[str]:
    numbers = (output.first, output.second, output.largest, output.mean)
    return (f"{output.width} {output.side}", *map(elements.number, numbers))


def _distances(comparison: Comparison) -> Iterator[Sequence[str]]:
    for weight in comparison.weights[:_WEIGHTS_SHOWN]:
        yield _distance(weight)
    if left := elements.beyond(len(comparison.weights), _WEIGHTS_SHOWN):
        yield (f"and {left} more", "", "", "", "")


def _distance(weight: WeightDistance) -> Sequence[str]:
    relative = "–" if weight.relative is None else f"{weight.relative:.2%}"
    cosine = "–" if weight.cosine is None else f"{weight.cosine:.4f}"
    name = f"{weight.width} {weight.side} {elements.text(weight.weight, 60)}"
    return (name, elements.number(weight.first), elements.number(weight.second), relative, cosine)
