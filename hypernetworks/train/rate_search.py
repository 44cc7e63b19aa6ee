"""Which learning rates to try, for how many steps, and what the losses after them say about a whole run.

The rate that is best for a few steps is too high for many: it gains quickly what is easy, and its noise costs nothing
yet (Wu et al., "Understanding Short-Horizon Bias in Stochastic Meta-Optimization", 2018). So rates are tried for more
and more steps, and the fall of the best one is followed to the length of the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

#: Rates are tried at places, two to a decade: place 0 is a rate of 1.
LOWEST, HIGHEST = -16, 4
_FIRST = (-8, -6, -4)
_MOST_FIRST, MOST_LATER = 12, 6

_FEWEST_STEPS, _MOST_STEPS = 40, 200
#: Errors of the mean by which the loss must have fallen, and by which a rate that is worse must be behind.
_SURE, _BEHIND = 3.0, 2.0
#: Rates are as good that are behind by no more than this share of what the best one gained.
_SAME_SHARE = 0.01
#: Places between rates that are as good, from which on nothing is told.
_TOO_WIDE = 4
#: Exponents of the fall of the best rate with the length of a run: those usual where the rate falls to nothing at the
#: end, and where its noise stays; the largest that is believed; and how far it may be off.
_USUAL_FALL, _USUAL_FALL_WITH_NOISE, _MOST_FALL, _FALL_ERROR = 0.25, 0.5, 1.0, 0.15


def rate_at(place: float) -> float:
    """Return the rate of a place."""
    return float(10.0 ** (place / 2))


@dataclass(frozen=True)
class Trial:
    """What came of a rate, tried from the first weights on.

    Attributes:
        rate: the highest of the schedule.
        steps: optimizer steps of the trial.
        losses: of the measured samples afterwards, [samples], float64, on the CPU; None where they are not finite.
    """

    rate: float
    steps: int
    losses: Tensor | None

    @cached_property
    def loss(self) -> float:
        """The mean loss; infinite where it is not finite."""
        return math.inf if self.losses is None else self.losses.mean().item()


@dataclass(frozen=True)
class Choice:
    """What the trials say: a rate for the whole run with the range of those that may do as well, or why none.

    Attributes:
        doubt: why nothing can be told, as a part of a sentence; empty otherwise.
    """

    rate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    doubt: str = ""


@dataclass(frozen=True)
class Horizons:
    """The lengths of trials for a run of `run` steps, in optimizer steps."""

    first: int
    middle: int
    last: int
    run: int

    @classmethod
    def of(cls, run: int) -> Horizons:
        """Return those that suit a run: longer for a longer one, but by far less than in proportion."""
        last = min(run, _MOST_STEPS, max(_FEWEST_STEPS, round(4 * math.sqrt(run))))
        return cls(-(-last // 8), -(-last // 3), last, run)

    @property
    def most_steps(self) -> int:
        """The most optimizer steps that all trials together take."""
        return _MOST_FIRST * self.first + MOST_LATER * (self.middle + self.last)

    @property
    def most_trials(self) -> int:
        """The most trials that there may be."""
        return _MOST_FIRST + 2 * MOST_LATER


class RateSearch:
    """Tries many rates for a few steps, and the best of them for more.

    Args:
        measure: tries a rate for a number of steps.
        start: losses of the measured samples with the first weights, [samples].
        settles: whether the rate of the run is low at its end, so that the noise of its steps fades.
    """

    def __init__(
        self, measure: Callable[[float, int], Trial], start: Tensor, horizons: Horizons, settles: bool
    ) -> None:
        self._measure, self._start, self._horizons = measure, start, horizons
        self._usual_fall = _USUAL_FALL if settles else _USUAL_FALL_WITH_NOISE

    def choose(self) -> Choice:
        """Try rates, and return what they say."""
        horizons = self._horizons
        first = self._tried(_FIRST, horizons.first, 2, _MOST_FIRST)
        middle = self._tried(_around(_best(first)), horizons.middle, 1, MOST_LATER)
        last = self._tried(_around(_best(middle)), horizons.last, 1, MOST_LATER)
        good = self._as_good(last)
        doubt = self._doubt(last, good)
        if doubt:
            return Choice(doubt=doubt)
        fall = self._fall(middle, last)
        further = horizons.run / horizons.last
        error = further**_FALL_ERROR
        return Choice(
            rate=rate_at(self._vertex(last)) / further**fall,
            low=rate_at(good[0] - 0.5) / further**fall / error,
            high=rate_at(good[-1] + 0.5) / further**fall * error,
        )

    def _tried(self, places: Iterable[int], steps: int, stride: int, most: int) -> dict[int, Trial]:
        """Try rates, and more of them until none at an edge is as good as the best; return them by place, in order."""
        tried = {place: self._measure(rate_at(place), steps) for place in places}
        while len(tried) < most:
            good = self._as_good(tried) if stride == 1 else [_best(tried)]
            below, above = min(tried) - stride, max(tried) + stride
            if min(tried) in good and below >= LOWEST:
                tried[below] = self._measure(rate_at(below), steps)
            elif max(tried) in good and above <= HIGHEST:
                tried[above] = self._measure(rate_at(above), steps)
            else:
                break
        return dict(sorted(tried.items()))

    def _as_good(self, tried: dict[int, Trial]) -> list[int]:
        """Return the places about the best one that are not surely worse, in order; the same samples are compared."""
        best = _best(tried)
        if tried[best].losses is None:
            return [best]
        least = _SAME_SHARE * (self._start.mean().item() - tried[best].loss)
        good = {best}
        for direction in (-1, 1):
            place = best + direction
            while place in tried and self._is_as_good(tried[place], tried[best], least):
                good.add(place)
                place += direction
        return sorted(good)

    @staticmethod
    def _is_as_good(one: Trial, best: Trial, least: float) -> bool:
        if one.losses is None or best.losses is None:
            return False
        behind, error = _mean(one.losses - best.losses)
        return behind <= max(_BEHIND * error, least)

    def _doubt(self, tried: dict[int, Trial], good: list[int]) -> str:
        best = tried[_best(tried)]
        if best.losses is None:
            return "the loss does not stay finite at any rate"
        gain, error = _mean(self._start - best.losses)
        low, high, steps = rate_at(good[0]), rate_at(good[-1]), best.steps
        if gain <= _SURE * error:
            return (
                f"no rate lowers the loss by more than chance after {steps} steps; at best by {gain:.2g} ± {error:.2g}"
            )
        if len(good) > _TOO_WIDE:
            return f"rates from {low:.2g} to {high:.2g} do equally well after {steps} steps"
        if good[0] == min(tried):
            return f"rates below {low:.2g} may do better still after {steps} steps"
        if good[-1] == max(tried):
            return f"rates above {high:.2g} may do better still after {steps} steps"
        return ""

    def _fall(self, middle: dict[int, Trial], last: dict[int, Trial]) -> float:
        """Return the exponent with which the best rate falls with the steps: half what was seen, half the usual one."""
        horizons = self._horizons
        if horizons.run == horizons.last:
            return 0.0
        decades = (self._vertex(middle) - self._vertex(last)) / 2
        seen = decades / math.log10(horizons.last / horizons.middle)
        return (min(max(seen, 0.0), _MOST_FALL) + self._usual_fall) / 2

    def _vertex(self, tried: dict[int, Trial]) -> float:
        """Return the place of the lowest point of a parabola through the best rate and its neighbours."""
        best, worst = _best(tried), self._start.mean().item()
        if best - 1 not in tried or best + 1 not in tried:
            return best
        below, lowest, above = (min(tried[best + side].loss, worst) for side in (-1, 0, 1))
        bend = below - 2 * lowest + above
        return best + (below - above) / (2 * bend) if bend > 0 else best


def _best(tried: dict[int, Trial]) -> int:
    return min(tried, key=lambda place: (tried[place].loss, place))


def _around(place: int) -> list[int]:
    return [one for one in (place - 1, place, place + 1) if LOWEST <= one <= HIGHEST]


def _mean(values: Tensor) -> tuple[float, float]:
    """Return the mean of differences of samples, and its standard error; that of one sample is 0."""
    error = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return values.mean().item(), error
