"""The order of the tests: shuffled by pytest-randomly, but for what costs time or tells a story."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest


def arranged(shuffled: Sequence[pytest.Item], written: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return shuffled tests with the files of slow ones first, and the tests of a story as they are written.

    A slow file that came last would keep one core at work while the others wait.
    """
    slow = {item.path for item in shuffled if item.get_closest_marker("slow")}
    stories = {item.path for item in shuffled if item.get_closest_marker("story")}
    place = {item: number for number, item in enumerate(written)}
    turn: dict[Path, int] = {}
    for item in shuffled:
        turn.setdefault(item.path, len(turn))
    return sorted(
        shuffled, key=lambda item: (item.path not in slow, turn[item.path], place[item] if item.path in stories else 0)
    )
