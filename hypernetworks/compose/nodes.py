"""The nodes of a composition: single networks, sequences and parallel branches."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

from ..base.errors import CompositionError

MAX_DEPTH = 8
"""Levels of nesting; each level of quotes in a `.hns` doubles the backslashes of the one inside."""
MAX_LENGTH = 200_000
MAX_NODES = 1000


@dataclasses.dataclass(frozen=True)
class Single:
    """One network, or one other composition, by its name.

    Attributes:
        name: in any language; never empty and never starting with a bracket.
        strength: any finite number, also negative or above 1.
        place: position of its name in the text; not compared.
    """

    name: str
    strength: float = 1.0
    place: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass(frozen=True)
class Sequence:
    """Two or more steps, each of which sees the output of the one before."""

    steps: tuple[Node, ...]


@dataclasses.dataclass(frozen=True)
class Parallel:
    """Two or more different branches on the same input, their results averaged by weight."""

    branches: tuple[Node, ...]
    weights: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """The weights normalised to the sum 1."""
        total = math.fsum(self.weights)
        return tuple(weight / total for weight in self.weights)


Node: TypeAlias = "Single | Sequence | Parallel"


def fail(place: str, reason: str) -> CompositionError:
    """Return the error for `reason` at `place`, for the caller to raise."""
    return CompositionError(f"{place}: {reason}" if place else reason)


def single(name: str, strength: float, place: str) -> Single:
    """Return one network; raises CompositionError for a name that the language cannot express."""
    if not name.strip():
        raise fail(place, "the name of a network is empty")
    if name.lstrip()[0] in "[({":
        raise fail(place, f"the name {shorten(name)} starts with a bracket, which this language cannot carry")
    return Single(name, strength, place)


def parallel(branches: list[Node], weights: list[float], place: str) -> Parallel:
    """Return parallel branches; raises CompositionError for two that are the same or weights without a usable sum."""
    if len(branches) > MAX_NODES:
        raise fail(place, f"more than {MAX_NODES} networks stand side by side")
    for index, branch in enumerate(branches):
        if branch in branches[:index]:
            raise twice(branch, place)
    node = Parallel(tuple(branches), tuple(weights))
    try:
        usable = all(math.isfinite(share) for share in node.shares)
    except (ZeroDivisionError, OverflowError):
        usable = False
    if not usable:
        raise fail(place, "the weights side by side add up to 0 or beyond every number, so they cannot be normalised")
    return node


def twice(branch: Node, place: str) -> CompositionError:
    """Return the error for a branch that is there twice, for the caller to raise."""
    what = shorten(branch.name) if isinstance(branch, Single) else "the same part"
    return fail(place, f"{what} occurs twice side by side; give it once with one weight")


def number(value: float, place: str) -> float:
    """Return a strength or weight as a float; raises CompositionError where it is not finite."""
    try:
        converted = float(value)
    except OverflowError:
        converted = math.inf
    if not math.isfinite(converted):
        raise fail(place, "the number is too large")
    return converted


def singles(node: Node) -> Iterator[Single]:
    """Yield the networks that `node` names, in order."""
    if isinstance(node, Single):
        yield node
        return
    for part in node.steps if isinstance(node, Sequence) else node.branches:
        yield from singles(part)


def renamed(node: Node, rename: Callable[[str], str]) -> Node:
    """Return `node` with other names; raises CompositionError where two branches are the same by these names."""
    if isinstance(node, Single):
        return dataclasses.replace(node, name=rename(node.name))
    if isinstance(node, Sequence):
        return Sequence(tuple(renamed(step, rename) for step in node.steps))
    return parallel([renamed(branch, rename) for branch in node.branches], list(node.weights), "")


def check_size(node: Node) -> None:
    """Raise CompositionError where `node` is nested too deeply or names too many networks."""
    if _depth(node) > MAX_DEPTH:
        raise CompositionError(f"the composition is nested more than {MAX_DEPTH} levels deep")
    if sum(1 for _ in singles(node)) > MAX_NODES:
        raise CompositionError(f"the composition names more than {MAX_NODES} networks")


def _depth(node: Node) -> int:
    if isinstance(node, Single):
        return 0
    return 1 + max(_depth(part) for part in (node.steps if isinstance(node, Sequence) else node.branches))


def spell(value: float) -> str:
    """Return a number as text that reads back the same, whole ones without a decimal point."""
    text = repr(float(value))
    return text.removesuffix(".0")


def shorten(text: str) -> str:
    """Return a name in quotes for a message on one line, cut where it is long."""
    limit = 60
    return repr(text if len(text) <= limit else f"{text[:limit]}...")
