"""What all parts of the host and its extensions share."""

from __future__ import annotations

import importlib
from typing import Any

from modules import options, shared_cmd_options, shared_items, shared_options, shared_state

cmd_opts = shared_cmd_options.cmd_opts
parser = shared_cmd_options.parser

OptionInfo = options.OptionInfo
OptionHTML = options.OptionHTML
options_section = options.options_section

options_templates = shared_options.templates()
opts = options.Options(options_templates)
state = shared_state.State()

hypernetworks: dict[str, str] = {}
"""Name -> path of every hypernetwork found."""
loaded_hypernetworks: list[Any] = []
"""The hypernetworks in use, in order. The list is changed in place: attention code holds on to it."""

demo: Any = None
settings_components: dict[str, Any] = {}
tab_names: list[str] = []
parallel_processing_allowed = True

list_checkpoint_tiles = shared_items.list_checkpoint_tiles
refresh_checkpoints = shared_items.refresh_checkpoints
list_samplers = shared_items.list_samplers
reload_hypernetworks = shared_items.reload_hypernetworks


def __getattr__(name: str) -> Any:
    if name == "config_filename":
        return cmd_opts.ui_settings_file
    if name == "sd_model":
        # Not a plain attribute until a model is there: whoever asks first loads it or waits for it.
        return importlib.import_module("modules.sd_models").get_model()
    raise AttributeError(name)
