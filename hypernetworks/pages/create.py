"""What the tab Create Beta Hypernetwork shows about an entry, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Protocol

from ..base.errors import SettingsError
from ..network.sizes import readable_bytes, sizes
from ..network.structure import Structure
from .drawing import draw


class Judged(Protocol):
    """An entry for a new network, as far as it is shown."""

    @property
    def problems(self) -> Sequence[SettingsError]:
        """What is wrong with it."""

    @property
    def structure(self) -> Structure | None:
        """The layers, None where they cannot be told."""

    @property
    def widths(self) -> tuple[int, ...]:
        """The attention widths chosen, as far as they can be read."""


def drawing(entry: Judged) -> str:
    """Return the network as a picture, or why there is none yet."""
    if entry.structure is None:
        return "<p class='hnw-note'>The drawing returns when the layers are right.</p>"
    return f"<div class='hnw-drawing-box'>{draw(entry.structure, entry.widths)}</div>"


def summary(entry: Judged, offered: tuple[int, ...], labels: Mapping[str, str]) -> str:
    """Return the size of the network and of its training, and what keeps it from being made; `labels` by field."""
    lines = []
    if entry.structure is not None and entry.widths:
        lines.append(_table(entry.structure, entry.widths))
    elif not entry.widths and not offered:
        lines.append("<p class='hnw-note'>No checkpoint is loaded yet; its attention widths appear once it is.</p>")
    if entry.problems:
        named = ", ".join(labels.get(error.field, error.field) for error in entry.problems)
        lines.append(f"<p class='hnw-note'>To be put right: {escape(named)}.</p>")
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
