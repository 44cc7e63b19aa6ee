"""The fields of the tab Train Gamma: the common ones in sight, the rest in named folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from modules import shared
from modules.ui_common import create_refresh_button

from ....hypernetworks.base.options import Option
from ....hypernetworks.train.settings.job import SECTIONS
from .. import data_folds
from ..data_folds import Fold, Rows
from ..form import Form
from ..inspect import work

_NETWORK = Option("Network to train", "Made in Create Beta Hypernetwork, or any other of the folder.")
_SAVE_AS = Option(
    "Save as", "Name of the trained network. Empty: the chosen one is replaced when the run has ended well."
)

#: Rows of fields that are always in sight, above and below the plot of the rates.
_ABOVE_PLOT: Rows = (
    ("data", ("folder",)),
    ("data", ("width", "height", "batch_size")),
    ("train", ("max_steps", "gradient_accumulation")),
    ("schedule", ("rate", "kind")),
)
_BELOW_PLOT: Rows = (("preview", ("every", "prompt")),)

#: Folds: title, id, and rows of fields; a row without names takes all that no other row has.
_FOLDS: tuple[Fold, ...] = (
    (
        "More about the learning rate",
        "rate",
        (("schedule", ("warmup", "min_rate", "power")), ("schedule", ("cycle", "multiplier", "decay"))),
    ),
    *data_folds.FOLDS,
    (
        "Latents and broken pictures",
        "latents",
        (("data", ("latents", "cache", "cache_limit_mb", "stop_at_broken")), ("data", ())),
    ),
    (
        "Optimizer and precision",
        "optimizer",
        (
            ("optimizer", ("name", "arguments")),
            ("optimizer", ("clip", "clip_limit")),
            ("train", ("precision", "ema_decay", "seed")),
        ),
    ),
    (
        "Loss and noise",
        "loss",
        (
            ("loss", ("kind", "huber_delta", "min_snr_gamma")),
            ("loss", ("noise_offset", "adaptive_noise_offset")),
            ("loss", ("multires_iterations", "multires_discount")),
            ("loss", ("min_timestep", "max_timestep")),
            ("loss", ("noise_cycle", "noise_restarts")),
        ),
    ),
    (
        "Memory and speed",
        "memory",
        (
            ("train", ("attention", "checkpointing")),
            ("train", ("unload_encoders", "optimizer_on_cpu", "preview_unloads_optimizer")),
        ),
    ),
    (
        "Validation and safety",
        "safety",
        (
            ("train", ("validation_share", "validation_every")),
            ("train", ("rollback_after", "rollback_halves_rate")),
        ),
    ),
    (
        "Previews",
        "previews",
        (
            ("preview", ("negative_prompt", "prompt_file")),
            ("preview", ("sampler", "sampling_steps", "cfg_scale")),
            ("preview", ("preview_seed", "width", "height")),
            ("preview", ("at_cycle_end",)),
        ),
    ),
    (
        "Saving and logs",
        "output",
        (
            ("output", ("name", "overwrite")),
            ("output", ("dir",)),
            ("output", ("save_every", "keep_last")),
            ("output", ("save_at_cycle_end", "save_best", "save_state")),
            ("output", ("sheet", "tensorboard", "wandb")),
        ),
    ),
)


class Fields:
    """Makes the component of every setting of a job but those of a new network, each once, filled with `start`."""

    def __init__(self, form: Form, start: dict[str, dict[str, Any]]) -> None:
        self._form = form
        self._start = start
        self._left = {name: [one for one, _, _ in kind.options()] for name, kind in SECTIONS.items()}
        del self._left["network"]  # the network is a file, chosen from the list

    def above_plot(self) -> None:
        """Return the network and the fields that most runs change."""
        _network_row(self._form, self._start["output"].get("name", ""))
        self._rows(_ABOVE_PLOT)

    def below_plot(self) -> None:
        """Those that are in sight below the plot of the rates."""
        self._rows(_BELOW_PLOT)

    def folds(self) -> None:
        """All others; raises LookupError if one has no place."""
        for title, id_, rows in _FOLDS:
            with gr.Accordion(title, open=False, elem_id=f"hnw_train_{id_}"):
                self._rows(rows)
        left = [f"{section}.{name}" for section, names in self._left.items() for name in names]
        if left:
            raise LookupError(f"the form has no place for {', '.join(left)}")

    def _rows(self, rows: Rows) -> None:
        for section, names in rows:
            chosen = list(names or self._left[section])
            if chosen:
                with gr.Row():
                    self._row(section, chosen)

    def _row(self, section: str, names: Sequence[str]) -> None:
        for name in names:
            self._left[section].remove(name)
            if (section, name) == ("output", "name"):
                _save_as(self._form)
            else:
                self._form.add(SECTIONS[section], self._start[section], (name,), section)


def _save_as(form: Form) -> None:
    with gr.Column(min_width=160, elem_classes="hnw-field"):
        component = gr.Textbox(label=_SAVE_AS.label, info=_SAVE_AS.help, elem_id="hnw_train_output_name")
        form.add_component("output", "name", _SAVE_AS, component)


def _network_row(form: Form, wanted: str) -> None:
    with gr.Row(elem_classes="hnw-with-tool"):
        with gr.Column(min_width=160, elem_classes="hnw-field"):
            # A name that is not in the list yet stays allowed: the demo's network is named before it is made.
            chosen = gr.Dropdown(
                work.names(),
                value=wanted or None,
                label=_NETWORK.label,
                info=_NETWORK.help,
                allow_custom_value=True,
                elem_id="hnw_train_network_file",
            )
            form.add_component("network", "file", _NETWORK, chosen)
        create_refresh_button(
            chosen,
            shared.reload_hypernetworks,
            lambda: {"choices": work.names()},
            "hnw_train_refresh",
        )
