"""The kinds of change: cosmic-ray's, and one that it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray import plugins
from cosmic_ray.operators.operator import Example, Operator

Position = tuple[tuple[int, int], tuple[int, int]]
#: Nothing differs for None, small numbers and names, which is what is compared.
SAME = tuple(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_Is", "Is_Eq", "NotEq_IsNot", "IsNot_NotEq"))
_STATEMENTS = ("del_stmt", "expr_stmt")


class RemoveStatement(Operator):
    """Leave out what a line does: a call whose result is not used, `x += 1`, `x[0] = 1`, `self.x = 1`, `del x`."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """Yield the place of the statement."""
        if node.type == "simple_stmt" and _does_something(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Put `pass` in its place."""
        old = node.children[0]
        node.children[0] = parso.parse(f"{old.get_first_leaf().prefix}pass")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Show what becomes of a statement."""
        return (Example("f(x)\n", "pass\n"), Example("x += 1\n", "pass\n"), Example("x.y = 1\n", "pass\n"))


def _does_something(statement: Any) -> bool:
    if statement.type == "atom_expr":
        return True
    if statement.type not in _STATEMENTS:
        return False
    target, sign = statement.children[:2]
    changes = sign.type == "operator" and sign.value != "="
    return statement.type == "del_stmt" or changes or target.type == "atom_expr"


def operators() -> dict[str, Operator]:
    """Return one operator of each kind by its name."""
    found = {name.rpartition("/")[2]: plugins.get_operator(name) for name in plugins.operator_names()}
    made = {name: kind() for name, kind in found.items() if not kind.arguments() and name not in SAME}
    return made | {RemoveStatement.__name__: RemoveStatement()}
