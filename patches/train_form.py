"""The fields of the tab Train Gamma: the common ones in sight, the rest in named folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from modules import shared

from ..hypernetworks.options import Option
from ..hypernetworks.settings import SECTIONS
from .form import Form

_NETWORK = Option("Network to train", "Made in Create Beta Hypernetwork, or any other of the folder.")
_SAVE_AS = Option(
    "Save as", "Name of the trained network. Empty: the chosen one is replaced when the run has ended well."
)

#: Rows of fields that are always in sight.
_IN_SIGHT: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("data", ("folder",)),
    ("data", ("width", "height", "batch_size")),
    ("schedule", ("rate", "kind")),
    ("train", ("max_steps", "gradient_accumulation")),
    ("preview", ("every", "prompt")),
)

#: Folds: title, id, and for each section the fields, or all that are not placed elsewhere.
_FOLDS: tuple[tuple[str, str, tuple[tuple[str, tuple[str, ...]], ...]], ...] = (
    ("Captions", "captions", (("data", ()),)),
    ("Learning rate", "rate", (("schedule", ()),)),
    ("Optimizer and precision", "optimizer", (("optimizer", ()), ("train", ("precision", "ema_decay", "seed")))),
    ("Loss and noise", "loss", (("loss", ()),)),
    ("Validation and safety", "safety", (("train", ()),)),
    ("Previews", "previews", (("preview", ()),)),
    ("Saving and logs", "output", (("output", ()),)),
)


def inputs(form: Form, start: dict[str, dict[str, Any]]) -> None:
    """Makes the component of every setting of a job but those of a new network, filled with `start`."""
    _network_row(form, start["output"].get("name", ""))
    left = {section: [name for name, _, _ in kind.options()] for section, kind in SECTIONS.items()}

    def add(section: str, names: Sequence[str]) -> None:
        chosen = [name for name in names or left[section] if name in left[section]]
        left[section] = [name for name in left[section] if name not in chosen]
        form.add(SECTIONS[section], start[section], chosen, section)

    left["output"].remove("name")
    for section, names in _IN_SIGHT:
        with gr.Row():
            add(section, names)
    for title, id_, parts in _FOLDS:
        with gr.Accordion(title, open=False, elem_id=f"hnw_train_{id_}"):
            if id_ == "output":
                save_as = gr.Textbox(label=_SAVE_AS.label, info=_SAVE_AS.help, elem_id="hnw_train_output_name")
                form.add_component("output", "name", _SAVE_AS, save_as)
            for section, names in parts:
                add(section, names)


def _network_row(form: Form, wanted: str) -> None:
    def refreshed() -> Any:
        shared.reload_hypernetworks()
        return gr.update(choices=list(shared.hypernetworks))

    with gr.Row():
        # A name that is not in the list yet stays allowed: the demo's network is named before it is made.
        chosen = gr.Dropdown(
            list(shared.hypernetworks),
            value=wanted or None,
            label=_NETWORK.label,
            info=_NETWORK.help,
            allow_custom_value=True,
            elem_id="hnw_train_network_file",
            scale=4,
        )
        form.add_component("network", "file", _NETWORK, chosen)
        refresh = gr.Button("Refresh list", elem_id="hnw_train_refresh", scale=1)
    refresh.click(refreshed, outputs=[chosen], show_progress="hidden")
