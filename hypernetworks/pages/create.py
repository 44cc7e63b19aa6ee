"""What the tab Create Beta Hypernetwork shows about an entry, as HTML."""

from __future__ import annotations

from html import escape

from ..jobs.create_entry import LABELS, MORE_WIDTHS, Entry
from ..network.sizes import readable_bytes, sizes
from ..network.structure import Structure
from .drawing import draw

_LABELS = {**LABELS, "more_widths": MORE_WIDTHS.label}


def drawing(entry: Entry) -> str:
    """Return the network as a picture, or why there is none yet."""
    if entry.structure is None:
        return "<p class='hnw-note'>The drawing returns when the layers are right.</p>"
    return f"<div class='hnw-drawing-box'>{draw(entry.structure, entry.widths)}</div>"


def summary(entry: Entry, offered: tuple[int, ...]) -> str:
    """Size of the network and of its training, and what keeps it from being made."""
    lines = []
    if entry.structure is not None and entry.widths:
        lines.append(_table(entry.structure, entry.widths))
    elif not entry.widths and not offered:
        lines.append("<p class='hnw-note'>No checkpoint is loaded yet; its attention widths appear once it is.</p>")
    if entry.problems:
        labels = ", ".join(_LABELS.get(error.field, error.field) for error in entry.problems)
        lines.append(f"<p class='hnw-note'>To be put right: {escape(labels)}.</p>")
    return "".join(lines)


def _table(structure: Structure, widths: tuple[int, ...]) -> str:
    size = sizes(structure, widths)
    files: dict[str, list[str]] = {}
    for dtype, count in size.file_bytes.items():
        files.setdefault(readable_bytes(count), []).append(dtype)
    rows = (
        ("Parameters", f"{size.parameters:,}"),
        ("File", ", ".join(f"{text} ({' or '.join(dtypes)})" for text, dtypes in files.items())),
        (
            "Memory to train",
            f"{readable_bytes(size.training_bytes)} for weights, gradients and AdamW, beside the model",
        ),
    )
    cells = "".join(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<table class='hnw-sizes'>{cells}</table>"
