"""The schedules of noise levels, by name."""

from __future__ import annotations

from typing import NamedTuple


class Scheduler(NamedTuple):
    """A schedule: its short name, the name that the page shows, and others."""

    name: str
    label: str
    aliases: tuple[str, ...] = ()


schedulers = [Scheduler(label.lower(), label) for label in ("Automatic", "Uniform", "Karras", "Exponential")]
