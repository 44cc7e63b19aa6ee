"""The order in which the tests run."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from tests.support import order


@dataclass(frozen=True)
class Item:
    """What of a test its order depends on."""

    path: Path
    name: int
    markers: frozenset[str] = frozenset()

    def get_closest_marker(self, name: str) -> str | None:
        """Return a marker, or None where there is none of this name."""
        return name if name in self.markers else None


def items(file: str, *markers: str, count: int = 6) -> list[Item]:
    return [Item(Path(file), number, frozenset(markers if number == 1 else ())) for number in range(count)]


def test_slow_files_come_first_stories_as_written_and_the_rest_as_shuffled():
    files = [items("a"), items("story", "story"), items("b"), items("slow", "slow"), items("tale", "story", "slow")]
    written = [item for file in files for item in file]
    draw = random.Random(3)
    for file in files:
        draw.shuffle(file)
    draw.shuffle(files)
    shuffled = [item for file in files for item in file]
    found = order.arranged(shuffled, written)
    names = list(dict.fromkeys(item.path.name for item in found))
    as_shuffled = [file[0].path.name for file in files]
    assert names == sorted(as_shuffled, key=lambda name: name not in ("slow", "tale"))
    for file in files:
        kept = [item for item in found if item.path == file[0].path]
        is_story = file[0].path.name in ("story", "tale")
        assert kept == (sorted(file, key=lambda item: item.name) if is_story else file)
    assert sorted(shuffled, key=written.index) == written
    assert shuffled != written
