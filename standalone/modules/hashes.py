"""SHA-256 of model files, cached in `cache.json` of the data folder until the file changes."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

from hypernetwork_workbench.hypernetworks.base import atomic
from hypernetwork_workbench.hypernetworks.base.stamps import stamp

from modules import paths
from modules.shared_cmd_options import cmd_opts

_lock = threading.Lock()


def calculate_sha256(filename: str) -> str:
    """Return the SHA-256 of a file, as 64 hex digits."""
    digest = hashlib.sha256()
    with Path(filename).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256(filename: str, title: str) -> str | None:
    """Return the SHA-256 of a file, cached under a title; None with --no-hashing where it is not cached yet."""
    cache, now = Path(paths.data_path, "cache.json"), list(stamp(filename) or ())
    with _lock:
        try:
            values = {**json.loads(cache.read_text(encoding="utf-8"))}
        except (OSError, ValueError, TypeError):
            # A cache that is missing or broken only costs the time to compute its values again.
            values = {}
        entry = values.get(title)
        if isinstance(entry, dict) and entry.get("stamp") == now:
            return entry.get("sha256")
        if cmd_opts.no_hashing:
            return None
        value = calculate_sha256(filename)
        values[title] = {"stamp": now, "sha256": value}
        atomic.write_text(cache, json.dumps(values, indent=1))
        return value
