"""sha256 of model files, remembered in `cache.json` of the data folder until the file changes."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks import atomic

from modules import paths_internal, shared

_lock = threading.RLock()


def _cache_path() -> Path:
    return Path(paths_internal.data_path, "cache.json")


def _read() -> dict[str, Any]:
    try:
        values = json.loads(_cache_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # A cache that is missing or broken only costs the time to compute its values again.
        return {}
    return values if isinstance(values, dict) else {}


def _stamp(filename: str) -> list[int]:
    info = Path(filename).stat()
    return [info.st_mtime_ns, info.st_size]


def calculate_sha256(filename: str) -> str:
    """The sha256 of a file, as 64 hex digits."""
    with Path(filename).open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_from_cache(filename: str, title: str) -> str | None:
    """The remembered sha256, None if there is none or the file changed since."""
    with _lock:
        entry = _read().get(title)
    if not isinstance(entry, dict) or not Path(filename).is_file() or entry.get("stamp") != _stamp(filename):
        return None
    return entry.get("sha256")


def sha256(filename: str, title: str) -> str | None:
    """The sha256 of a file, remembered under a title; None with --no-hashing."""
    known = sha256_from_cache(filename, title)
    if known is not None or shared.cmd_opts.no_hashing:
        return known
    value = calculate_sha256(filename)
    with _lock:
        values = _read()
        values[title] = {"stamp": _stamp(filename), "sha256": value}
        atomic.write_text(_cache_path(), json.dumps(values, indent=1))
    return value
