"""The fields of the tab Train Gamma: those that are no plain settings, and the order of the others."""

from __future__ import annotations

from typing import Any

import gradio as gr
from modules import shared
from modules.ui_common import create_refresh_button

from ....hypernetworks.base.options import Option, groups
from ....hypernetworks.train.optim.schedule import RATE
from ....hypernetworks.train.settings.job import SECTIONS
from ..form import Form, Start
from ..inspect import work

_NETWORK = Option("Network to train", "Made in Create Beta Hypernetwork, or any other network of the folder.")
_SAVE_AS = Option(
    "Save as", "Name of the trained network. Empty: the chosen one is replaced when the run has ended well."
)
_ABOVE_PLOT = ("data", "train", "schedule")
"""Sections whose settings in sight are above the plot of the rates."""


def make_form() -> Form:
    """Return the form of a job, without fields yet."""
    return Form("hnw_train", shows_problems=True, own={"output.name": _save_as})


def above_plot(form: Form, start: Start) -> Any:
    """Make the choice of the network and the fields that most runs change; return the button that reads the list."""
    refresh = _network_row(form, start["output"].get("name", ""))
    form.add_rows({name: SECTIONS[name] for name in _ABOVE_PLOT}, start)
    return refresh


def below_plot(form: Form, start: Start) -> None:
    """Make the other fields that are in sight."""
    form.add_rows({name: kind for name, kind in _sections().items() if name not in _ABOVE_PLOT}, start)


def folds(form: Form, start: Start) -> None:
    """Make the folds, first that of the rate, since it continues the fields above."""
    sections = _sections()
    form.add_folds(sections, start, sorted(groups(sections.values()), key=lambda group: group != RATE))


def _sections() -> dict[str, Any]:
    """Return the sections of a job but `network`, of which only the file is used here."""
    return {name: kind for name, kind in SECTIONS.items() if name != "network"}


def _save_as(form: Form) -> None:
    with form.column():
        component = gr.Textbox(label=_SAVE_AS.label, info=_SAVE_AS.help, elem_id="hnw_train_output_name")
        form.add_component("output", "name", _SAVE_AS, component)


def _network_row(form: Form, wanted: str) -> Any:
    with gr.Row(elem_classes="hnw-with-tool"):
        with form.column():
            # A name that is not in the list yet is allowed: the demo's network is named before it is made.
            chosen = gr.Dropdown(
                work.names(),
                value=wanted or None,
                label=_NETWORK.label,
                info=_NETWORK.help,
                allow_custom_value=True,
                elem_id="hnw_train_network_file",
                elem_classes="hnw-networks",
            )
            form.add_component("network", "file", _NETWORK, chosen)
        return create_refresh_button(
            chosen,
            shared.reload_hypernetworks,
            lambda: {"choices": work.names()},
            "hnw_train_refresh",
        )
