"""The names under which extensions look for the host's folders."""

from __future__ import annotations

from modules import paths_internal


def __getattr__(name: str) -> str:
    if name in ("script_path", "data_path", "models_path", "extensions_dir", "extensions_builtin_dir"):
        return getattr(paths_internal, name)
    raise AttributeError(name)
