"""The capabilities of the running host, found by looking at it, never by its version."""

from __future__ import annotations

import importlib.util

#: Packages of Forge and its relatives, which hold and run checkpoints in another way: all have the first one,
#: and one of the others.
_FORGE, _BACKENDS = "modules_forge", ("backend", "ldm_patched")


def attention_has_hooks() -> bool:
    """Tell whether the host's attention does not apply hypernetworks, but has hooks that can change its inputs."""
    return _is_there(_FORGE) and any(map(_is_there, _BACKENDS))


def attention_asks_for_networks() -> bool:
    """Tell whether the host's attention calls `apply_hypernetworks`, as AUTOMATIC1111's does in every version."""
    return not attention_has_hooks()


def starts_without_page() -> bool:
    """Tell whether the host can be started once more in another process without its page, as we know how to do it.

    AUTOMATIC1111's can since 1.6. Forge and its relatives begin in another way, which is not tried.
    """
    return _is_there("modules.initialize") and not attention_has_hooks()


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
