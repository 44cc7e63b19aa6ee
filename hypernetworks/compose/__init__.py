"""Compositions: several networks in sequence and in parallel, written as text and applied like one network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Container, Iterator, Mapping

from torch import Tensor

from ..base import numbers
from ..base.errors import CompositionError
from ..network.hypernetwork import Hypernetwork
from . import hns
from . import text as compose_text
from .bound import Apply, Blend, Chain, Step
from .nodes import MAX_LENGTH, MAX_NODES, Node, Parallel, Sequence, Single, check_size, fail, renamed, shorten, singles

__all__ = ["Composition", "Node", "Parallel", "Sequence", "Single", "parse"]


@dataclasses.dataclass(frozen=True)
class Composition:
    """A tree of networks by name. Two are equal where their trees are.

    Attributes:
        root: a `Single`, `Sequence` or `Parallel`.
        resolve: other compositions by name, which take precedence over networks of that name; not compared.
    """

    root: Node
    resolve: Mapping[str, Composition] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all networks it needs, each once, those of the compositions it names included."""
        return tuple(dict.fromkeys(part.name for _, part in self._needed()))

    def transform(
        self, context: Tensor, networks: Mapping[str, Hypernetwork], strength: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Transform `context` [batch, tokens, width] into the inputs of `to_k` and `to_v`, both of the same shape.

        `strength` multiplies what the composition adds: with c(x) for the composition as written, the result is
        x + strength * (c(x) - x). So 0 gives `context` itself, 1 the composition as written, and a single network with
        strength s is applied with s * strength. Networks without this width leave it unchanged.

        Raises:
            CompositionError: a network is not in `networks`; names it with its place in the text.
        """
        self.check(networks)
        return self.as_step(networks, strength).transform(context, context)

    def as_step(self, networks: Mapping[str, Hypernetwork], strength: float = 1.0) -> Step:
        """Return the steps with the networks in place of their names; all of them must be there, see `check`."""
        return _Plan(self.resolve, networks).step(self.root, strength)

    def check(self, networks: Container[str]) -> None:
        """Raise CompositionError where a name is neither in `networks` nor a known composition."""
        for owner, part in self._needed():
            if part.name not in networks:
                where = f"{shorten(owner)}, {part.place}" if owner else part.place
                raise fail(where, f"there is no network named {shorten(part.name)}")

    def as_hns(self) -> str:
        """Return the composition as a `.hns` text, which `parse` reads back to an equal composition."""
        return hns.write(self.root)

    def as_text(self) -> str:
        """Return the composition in the readable form, which `parse` reads back to an equal composition.

        Raises:
            CompositionError: a name has a line break, which this form cannot express.
        """
        return compose_text.write(self.root)

    def _needed(self) -> Iterator[tuple[str, Single]]:
        """Yield the networks needed, each with the name of the composition that names it, empty for this one."""
        pending: list[tuple[str, Node]] = [("", self.root)]
        seen: set[str] = set()
        for owner, node in pending:
            for part in singles(node):
                if part.name not in self.resolve:
                    yield owner, part
                elif part.name not in seen:
                    seen.add(part.name)
                    pending.append((part.name, self.resolve[part.name].root))


def parse(
    text: str, resolve: Mapping[str, Composition] | None = None, rename: Callable[[str], str] | None = None
) -> Composition:
    """Read a composition, as a `.hns` text or in the readable form.

    The `.hns` form is the original extension's, a Python literal: `("A", 0.2)` or `{"A": 0.2}` is one network with its
    strength, `["A", "B"]` a sequence in which B sees A's output, `{"A": 0.8, "B": 0.1}` or `{"A", "B"}` parallel
    branches. A nested part inside curly brackets is a quoted string or, for one network and its strength, a tuple as in
    `{("A", 0.45): 0.5, "B": 0.5}`. Brackets around one element mean the element. Lines before it that start with `#`
    are comments, in both forms.

    The readable form is shorter: `A:0.8 + B:0.2 > C`. `>` makes a sequence, `+` puts branches side
    by side and binds closer, round brackets group. A number after a branch is its weight, 1 where there is none; after
    a network that stands alone, or in brackets of its own as in `(A:0.5):2 + B`, it is the network's strength. Names
    with `+ > : ( ) [ ] { } , \\ " '` go into quotes, in which a backslash escapes a quote or a backslash; the hash that
    the WebUI put behind names in 2022, as in `A(9f86d081)`, needs none. A quoted name with nothing else is refused, as
    it is in a `.hns`.

    In both forms the weights of parallel branches are normalised to the sum 1 (`A:8 + B:1` is `A:0.8 + B:0.1`), so
    they share the effect; strengths are taken as they are, also negative or above 1.

    Args:
        resolve: compositions by name, which this one and they themselves may use like networks.
        rename: returns the name to use for one in the text.

    Raises:
        CompositionError: a wrong text or a circle of compositions; one sentence with the place.
    """
    text = _without_comments(text.removeprefix("\ufeff"))
    if len(text) > MAX_LENGTH:
        raise CompositionError(f"the text is longer than {MAX_LENGTH} characters")
    if not text.strip():
        raise CompositionError("line 1, column 1: the text is empty")
    root = hns.read(text) if _is_literal(text.strip()) else compose_text.read(text)
    if rename is not None:
        root = renamed(root, rename)
    check_size(root)
    composition = Composition(root, dict(resolve or {}))
    _check_circles(root, composition.resolve)
    return composition


_MOST_FILES_DEEP = 100


def _without_comments(text: str) -> str:
    """Return `text` with blanks in place of the lines of comments at its start, so that positions stay."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if line.strip() and not line.lstrip().startswith("#"):
            return "\n".join([*(" " * len(comment) for comment in lines[:index]), *lines[index:]])
    return text  # a single line that starts with # is a name


def _is_literal(text: str) -> bool:
    """Tell the two forms apart: round brackets start either, but only a literal has a comma outside of quotes."""
    if set(text) & set("\"'"):  # else a full-width bracket belongs to a name
        text = numbers.plain_outside_quotes(text)
    if text[0] != "(":
        return text[0] in "[{"
    quote = ""
    escaped = False
    for sign in text:
        if quote:
            if not escaped and sign == quote:
                quote = ""
            escaped = sign == "\\" and not escaped
        elif sign in "\"'":
            quote = sign
        elif sign == ",":
            return True
    return False


def _check_circles(root: Node, resolve: Mapping[str, Composition]) -> None:
    """Raise CompositionError where compositions name each other in a circle, or make too many networks together."""
    sizes: dict[str, int] = {}

    def size(node: Node, path: tuple[str, ...]) -> int:
        total = 0
        if len(path) > _MOST_FILES_DEEP:
            raise CompositionError(f"the compositions name each other more than {_MOST_FILES_DEEP} levels deep")
        for part in singles(node):
            if part.name in path:
                circle = " > ".join(shorten(name) for name in (*path[path.index(part.name) :], part.name))
                raise fail(part.place, f"the compositions name each other in a circle ({circle})")
            if part.name in resolve and part.name not in sizes:
                sizes[part.name] = size(resolve[part.name].root, (*path, part.name))
            total += sizes.get(part.name, 1)
            if total > MAX_NODES:
                raise fail(part.place, f"together the compositions name more than {MAX_NODES} networks")
        return total

    size(root, ())


class _Plan:
    """Turns a tree of names into a tree of networks."""

    def __init__(self, resolve: Mapping[str, Composition], networks: Mapping[str, Hypernetwork]) -> None:
        self.resolve, self.networks = resolve, networks

    def step(self, node: Node, strength: float) -> Step:
        """Return what `node` does; what it adds is multiplied by `strength`."""
        if strength == 0:
            return Chain(())
        if isinstance(node, Single):
            if node.name in self.resolve:
                return self.step(self.resolve[node.name].root, node.strength * strength)
            return Apply(self.networks[node.name], node.strength * strength)
        if isinstance(node, Sequence):
            whole = Chain(tuple(self.step(part, 1.0) for part in node.steps))
            return whole if strength == 1 else Blend(((whole, strength),))
        shares = zip(node.branches, node.shares, strict=True)
        return Blend(tuple((self.step(branch, 1.0), share * strength) for branch, share in shares))
