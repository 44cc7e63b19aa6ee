"""Every place where this extension touches the host.

`install_all` switches the patch sets on that the settings allow, `uninstall_all` gives the host back as it was.
"""

from __future__ import annotations

import logging

from .model.loaded import Loaded
from .patching import Patch, PatchSet, switches
from .runs.registry import runs
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
    """Switch every patch set on, those that the settings forbid off; doing it twice changes nothing."""
    for patch_set in PATCH_SETS:
        if switches.allows(patch_set):
            patch_set.install()
    for patch_set in reversed(PATCH_SETS):
        if not switches.allows(patch_set):
            patch_set.uninstall()
    if not switches.allows(loading.patch_set):
        _let_go()


def settle() -> None:
    """Once every extension is loaded: takes our places again where one took them, and says who else stands there."""
    install_all()
    targets: dict[str, list[str]] = {}
    replaced = (patch for patch_set in PATCH_SETS for patch in patch_set.patches if isinstance(patch, Patch))
    for patch in replaced:
        for name in patch.rivals:
            targets.setdefault(name, []).append(patch.target.replace(":", "."))
    for name, places in targets.items():
        _log.warning("The extension %s replaces these functions too, ours run first: %s.", name, ", ".join(places))


def uninstall_all() -> None:
    """Switch every patch set off, the last one first, and let go of the networks that only our path can run."""
    if runs.active is not None:
        # A run without our k/v path would go on with a network that is in nothing. It saves before it ends.
        from .runs import background  # noqa: PLC0415 - needs the running host

        background.end()
    for patch_set in reversed(PATCH_SETS):
        patch_set.uninstall()
    _let_go()


def _let_go() -> None:
    from modules import shared  # noqa: PLC0415

    shared.loaded_hypernetworks[:] = [
        network for network in shared.loaded_hypernetworks if not isinstance(network, Loaded)
    ]
    loading.library.clear()
