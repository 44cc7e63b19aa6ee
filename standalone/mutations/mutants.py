"""The changed copies of a source file, and a sample of them."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from .operators import Position, operators


@dataclass(frozen=True)
class Place:
    """A place in a file that one kind of change can alter, the `occurrence`-th of its kind."""

    path: Path
    operator: str
    occurrence: int
    position: Position


@dataclass(frozen=True)
class Mutant:
    """A file with one change.

    Attributes:
        line: where the change begins, from 1.
        before: the line that differs; where several do, all of them, joined with blanks.
        after: what stands there in the mutant.
        source: the whole mutant.
    """

    path: Path
    operator: str
    line: int
    before: str
    after: str
    source: str


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def places(path: Path) -> list[Place]:
    """Return all places of a file that can be altered."""
    nodes = list(ast_nodes(get_ast(_text(path))))
    found = []
    for name, operator in operators().items():
        positions = (position for node in nodes for position in operator.mutation_positions(node))
        found += [Place(path, name, occurrence, position) for occurrence, position in enumerate(positions)]
    return found


def mutant(place: Place) -> Mutant | None:
    """Return the file with the change; None where nothing that runs changes, as in an annotation, or none is Python."""
    before = _text(place.path)
    after = mutate_code(before, operators()[place.operator], place.occurrence)
    if after is None or _running(after) in (None, _running(before)):
        return None
    first, last = _difference(before.splitlines(), after.splitlines())
    return Mutant(place.path, place.operator, place.position[0][0], first, last, after)


def _difference(old: list[str], new: list[str]) -> tuple[str, str]:
    """Return what each of two lists of lines has from their first to their last difference, on one line."""
    shorter = min(len(old), len(new))
    start = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    same = next((n for n in range(shorter - start) if old[-1 - n] != new[-1 - n]), shorter - start)
    first, last = (" ".join(" ".join(lines[start : len(lines) - same]).split()) for lines in (old, new))
    return first, last


@cache
def _running(source: str) -> str | None:
    """Return the tree of what runs in a source: no annotation; None where it is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    return ast.dump(_WithoutAnnotations().visit(tree))


class _WithoutAnnotations(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.annotation = ast.Constant(None)
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node


def sample(paths: Iterable[Path], seed: int) -> Iterator[Mutant]:
    """Yield mutants of the files in turn, so that any number of them is spread evenly, the same ones for a seed.

    There is one at most of each place: eleven signs could stand for a `+`, and would hide the rest.
    """
    files = sorted(paths)
    random.Random(seed).shuffle(files)
    turns = [_of_file(path, random.Random(f"{seed} {path.name}")) for path in files]
    for turn in zip_longest(*turns):
        yield from (found for found in turn if found is not None)


def _of_file(path: Path, draw: random.Random) -> Iterator[Mutant]:
    by_position: dict[Position, list[Place]] = {}
    for place in places(path):
        by_position.setdefault(place.position, []).append(place)
    positions = sorted(by_position)
    draw.shuffle(positions)
    for position in positions:
        found = mutant(draw.choice(by_position[position]))
        if found is not None:
            yield found
