"""The HTML of the tab Merge Hypernetworks: the methods, the check of a result, and compositions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..compose import Composition
from ..merge.check import Difference, is_exact, overall
from ..merge.method import METHODS
from ..merge.plan import Plan
from . import elements

_FILE = "merge.html"
_NEAR = 1e-4


def methods_table(
    plans: Sequence[Plan],
    chosen: str,
    predicted: Mapping[str, Sequence[Difference]] | None = None,
    is_rounded: bool = False,
) -> str:
    """Return a table of the methods that can merge the chosen networks, and of those that cannot, with the reasons.

    Args:
        chosen: name of the chosen method.
        predicted: how the results of methods would differ, by name, where that was measured.
        is_rounded: whether the result is written in a 16-bit type.
    """
    rows = [
        (
            elements.piece(_FILE, "label", METHODS[plan.method].label, plan.method == chosen),
            elements.piece(_FILE, "can", plan.possible),
            _effect(plan, (predicted or {}).get(plan.method), is_rounded),
            elements.text(reason(plan), 400),
        )
        for plan in plans
    ]
    return elements.page(_FILE, "methods", rows)


def _effect(plan: Plan, found: Sequence[Difference] | None, is_rounded: bool) -> str:
    if not plan.possible:
        return "–"
    exact = METHODS[plan.method].exact and not is_rounded if found is None else is_exact(found)
    share = overall(found) if found is not None else None
    return str(elements.piece(_FILE, "effect", exact, None if share is None else _percent(share)))


def check_table(differences: Sequence[Difference], compared_with: str) -> str:
    """Return a table of how near the result is to what the networks do together."""
    rows = [
        (f"{one.width} {one.side}", elements.number(one.change), _percent(one.mean), _percent(one.largest))
        for one in differences
    ]
    return elements.page(_FILE, "check", is_exact(differences), compared_with, rows)


def difference(differences: Sequence[Difference], compared_with: str) -> str:
    """Return in a sentence how near the result is to what the networks do together."""
    if is_exact(differences):
        return f"The result does the same as {compared_with}."
    share = overall(differences)
    if share is None:  # where they together change nothing, the result does
        return f"The result differs from {compared_with}."
    return f"The result differs from {compared_with}, by {_percent(share)} on average."


def composition_table(composition: Composition, text: str, plan: Plan) -> str:
    """Return a table that shows how a composition is understood.

    Args:
        text: its readable form, or why it has none.
        plan: the plan of merging it into one file.
    """
    rows = [
        ("Readable form", elements.piece(_FILE, "code", text)),
        (".hns form", elements.piece(_FILE, "code", composition.as_hns())),
        ("Networks", elements.own(", ".join(composition.names))),
        ("As one file", elements.piece(_FILE, "one_file", plan.possible, reason(plan))),
    ]
    return elements.page(_FILE, "composition", rows)


def reason(plan: Plan) -> str:
    """Return the reason of a plan in the words of the page."""
    words = plan.reason.replace("layer_structure", "layer structure")
    return f"it{words[len(plan.method) :]}" if words.startswith(plan.method) else words


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}" if value >= _NEAR else f"{value:.1e}"
