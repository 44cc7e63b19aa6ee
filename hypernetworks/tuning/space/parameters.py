"""What a study tries: lists and ranges of settings, and their combinations."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...base.errors import SettingsError
from ...base.randomness import derived_seed

#: Values of settings by `section.key`, plain as a job file has them.
Point = Mapping[str, Any]
MOST_VALUES = 1000
_DIGITS, _DIGITS_OF_STEPS = 4, 10
_MOST_COMBINATIONS = 100_000


@dataclass(frozen=True)
class Choices:
    """A list of values.

    Attributes:
        address: the setting, as `section.key`, or what the values are called.
        values: plain values.
        overlays: for each value, the settings that it sets, by `section.key`.
    """

    address: str
    values: tuple[Any, ...]
    overlays: tuple[Point, ...]

    @classmethod
    def of(cls, address: str, values: Sequence[Any]) -> Choices:
        """Return a list of values of one setting."""
        return cls(address, tuple(values), tuple({address: value} for value in values))

    def settings(self, value: Any) -> Point:
        """Return the settings that a value of the list sets."""
        return self.overlays[self.values.index(value)]

    def points(self, _count: int) -> list[Any]:
        """Return the values that a grid tries."""
        return list(self.values)

    def count(self, _count: int) -> int:
        """Return how many values there are."""
        return len(self.values)

    def draw(self, share: float) -> Any:
        """Return the value at a share from 0 to below 1 of the list."""
        return self.values[int(share * len(self.values))]


@dataclass(frozen=True)
class Range:
    """All numbers from one to another, both included.

    Attributes:
        step: between neighbours; 0 where there is none.
        is_text: whether the setting is a text that is a number here.
        unit: what stands behind the number; empty for a bare one.
    """

    address: str
    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False
    step: float = 0.0
    is_text: bool = False
    unit: str = ""

    def settings(self, value: Any) -> Point:
        """Return the settings that a number of the range sets."""
        return {self.address: f"{value:.{_DIGITS_OF_STEPS}g}{self.unit}" if self.is_text or self.unit else value}

    def points(self, count: int) -> list[Any]:
        """Return the numbers that a grid tries: all of the steps, else `count` of them, evenly, with both ends."""
        if self.step:
            return [self.rounded(self.low + number * self.step) for number in range(self._steps(self.step))]
        return list(dict.fromkeys(self._at(number / (count - 1)) for number in range(count)))

    def count(self, count: int) -> int:
        """Return how many numbers `points` gives."""
        return self._steps(self.step) if self.step else len(self.points(count))

    def draw(self, share: float) -> Any:
        """Return the number at a share from 0 to below 1 of the range."""
        if self.step or (self.is_whole and not self.is_log):
            step = self.step or 1
            return self.rounded(self.low + int(share * self._steps(step)) * step)
        return self._at(share)

    def _steps(self, step: float) -> int:
        """Return how many numbers there are, one `step` after the other."""
        return math.floor((self.high - self.low) / step + 1e-9) + 1

    def rounded(self, value: float) -> Any:
        """Return a number as it is used: whole, or with as many digits as people read, and never outside."""
        if self.is_whole:
            return min(max(round(value), int(self.low)), int(self.high))
        digits = _DIGITS_OF_STEPS if self.step else _DIGITS
        return min(max(float(f"{value:.{digits}g}"), self.low), self.high)

    def _at(self, share: float) -> Any:
        if self.is_log:
            return self.rounded(self.low * (self.high / self.low) ** share)
        return self.rounded(self.low + share * (self.high - self.low))


Parameter = Choices | Range


@dataclass(frozen=True)
class Space:
    """Everything that a study tries."""

    parameters: tuple[Parameter, ...]

    def __len__(self) -> int:
        """Count what is tried."""
        return len(self.parameters)

    def settings(self, point: Point) -> dict[str, Any]:
        """Return the settings of a trial, by `section.key`."""
        found: dict[str, Any] = {}
        for parameter in self.parameters:
            found |= parameter.settings(point[parameter.address])
        return found

    def combinations(self, count: int) -> int:
        """Return how many a grid has, with `count` values of each range; raises SettingsError as `grid` does."""
        total = math.prod(parameter.count(count) for parameter in self.parameters)
        if total > _MOST_COMBINATIONS:
            raise SettingsError("tune.method", f"a grid would have {total} combinations; choose random or TPE")
        return total

    def grid(self, count: int) -> list[dict[str, Any]]:
        """Return every combination, the last parameter changing fastest.

        Args:
            count: values of each range.

        Raises:
            SettingsError: they are too many to be tried.
        """
        self.combinations(count)
        columns = [parameter.points(count) for parameter in self.parameters]
        addresses = [parameter.address for parameter in self.parameters]
        return [dict(zip(addresses, row, strict=True)) for row in itertools.product(*columns)]

    def draw(self, seed: int, number: int) -> dict[str, Any]:
        """Return the random combination of trial `number`; it depends on nothing else."""
        return {one.address: one.draw(_share(seed, number, one.address)) for one in self.parameters}


def _share(seed: int, number: int, address: str) -> float:
    return random.Random(derived_seed(seed, "tune", number, address)).random()
