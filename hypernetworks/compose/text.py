"""The short readable form of a composition: `A:0.8 + B:0.2 > C`."""

from __future__ import annotations

import math
import re

from ..base import numbers
from ..base.errors import CompositionError, NotFiniteError, NumberError
from .nodes import MAX_DEPTH, MAX_NODES, Node, Sequence, Single, fail, number, parallel, shorten, single, spell

_SPACE = re.compile(r"\s*")
# Letters, digits and characters without a meaning here, with spaces only between them.
_BARE = re.compile(r"[^\s+>:()\[\]{},\"'\\]+(?: +(?![＋＞]\s)[^\s+>:()\[\]{},\"'\\]+)*(?:\([0-9a-f]{8}\))?")
_WORD = re.compile(r"[^\s>:()\[\]{}\"']+")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\["\\])*"|\'(?:[^\'\\\n]|\\[\'\\])*\'')
#: A full-width colon belongs to a name, but not where a number follows it and nothing else.
_STRENGTH = re.compile(rf":\s*{numbers.FORM.pattern}(?:,\d+)?$")


def read(text: str) -> Node:
    """Read the readable form; see `compose.parse` for the grammar.

    Raises:
        CompositionError: one sentence with the line and column.
    """
    reader = _Reader(text)
    node = reader.sequence(0)
    reader.end()
    return node


def write(node: Node) -> str:
    """Return `node` in the readable form.

    Raises:
        CompositionError: a name has a line break, which this form cannot express.
    """
    if isinstance(node, Single):
        if node.strength != 1:
            return f"{_name(node)}:{spell(node.strength)}"
        # A quoted name alone is refused, as in the original, where it is usually a mistake.
        return _name(node) if _is_bare(node.name) else f"{_name(node)}:1"
    if isinstance(node, Sequence):
        return " > ".join(f"({write(step)})" if isinstance(step, Sequence) else _inner(step) for step in node.steps)
    return " + ".join(_branch(branch, weight) for branch, weight in zip(node.branches, node.weights, strict=True))


def _inner(node: Node) -> str:
    return _name(node) if isinstance(node, Single) and node.strength == 1 else write(node)


def _branch(node: Node, weight: float) -> str:
    alone = isinstance(node, Single) and node.strength == 1
    text = _inner(node) if alone else f"({write(node)})"
    return text if weight == 1 else f"{text}:{spell(weight)}"


def _name(node: Single) -> str:
    if _is_bare(node.name):
        return node.name
    if "\n" in node.name:
        raise fail("", f"the name {shorten(node.name)} has a line break, which only the .hns form can carry")
    escaped = node.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _is_bare(name: str) -> bool:
    return _BARE.fullmatch(name) is not None and not _STRENGTH.search(numbers.plain(name))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = numbers.plain(text)  # of the same length
        self.position = 0
        self.count = 0

    def sequence(self, depth: int) -> Node:
        if depth > MAX_DEPTH * 2:
            raise self._fail("the brackets are nested too deeply")
        steps = [self._parallel(depth)]
        while self._take(">"):
            steps.append(self._parallel(depth))
        return steps[0] if len(steps) == 1 else Sequence(tuple(steps))

    def end(self) -> None:
        self._skip()
        if self.position < len(self.text):
            found = self.text[self.position]
            raise self._fail(f"+, > or the end is expected here, not {shorten(found)}")
        if _QUOTED.fullmatch(self.text.strip()):
            self.position = 0
            self._skip()
            raise self._fail("a name alone goes without quotes")

    def _parallel(self, depth: int) -> Node:
        self._skip()
        start = self._place()
        branches, weights = [], []
        while True:
            node, weight, place = self._item(depth)
            branches.append(node)
            weights.append(weight)
            if not self._take("+"):
                break
        if len(branches) > 1:
            return parallel(branches, [1.0 if weight is None else weight for weight in weights], start)
        if weights[0] is None or weights[0] == 1:
            return branches[0]
        node = branches[0]
        if not isinstance(node, Single) or node.strength != 1:
            raise fail(place, "a strength belongs to one network, not to a part in brackets")
        return single(node.name, weights[0], node.place)

    def _item(self, depth: int) -> tuple[Node, float | None, str]:
        """Read a name or a part in brackets, with its number; return the node, the number and its place."""
        node: Node
        if self._take("("):
            node = self.sequence(depth + 1)
            if not self._take(")"):
                raise self._fail("a closing bracket is missing here")
        else:
            node = self._network()
        if not self._take(":"):
            return node, None, self._place()
        self._skip()
        place = self._place()
        return node, self._number(place), place

    def _number(self, place: str) -> float:
        match = _WORD.match(self.plain, self.position)
        text = match.group() if match else ""
        reason = numbers.comma_reason(text)
        if reason:
            raise self._fail(reason)
        found = numbers.FORM.match(text)
        if found is None:
            raise self._fail("a number is expected here")
        try:
            value = numbers.read(found.group())
        except NotFiniteError:
            value = math.inf
        except NumberError as error:
            raise self._fail(f"the number {error}") from None
        self.position += found.end()
        return number(value, place)

    def _network(self) -> Single:
        self._skip()
        place = self._place()
        self.count += 1
        if self.count > MAX_NODES:
            raise fail(place, f"the composition names more than {MAX_NODES} networks")
        quoted = _QUOTED.match(self.text, self.position)
        if quoted is not None:
            self.position = quoted.end()
            return single(re.sub(r"\\(.)", r"\1", quoted.group()[1:-1]), 1.0, place)
        bare = _BARE.match(self.text, self.position)
        if bare is not None:
            strength = _STRENGTH.search(self.plain[self.position : bare.end()])
            name = bare.group()[: strength.start()].rstrip() if strength else bare.group()
            self.position += len(name)
            return single(name, 1.0, place)
        if self.position == len(self.text):
            raise self._fail("the text ends where a name is expected")
        found = self.text[self.position]
        if found in "\"'":
            raise self._fail("a closing quote is missing, or a backslash stands before something else than a quote")
        raise self._fail(f"a name is expected here, not {shorten(found)}; a name with special signs goes into quotes")

    def _take(self, sign: str) -> bool:
        self._skip()
        # A full-width bracket belongs to a name.
        if (self.text if sign in "()" else self.plain).startswith(sign, self.position):
            self.position += 1
            return True
        return False

    def _skip(self) -> None:
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def _place(self) -> str:
        before = self.text[: self.position]
        return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"

    def _fail(self, reason: str) -> CompositionError:
        return fail(self._place(), reason)
