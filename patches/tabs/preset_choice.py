"""A choice of presets beside a form: the list, and the advice of the chosen one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import gradio as gr

from ...hypernetworks.pages.sentences import plain

#: Shown where the form has the values of no preset.
OWN = "Own settings"


class Preset(Protocol):
    """What is shown of a preset."""

    @property
    def name(self) -> str:
        """Its name in the list."""

    @property
    def advice(self) -> str:
        """One sentence about its use."""


def preset_choice(prefix: str, presets: Iterable[Preset], label: str, info: str) -> tuple[Any, Any]:
    """Return the list of presets, and the place for the advice.

    Args:
        prefix: start of the ids of both.
    """
    names = [OWN, *(preset.name for preset in presets)]
    choice = gr.Dropdown(names, value=OWN, label=label, info=info, elem_id=f"{prefix}_preset")
    choice.do_not_save_to_config = True
    return choice, gr.HTML(visible=False, elem_id=f"{prefix}_advice", elem_classes="hnw-note")


def shown_preset(preset: Preset | None) -> list[Any]:
    """Return updates of both for the preset whose values the form has."""
    if preset is None:
        return [OWN, gr.update(value=plain(""), visible=False)]
    return [preset.name, gr.update(value=plain(preset.advice), visible=True)]
