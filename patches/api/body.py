"""The body of a request: which names may stand in it, and in which folders its paths may lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules import paths, shared

from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.base.paths import read_path

Body = Mapping[str, Any]
_DATASETS = "datasets"


def data_roots() -> list[Path]:
    """Return the folders in which datasets may lie: `datasets` of the host's data folder, and the command line's."""
    more = getattr(shared.cmd_opts, "hnw_data_root", None) or []
    return [Path(paths.data_path) / _DATASETS, *(Path(read_path(folder)).absolute() for folder in more)]


def output_roots() -> list[Path]:
    """Return the folders in which runs may write."""
    return [Path(paths.data_path) / "outputs", *data_roots()]


def only(body: Body, known: set[str]) -> None:
    """Raise SettingsError for a name that is not known."""
    for key in body:
        if key not in known:
            raise SettingsError(key, f"there is no such setting; known are {', '.join(sorted(known))}")
