"""Tables about merges as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from ..merge.check import Difference
from ..merge.method import METHODS
from ..merge.plan import Plan
from . import elements

_NEAR = 1e-4


def methods_table(plans: Sequence[Plan], chosen: str) -> str:
    """Tell which methods can merge the chosen networks, which cannot, and why.

    Args:
        chosen: name of the method that is chosen.
    """
    rows = []
    for plan in plans:
        kind, word = ("hnw-yes", "yes") if plan.possible else ("hnw-no", "no")
        label = elements.text(METHODS[plan.method].label)
        rows.append(
            (
                f"<b>{label}</b>" if plan.method == chosen else label,
                f"<span class='{kind}'>{word}</span>",
                elements.text(sentence(plan), 400),
            )
        )
    return _report(elements.table(("Method", "Can it?", "What comes out, or why not"), rows))


def check_table(differences: Sequence[Difference], compared_with: str) -> str:
    """Tell how near the result is to what the networks give together."""
    is_near = all(one.largest is not None and one.largest <= _NEAR for one in differences)
    verdict = "The result does the same as" if is_near else "The result differs from"
    rows = [
        (f"{one.width} {one.side}", elements.number(one.change), _percent(one.mean), _percent(one.largest))
        for one in differences
    ]
    head = ("Outputs on random contexts", "mean change wanted", "mean difference", "largest difference")
    table = elements.table(head, rows, "hnw-comparison")
    return _report(f"<p>{verdict} {elements.text(compared_with)}.</p>{table}")


def sentence(plan: Plan) -> str:
    """Return the reason of a plan as a sentence."""
    words = reason(plan)
    return f"{words[:1].upper()}{words[1:]}."


def reason(plan: Plan) -> str:
    """Return the reason of a plan in words that a page uses."""
    words = plan.reason.replace("layer_structure", "layer structure")
    return f"it{words[len(plan.method) :]}" if words.startswith(plan.method) else words


def note(remark: str) -> str:
    """Return a remark in place of a table."""
    return f"<p class='hnw-note'>{elements.text(remark)}</p>"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}" if value >= _NEAR else f"{value:.1e}"


def _report(body: str) -> str:
    return f"<div class='hnw-report'>{body}</div>"
