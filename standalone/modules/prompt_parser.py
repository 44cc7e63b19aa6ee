"""Prompts as the WebUI's code hands them over; their weights are read in the core."""

from __future__ import annotations

from collections.abc import Iterable

from hypernetwork_workbench.hypernetworks.texts.prompts import parse

__all__ = ["SdConditioning", "parse"]


class SdConditioning(list[str]):
    """Prompts with the width and height in pixels of the picture that they are for."""

    def __init__(self, prompts: Iterable[str], width: int | None = None, height: int | None = None) -> None:
        super().__init__(prompts)
        self.width, self.height = width, height
