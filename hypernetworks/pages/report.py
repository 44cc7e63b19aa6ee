"""A report as HTML: what the file is, who reads it, and every weight with its histogram."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..report import LayerStatistics, Outline, Report
from . import elements, histograms

_FORMS = {"zip": "torch file (zip)", "legacy": "torch file (before 2020)", "safetensors": "safetensors"}
_LAYERS = ("Weight", "Shape", "Type", "Mean", "Std", "Lowest", "Highest", "Zeros", "NaN", "Histogram")
_LAYERS_SHOWN = 400
_KEYS_SHOWN = 40
_WIDTHS_SHOWN = 16


def render(report: Report) -> str:
    """Return the whole report."""
    parts = [f"<h3>{elements.text(report.path.name, 300)}</h3>"]
    if report.problem:
        parts.append(elements.problem(f"This file is broken: {report.problem}."))
    parts += [elements.facts(_facts(report)), "<h4>Who can read it</h4>", _readers(report)]
    if report.training:
        parts += ["<h4>Training</h4>", elements.facts(elements.values(report.training))]
    if report.extra:
        parts += ["<h4>Other keys in the file</h4>", elements.facts(elements.values(report.extra))]
    parts += ["<h4>Weights</h4>", _weights(report)]
    return f"<div class='hnw-report'>{''.join(parts)}</div>"


def render_broken(path: Path, sentence: str, outline: Outline) -> str:
    """Tell what can be said of a file that is no network."""
    rows = []
    if outline.file_bytes is not None:
        rows.append(("File", f"{elements.size(outline.file_bytes)}, {outline.file_bytes:,} bytes"))
    if outline.short_hash:
        rows.append(("Hash", outline.short_hash))
    if outline.form:
        rows.append(("Form", _FORMS[outline.form]))
    if outline.keys:
        more = f" and {len(outline.keys) - _KEYS_SHOWN:,} more" if len(outline.keys) > _KEYS_SHOWN else ""
        rows.append(("Keys", ", ".join(elements.text(key, 60) for key in outline.keys[:_KEYS_SHOWN]) + more))
    heading = f"<h3>{elements.text(path.name, 300)}</h3>"
    return f"<div class='hnw-report'>{heading}{elements.problem(sentence)}{elements.facts(rows) if rows else ''}</div>"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    structure = report.structure
    yield "File", f"{elements.size(report.file_bytes)}, {_FORMS[report.form]}, hash {report.short_hash}"
    if report.name != report.path.stem:
        yield "Name inside", elements.text(report.name, 300)
    yield "Step", f"{report.step:,}"
    hash_ = f" [{elements.text(report.sd_checkpoint, 80)}]" if report.sd_checkpoint else ""
    yield "Trained on", elements.text(report.sd_checkpoint_name or "unknown", 300) + hash_
    yield "Notes", elements.text(report.optional_info or "–")
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
    return "<br>".join([*lines[:_WIDTHS_SHOWN], *more])


def _list(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _readers(report: Report) -> str:
    rows = [
        (
            elements.text(name),
            f"<b class='hnw-{'yes' if reader else 'no'}'>{'yes' if reader else 'no'}</b>",
            elements.text(reader.reason, 400),
        )
        for name, reader in report.readers.items()
    ]
    return elements.table(("Program", "Reads it", "Why"), rows, "hnw-readers")


def _weights(report: Report) -> str:
    groups: dict[int, list[LayerStatistics]] = {}
    for layer in report.layers[:_LAYERS_SHOWN]:
        groups.setdefault(layer.width, []).append(layer)
    tables = [
        f"<details{' open' if index == 0 else ''}><summary>Width {width}</summary>"
        f"{elements.table(_LAYERS, map(_layer, layers), 'hnw-weights')}</details>"
        for index, (width, layers) in enumerate(groups.items())
    ]
    left = len(report.layers) - _LAYERS_SHOWN
    return "".join(tables) + (f"<p>and {left:,} more weights</p>" if left > 0 else "")


def _layer(layer: LayerStatistics) -> tuple[str, ...]:
    shape = " × ".join(map(str, layer.shape))
    picture = ""
    if layer.histogram:
        span = f"{layer.width} {layer.side} {layer.name}: {layer.low:.4g} to {layer.high:.4g}"
        picture = histograms.draw(layer.histogram, span)
    return (
        f"{layer.side} {elements.text(layer.name.removeprefix('linear.'), 60)}",
        shape,
        elements.text(layer.dtype),
        *map(elements.number, (layer.mean, layer.std, layer.low, layer.high)),
        elements.share(layer.zeros),
        f"<b class='hnw-no'>{elements.share(layer.not_finite)}</b>" if layer.not_finite else "0",
        picture,
    )
