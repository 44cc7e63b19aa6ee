"""Every place where this extension touches the host.

`install_all` switches the patch sets on, `uninstall_all` gives the host back as it was.
"""

from __future__ import annotations

from . import attention, generation, loading
from .loaded import Loaded
from .patching import PatchSet

PATCH_SETS: tuple[PatchSet, ...] = (loading.patch_set, attention.patch_set, generation.patch_set)


def install_all() -> None:
    """Switches every patch set on; doing it twice changes nothing."""
    for patch_set in PATCH_SETS:
        patch_set.install()


def uninstall_all() -> None:
    """Switches every patch set off, the last one first, and lets go of the networks that only our path can run."""
    from modules import shared  # noqa: PLC0415

    for patch_set in reversed(PATCH_SETS):
        patch_set.uninstall()
    shared.loaded_hypernetworks[:] = [
        network for network in shared.loaded_hypernetworks if not isinstance(network, Loaded)
    ]
    loading.library.clear()
