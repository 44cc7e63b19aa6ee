"""The `.hns` language of the original extension: a Python literal, which is never executed."""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
import warnings
from itertools import islice
from typing import TypeGuard

from ..base import numbers
from ..base.errors import NotFiniteError, NumberError
from .nodes import MAX_DEPTH, MAX_NODES, Node, Sequence, Single, fail, number, parallel, single, spell, twice

_BRACKETS = "[({"
_PAIR = 2
_MOST_LEVELS = 4 * MAX_DEPTH
_MOST_PARTS = 10 * MAX_NODES
_TEXTS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|\'(?:[^\'\\]|\\.)*\'?', re.DOTALL)
_PAIRS = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_STRUCTURE = re.compile(r"[()\[\]{}+\-~*/|&^]")
#: Python knows no percentages; an imaginary number, which is as long and means nothing here, stands in for one.
_PERCENT = re.compile(rf"{_TEXTS.pattern}|(?<=[\d.])(\s*)%(?=\s*(?:[,)\]}}]|\Z))", re.DOTALL)


def read(text: str, outer: str = "", depth: int = 0) -> Node:
    """Read a literal that starts with a bracket.

    Args:
        outer: position of the quoted string that holds `text`, empty for a whole file.
        depth: how many quoted strings are around it.

    Raises:
        CompositionError: one sentence with the line and column.
    """
    if depth > MAX_DEPTH:
        raise fail(outer, f"the quoted parts are nested more than {MAX_DEPTH} levels deep")
    return _Reader(text, outer, depth).read()


def write(node: Node) -> str:
    """Write `node` as a `.hns` text, which the original extension reads too where strengths lie from 0 to 1."""
    if isinstance(node, Single):
        return f"({node.name!r}, {spell(node.strength)})"
    if isinstance(node, Sequence):
        return f"[{', '.join(_element(step) for step in node.steps)}]"
    keys = [_key(branch) for branch in node.branches]
    if all(weight == 1 for weight in node.weights):
        return f"{{{', '.join(keys)}}}"
    return f"{{{', '.join(f'{key}: {spell(weight)}' for key, weight in zip(keys, node.weights, strict=True))}}}"


def _element(node: Node) -> str:
    return repr(node.name) if _is_plain(node) else write(node)


def _key(node: Node) -> str:
    return repr(node.name) if _is_plain(node) else repr(write(node))


def _is_plain(node: Node) -> TypeGuard[Single]:
    return isinstance(node, Single) and node.strength == 1


class _Reader:
    def __init__(self, text: str, outer: str, depth: int) -> None:
        self.outer, self.depth = outer, depth
        # Python takes leading white space for an indentation; it is cut off here but counts for positions.
        self.typed = numbers.plain_outside_quotes(text).lstrip()
        self.source = _PERCENT.sub(lambda match: match[0] if match[1] is None else f"j{match[1]}", self.typed)
        before = text[: len(text) - len(self.source)]
        self.first_line = before.count("\n")
        self.first_column = len(before) - (before.rfind("\n") + 1)
        self.lines = self.typed.split("\n")

    def read(self) -> Node:
        self._check_bounds()
        try:
            with warnings.catch_warnings():
                # Without the warning about a backslash that escapes nothing.
                warnings.simplefilter("ignore")
                tree = ast.parse(self.source.rstrip(), mode="eval")
        except SyntaxError as reason:
            place = self._place(reason.lineno or 1, (reason.offset or 1) - 1)
            self._check_commas(place)
            raise fail(place, f"the text is broken here ({_first_sentence(reason.msg)})") from reason
        except (ValueError, RecursionError, MemoryError) as reason:
            raise fail(self._place(1, 0), "the text cannot be read as a composition") from reason
        if sum(1 for _ in islice(ast.walk(tree), _MOST_PARTS + 1)) > _MOST_PARTS:
            raise fail(self._place(1, 0), f"the composition names more than {MAX_NODES} networks")
        self._check_neighbours()
        return self._node(tree.body)

    def _check_neighbours(self) -> None:
        """Refuse texts side by side: Python joins them, but here a comma was forgotten."""
        before = None
        for token in tokenize.generate_tokens(io.StringIO(self.source).readline):
            if token.type == tokenize.STRING and before == tokenize.STRING:
                raise fail(self._place(token.start[0], token.start[1]), "a comma is missing in front of this text")
            if token.type not in (tokenize.NL, tokenize.COMMENT):
                before = token.type

    def _check_commas(self, place: str) -> None:
        try:
            numbers.check_pairs(self.source)
        except NumberError as error:
            raise fail(place, str(error)) from None

    def _check_bounds(self) -> None:
        """Refuse what Python's parser would take long for, or not survive; no composition comes near."""
        depth = signs = 0
        for match in _STRUCTURE.finditer(_TEXTS.sub("", self.source)):
            if match[0] in "+-~*/|&^":
                signs += 1
            else:
                depth += 1 if match[0] in _BRACKETS else -1
            if signs > _MOST_PARTS:
                raise fail(self._place(1, 0), "the text cannot be read as a composition")
            if depth > _MOST_LEVELS:
                raise fail(self._place(1, 0), "the text is broken here (it is nested without measure)")

    def _place(self, line: int, column: int) -> str:
        line = max(line, 1)
        column += self.first_column if line == 1 else 0
        inside = f"line {line + self.first_line}, column {column + 1}"
        return f"{self.outer}, in its quoted text {inside}" if self.outer else inside

    def _at(self, tree: ast.expr) -> str:
        # The parser counts columns in bytes of UTF-8.
        line = self.lines[tree.lineno - 1] if tree.lineno <= len(self.lines) else ""
        return self._place(tree.lineno, len(line.encode()[: tree.col_offset].decode(errors="ignore")))

    def _node(self, tree: ast.expr) -> Node:
        if isinstance(tree, ast.Dict):
            return self._dict(tree)
        if isinstance(tree, (ast.List, ast.Tuple, ast.Set)):
            return self._several(tree)
        text = self._text(tree)
        if text.lstrip()[:1] in tuple(_BRACKETS):
            return read(text, self._at(tree), self.depth + 1)
        return single(text, 1.0, self._at(tree))

    def _several(self, tree: ast.List | ast.Tuple | ast.Set) -> Node:
        if len(tree.elts) == 1:
            return self._node(tree.elts[0])
        if isinstance(tree, ast.Set):
            return self._parallel(tree, tree.elts, [1.0] * len(tree.elts))
        if isinstance(tree, ast.List):
            if not tree.elts:
                raise fail(self._at(tree), "the square brackets are empty")
            return Sequence(tuple(self._node(element) for element in tree.elts))
        rest = tree.elts[1:]
        values = [self._value(element) for element in rest]
        reason = "" if None in values else numbers.comma_reason(",".join(map(ast.unparse, rest)))
        if reason:
            raise fail(self._at(rest[0]), reason)
        if len(tree.elts) != _PAIR or values[0] is None:
            wanted = "round brackets hold one name and its strength; several networks in a row go into square brackets"
            raise fail(self._at(tree), wanted)
        return self._strong(tree.elts[0], self._number(tree.elts[1]))

    def _dict(self, tree: ast.Dict) -> Node:
        keys = [key for key in tree.keys if key is not None]
        if not keys or len(keys) != len(tree.values):
            reason = "curly brackets need names with weights" if keys or tree.values else "the curly brackets are empty"
            raise fail(self._at(tree), reason)
        weights = [self._number(value) for value in tree.values]
        if len(keys) > 1:
            return self._parallel(tree, keys, weights)
        return self._node(keys[0]) if weights[0] == 1 else self._strong(keys[0], weights[0])

    def _strong(self, tree: ast.expr, strength: float) -> Single:
        text = self._text(tree)
        if text.lstrip()[:1] in tuple(_BRACKETS):
            raise fail(self._at(tree), "a strength belongs to one network, not to a quoted part")
        return single(text, strength, self._at(tree))

    def _parallel(self, tree: ast.expr, keys: list[ast.expr], weights: list[float]) -> Node:
        branches: dict[Node, float] = {}
        values = set()
        for key, weight in zip(keys, weights, strict=True):
            if not _is_key(key):
                raise fail(self._at(key), "inside curly brackets a part of several networks must be quoted")
            branch = self._node(key)
            value = ast.literal_eval(key)
            if value in values:
                raise twice(branch, self._at(tree))
            values.add(value)
            # Python tells keys apart that mean the same, such as 'A' and ('A',).
            branches[branch] = branches.get(branch, 0.0) + weight
        node = parallel(list(branches), list(branches.values()), self._at(tree))
        return node if len(branches) > 1 else node.branches[0]

    def _text(self, tree: ast.expr) -> str:
        if not isinstance(tree, ast.Constant) or not isinstance(tree.value, str):
            raise fail(self._at(tree), "a quoted name is expected here")
        return _joined(tree.value)

    def _number(self, tree: ast.expr) -> float:
        value = self._value(tree)
        if value is None:
            reason = numbers.comma_reason(tree.value) if isinstance(tree, ast.Constant) else ""
            raise fail(self._at(tree), reason or "a number is expected here")
        return number(value, self._at(tree))

    def _value(self, tree: ast.expr) -> float | None:
        """Return the number that `tree` spells, with or without a sign or quotes; None where it is no number."""
        sign = 1
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, (ast.USub, ast.UAdd)):
            sign = -1 if isinstance(tree.op, ast.USub) else 1
            tree = tree.operand
        if not isinstance(tree, ast.Constant):
            return None
        value = tree.value
        if isinstance(value, str) and numbers.FORM.fullmatch(numbers.plain(value).strip()):
            return sign * self._read(tree, value)
        if isinstance(value, complex) and self._typed_after(tree).startswith("%"):
            return sign * value.imag / 100
        if value == 0 and isinstance(value, float):
            self._read(tree, ast.get_source_segment(self.source, tree) or "0")
        return sign * value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def _read(self, tree: ast.expr, typed: str) -> float:
        try:
            return numbers.read(typed)
        except NotFiniteError:
            return math.inf
        except NumberError as error:
            raise fail(self._at(tree), f"the number {error}") from None

    def _typed_after(self, tree: ast.Constant) -> str:
        """Return what was typed behind the digits of an imaginary number."""
        line = self.lines[(tree.end_lineno or 1) - 1]
        return line.encode()[(tree.end_col_offset or 1) - 1 :].decode(errors="ignore").lstrip()


def _is_key(tree: ast.expr) -> bool:
    """Tell whether Python takes a value as a key: a text, a number, or a tuple of them."""
    if isinstance(tree, ast.Tuple):
        return all(map(_is_key, tree.elts))
    return isinstance(tree, (ast.Constant, ast.UnaryOp))


def _joined(text: str) -> str:
    """Return a text in which JSON wrote each character beyond 16 bits as two, as with "\\ud83d\\ude00"."""
    return _PAIRS.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)


def _first_sentence(message: str) -> str:
    return message.partition("\n")[0].partition(". ")[0]
