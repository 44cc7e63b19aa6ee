"""The host's script for the rows of hypernetworks next to txt2img and img2img."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modules import scripts, shared

from ..patching import patch_set, switches
from . import entries, infotext
from .entries import Row
from .view import OFF, RowsView


class HypernetworkStrength(scripts.Script):
    """Adds `<hypernet:NAME:STRENGTH>` to the prompts, so that the infotext of pictures says what made them."""

    def title(self) -> str:
        """Return the name of the block."""
        return "Hypernetwork"

    def show(self, is_img2img: bool) -> Any:
        """Show it always, in both tabs."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        """Return the rows: picker, strength and checkbox of each in turn."""
        view = RowsView("_img2img" if is_img2img else "")
        self.infotext_fields = view.infotext_fields
        self.paste_field_names = view.names
        return view.inputs

    def process(self, p: Any, *values: Any) -> None:
        """Add the rows' tags, in their order, to every prompt that does not name the network itself.

        Args:
            values: name, strength and on or off of each row in turn; missing ones are None, 1 and on.
        """
        rows, problems = entries.read(values)
        rows, more = entries.with_axes(p, rows)
        without = entries.without_network(rows) if getattr(p, "is_api", False) else ()  # the page shows it
        for problem in (*problems, *more, *without):
            p.comment(problem)
        used = entries.used_rows(rows)
        if used and not switches.is_on():
            p.comment(f"{OFF}.")
        if not switches.is_on():
            return
        if any(row.name not in shared.hypernetworks for row in used):
            shared.reload_hypernetworks()
        used = _loadable(p, used)
        added: dict[int, Row] = {}
        for attribute in ("all_prompts", "all_hr_prompts"):
            prompts = getattr(p, attribute, None)
            if prompts:
                setattr(p, attribute, [_with_tags(prompt, used, added) for prompt in prompts])
        for problem in _left_out(rows, problems, used, added):
            p.comment(problem)
        infotext.write_rows(p, [added[index] for index in sorted(added)])


def _loadable(p: Any, used: list[Row]) -> list[Row]:
    """Return the rows that can be loaded, by whatever code loads them; the job says why the others are not used."""
    if patch_set("loading").is_installed:
        return used
    for row in used:
        if entries.tag_name(row.name) not in shared.hypernetworks:
            reason = "the WebUI's own code, which lists networks now, leaves it out"
            p.comment(f"Hypernetwork {row.name} was not used: {reason}.")
    return [row for row in used if entries.tag_name(row.name) in shared.hypernetworks]


def _left_out(rows: list[Row], problems: list[str], used: list[Row], added: Mapping[int, Row]) -> Iterator[str]:
    """Yield a sentence for each row whose network is off in all rows, or that every prompt has a tag for itself."""
    told = {problem.partition(" was not used")[0] for problem in problems}
    names = {row.name for row in used}
    for number, row in enumerate(rows, 1):
        if not (row.name in names or row.is_on or row.is_empty or f"Hypernetwork {number}" in told):
            yield f"Hypernetwork {row.name} was not used: its row is off."
    for index, row in enumerate(used):
        if index not in added:
            yield f"The row of {row.name} was not used: the prompt names it itself."


def _with_tags(prompt: str, used: list[Row], added: dict[int, Row]) -> str:
    missing = {index: row for index, row in enumerate(used) if not row.is_named_in(prompt)}
    added.update(missing)
    return prompt + "".join(row.tag for row in missing.values())
