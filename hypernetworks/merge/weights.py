"""The meanings of the networks' weights for merge methods, and how they are entered."""

from __future__ import annotations

from collections.abc import Sequence

from ..base.errors import MergeError

_PAIR = 2


class Weights:
    """Every network counts with its own weight."""

    def fields(self, rows: Sequence[int]) -> tuple[str, ...]:
        """Return the fields of the form that have an effect for networks in these rows."""
        return tuple(f"weight_{row}" for row in rows)

    def of_form(self, entered: tuple[float, ...], multiplier: float) -> tuple[float, ...]:
        """Return the weights of the networks from the values entered for each and for `m`."""
        return entered

    def of_block(self, numbers: Sequence[float], count: int) -> tuple[float, ...]:
        """Return the weights of one block from the numbers entered for it.

        Args:
            count: number of networks.

        Raises:
            MergeError: there are too many or too few numbers.
        """
        if len(numbers) == 1 and count == _PAIR:
            return (1 - numbers[0], numbers[0])
        return _one_each(numbers, count)

    def check(self, names: Sequence[str], weights: Sequence[float]) -> None:
        """Raise MergeError, with the network's name, for weights without a meaning."""


class Strengths(Weights):
    """Every network has a strength of its own; strengths are not shares of a whole."""

    def of_block(self, numbers: Sequence[float], count: int) -> tuple[float, ...]:
        """Return the numbers, one for each network."""
        return _one_each(numbers, count)


class FromBase(Weights):
    """The weighted differences of the others are added to the first network, whose weight is 1."""

    def fields(self, rows: Sequence[int]) -> tuple[str, ...]:
        """Return the fields without the weight of the first network."""
        return super().fields(rows[1:])

    def of_form(self, entered: tuple[float, ...], multiplier: float) -> tuple[float, ...]:
        """Return the weights with that of the first network at 1."""
        return (1.0, *entered[1:])

    def of_block(self, numbers: Sequence[float], count: int) -> tuple[float, ...]:
        """Return one number for all differences, or one for each."""
        if len(numbers) not in (1, count - 1):
            several = f", or {count - 1} numbers with / between them" if count > _PAIR else ""
            raise MergeError(f"needs one number for the differences from the first network{several}")
        return (1.0, *(numbers if len(numbers) > 1 else [numbers[0]] * (count - 1)))

    def check(self, names: Sequence[str], weights: Sequence[float]) -> None:
        """Raise MergeError for a weight of the first network other than 1."""
        if weights[0] != 1:
            raise MergeError(
                f"{names[0]} is the base that the differences of the others are added to, so its weight must be 1"
            )


class Multiplier(Weights):
    """Of three networks the weight of the second is m in A + m (B - C)."""

    def fields(self, rows: Sequence[int]) -> tuple[str, ...]:
        """Return the field of m."""
        return ("multiplier",)

    def of_form(self, entered: tuple[float, ...], multiplier: float) -> tuple[float, ...]:
        """Return the weights with m as that of B."""
        return self._around(multiplier, len(entered))

    def of_block(self, numbers: Sequence[float], count: int) -> tuple[float, ...]:
        """Return the weights for the m of the block."""
        if len(numbers) != 1:
            raise MergeError("needs one number, the multiplier m of the block")
        return self._around(numbers[0], count)

    def check(self, names: Sequence[str], weights: Sequence[float]) -> None:
        """Raise MergeError for weights of A and C other than 1 and m."""
        if weights[0] != 1 or abs(weights[2]) not in {1, abs(weights[1])}:
            roles = f"{names[0]} must have the weight 1 and {names[2]} 1 or the weight of {names[1]}"
            raise MergeError(f"in A + m (B - C) the weight of {names[1]} is m, so {roles}")

    def _around(self, multiplier: float, count: int) -> tuple[float, ...]:
        return (1.0, multiplier, *[1.0] * (count - 2))[:count]


def _one_each(numbers: Sequence[float], count: int) -> tuple[float, ...]:
    if len(numbers) != count:
        raise MergeError(f"needs {count} numbers with / between them, one for each network")
    return tuple(numbers)
