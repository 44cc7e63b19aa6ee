"""Picker and strength slider for a hypernetwork beside txt2img and img2img."""

from __future__ import annotations

import re
from typing import Any

import gradio as gr
from modules import scripts, shared
from modules.ui_common import create_refresh_button

_NONE = "None"


class HypernetworkStrength(scripts.Script):
    """Adds `<hypernet:NAME:STRENGTH>` to the prompts, so that pictures carry in their infotext what made them."""

    def title(self) -> str:
        """Name of the block."""
        return "Hypernetwork"

    def show(self, is_img2img: bool) -> Any:
        """Always visible, in both tabs."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        """Picker, refresh button and slider."""
        suffix = "_img2img" if is_img2img else ""
        with gr.Row(elem_id=f"hnw_generation{suffix}", elem_classes="hnw-generation"):
            picker = gr.Dropdown(_names(), value=_NONE, label="Hypernetwork", elem_id=f"hnw_picker{suffix}", scale=3)
            create_refresh_button(
                picker, shared.reload_hypernetworks, lambda: {"choices": _names()}, f"hnw_picker_refresh{suffix}"
            )
            strength = gr.Slider(
                0.0, 2.0, value=1.0, step=0.05, label="Hypernetwork strength", elem_id=f"hnw_strength{suffix}", scale=3
            )
        return [picker, strength]

    def process(self, p: Any, picker: str, strength: float) -> None:
        """Adds the tag to every prompt that does not name the network itself."""
        if not picker or picker == _NONE:
            return
        if picker not in shared.hypernetworks:
            shared.reload_hypernetworks()
        named = re.compile(rf"<hypernet:{re.escape(picker)}[:>]")
        p.all_prompts = [
            prompt if named.search(prompt) else f"{prompt}<hypernet:{picker}:{strength:g}>" for prompt in p.all_prompts
        ]


def _names() -> list[str]:
    return [_NONE, *shared.hypernetworks]
