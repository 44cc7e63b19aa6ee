"""Every place where this extension touches the host; `docs/ARCHITECTURE.md` lists each with its file.

- Functions replaced: the patch sets below. `install_all` switches on those that the settings allow, `uninstall_all`
  gives the host back as it was.
- Callbacks: registered by `scripts/` and `tabs/`.
- A script in txt2img and img2img: the rows, in `rows/`.
- Settings and flags: `patching/switches.py` and `preload.py`.
- The host's server: routes, and a gate that keeps other pages out, in `api/`.
- Temporary state: in `model/`, on the U-Net and its attention, the encoders, the loaded networks and the random
  generators; in `runs/`, on the signals that end the process.
- The host's own lists and jobs: networks, checkpoints, and the state of the job that runs.
- Files in the host's folders: networks, checkpoints, logs, settings and edits of captions.
- Modules of the host that are used: read or called as they are.
"""

from __future__ import annotations

import logging

from .model.loaded import Loaded
from .patching import Patch, PatchSet, switches
from .runs.run import runs
from .sets import (
    attention,
    checkpointing,
    embedding_batches,
    generation,
    host_creation,
    host_training,
    languages,
    loading,
    unpickling,
    xyz_grid,
)

_log = logging.getLogger(__name__)

PATCH_SETS: tuple[PatchSet, ...] = (
    loading.patch_set,
    attention.patch_set,
    generation.patch_set,
    checkpointing.patch_set,
    unpickling.patch_set,
    embedding_batches.patch_set,
    host_creation.patch_set,
    host_training.patch_set,
    xyz_grid.patch_set,
    languages.patch_set,
)


def register_switches() -> None:
    """Add a switch for each patch set to the host's settings."""
    switches.register(PATCH_SETS, install_all)


def install_all() -> None:
    """Switch on every patch set that the settings allow, and the others off; doing it twice changes nothing."""
    from .runs.stop_signals import stop_signals  # noqa: PLC0415 - needs the running host

    stop_signals.install()
    for patch_set in PATCH_SETS:
        if switches.allows(patch_set):
            patch_set.install()
    for patch_set in reversed(PATCH_SETS):
        if not switches.allows(patch_set):
            patch_set.uninstall()
    if not switches.allows(loading.patch_set):
        _unload_networks()


def install_on_top() -> None:
    """Install again, on top of what other extensions replaced meanwhile, and name them in the log.

    To be called once every extension is loaded.
    """
    install_all()
    targets: dict[str, list[str]] = {}
    replaced = (patch for patch_set in PATCH_SETS for patch in patch_set.patches if isinstance(patch, Patch))
    for patch in replaced:
        for name in patch.rivals:
            targets.setdefault(name, []).append(patch.target.replace(":", "."))
    for name, places in targets.items():
        _log.warning("The extension %s replaces these functions too, ours run first: %s.", name, ", ".join(places))


def uninstall_all() -> None:
    """Switch every patch set off, the last one first, and unload the networks that only our path can run."""
    if runs.active is not None:
        # Without our k/v path the run would train a network that the U-Net does not use. It saves before it ends.
        from .runs import training  # noqa: PLC0415 - needs the running host

        training.end()
    from .runs.stop_signals import stop_signals  # noqa: PLC0415

    stop_signals.uninstall()
    for patch_set in reversed(PATCH_SETS):
        patch_set.uninstall()
    _unload_networks()


def _unload_networks() -> None:
    from modules import shared  # noqa: PLC0415

    shared.loaded_hypernetworks[:] = [
        network for network in shared.loaded_hypernetworks if not isinstance(network, Loaded)
    ]
    loading.library.clear()
