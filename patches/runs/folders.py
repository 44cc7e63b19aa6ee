"""The folders that runs were written to: those in the host's folder of logs, and those elsewhere, which are noted."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from modules import paths

from ...hypernetworks.base.atomic import write_text
from ...hypernetworks.base.errors import HypernetworkFileError
from ...hypernetworks.base.outside import read_json
from ...hypernetworks.train.resume import earlier_folders

_log = logging.getLogger(__name__)
_MOST_BYTES = 1 << 20
_KEPT = 500


def log_dir() -> Path:
    """Return the host's folder of logs and pictures of runs."""
    return Path(paths.data_path) / "outputs" / "training"


def note(folder: Path) -> None:
    """Note the folder of a run, if it is none that is found by itself; that it cannot be noted ends no run."""
    folder = folder.absolute()
    before = _noted()
    if folder.parent == log_dir() or folder in before:
        return
    try:
        log_dir().mkdir(parents=True, exist_ok=True)
        write_text(_list(), json.dumps([str(one) for one in [*before, folder][-_KEPT:]], ensure_ascii=False, indent=1))
    except (HypernetworkFileError, OSError) as error:
        _log.warning("The folder of a run could not be noted for the tab Runs: %s", error)


def found() -> Iterable[Path]:
    """Return all folders that may hold a run."""
    try:
        here = [path for path in log_dir().iterdir() if path.is_dir()]
    except OSError:
        here = []
    noted = _noted()
    return [*here, *noted, *(beside for folder in noted for beside in earlier_folders(folder))]


def _noted() -> list[Path]:
    try:
        return [Path(text) for text in read_json(_list(), _MOST_BYTES) if isinstance(text, str)]
    except (OSError, ValueError, TypeError):  # missing, or nothing of ours
        return []


def _list() -> Path:
    return log_dir() / "elsewhere.json"
