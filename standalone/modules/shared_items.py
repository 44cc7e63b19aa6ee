"""Lists that settings offer, and how they are read again."""

from __future__ import annotations

import importlib
from typing import Any


def hypernetwork_names() -> list[str]:
    """Names of the hypernetworks found last time."""
    return list(importlib.import_module("modules.shared").hypernetworks)


def reload_hypernetworks() -> None:
    """Reads the folder of hypernetworks again."""
    shared: Any = importlib.import_module("modules.shared")
    hypernetwork = importlib.import_module("modules.hypernetworks.hypernetwork")
    shared.hypernetworks = hypernetwork.list_hypernetworks(shared.cmd_opts.hypernetwork_dir)


def list_samplers() -> list[str]:
    """Names of the samplers."""
    return [sampler.name for sampler in importlib.import_module("modules.sd_samplers").all_samplers]


def list_checkpoint_tiles(use_short: bool = False) -> list[str]:
    """Titles of the checkpoints."""
    return importlib.import_module("modules.sd_models").checkpoint_tiles(use_short)


def checkpoint_names() -> list[str]:
    """File names of the checkpoints: unlike titles they stay when the hash becomes known."""
    return [info.name for info in importlib.import_module("modules.sd_models").checkpoints_list.values()]


def refresh_checkpoints() -> None:
    """Looks for checkpoints again."""
    importlib.import_module("modules.sd_models").list_models()
