"""SHA-256 of model files, cached in `cache.json` of the data folder until the file changes."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from pathlib import Path

from hypernetwork_workbench.hypernetworks.base import atomic
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.base.forms import ListOf, Record, Table, Text, UnfitError, Whole
from hypernetwork_workbench.hypernetworks.base.outside import UnfitTextError, read_json
from hypernetwork_workbench.hypernetworks.base.stamps import stamp

from modules import paths
from modules.shared_cmd_options import cmd_opts

_MAX_BYTES = 1 << 24
_STAMP = ListOf(Whole(0, 2**128), 3)
_FORM = Table(Text(), Record({"stamp": _STAMP, "sha256": Text(64, "[0-9a-f]{64}")}), 100_000)
_lock = threading.Lock()
_log = logging.getLogger(__name__)


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
            values = _FORM.take(read_json(cache, _MAX_BYTES))
        except (OSError, UnfitTextError, UnfitError):
            # A cache that is missing or broken only costs the time to compute its values again.
            values = {}
        entry = values.get(title)
        if entry is not None and entry["stamp"] == now:
            return entry["sha256"]
        if cmd_opts.no_hashing:
            return None
        value = calculate_sha256(filename)
        values[title] = {"stamp": now, "sha256": value}
        try:
            atomic.write_text(cache, json.dumps(values, indent=1))
        except HypernetworkFileError as error:
            _log.warning("Hashes of models are not kept for the next start: %s", error)
        return value
