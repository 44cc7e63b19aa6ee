"""sha256 of model files, remembered in `cache.json` of the data folder until the file changes."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks import atomic

from modules import paths, shared

_lock = threading.Lock()


def _cache_path() -> Path:
    return Path(paths.data_path, "cache.json")


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
    digest = hashlib.sha256()
    with Path(filename).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256(filename: str, title: str) -> str | None:
    """The sha256 of a file, remembered under a title; None with --no-hashing where it is not known yet."""
    with _lock:
        values, stamp = _read(), _stamp(filename)
        entry = values.get(title)
        if isinstance(entry, dict) and entry.get("stamp") == stamp:
            return entry.get("sha256")
        if shared.cmd_opts.no_hashing:
            return None
        values[title] = {"stamp": stamp, "sha256": calculate_sha256(filename)}
        atomic.write_text(_cache_path(), json.dumps(values, indent=1))
        return values[title]["sha256"]
