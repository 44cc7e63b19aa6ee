"""Settings of the host's text encoder that a run has of its own.

They are the host's only while it encodes a text or makes a picture for the run: whoever saves the host's settings
meanwhile does not save those of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modules import shared

from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.train.settings.model import OF_HOST, ModelSettings

_CLIP_SKIP, _EMPHASIS = "CLIP_stop_at_last_layers", "emphasis"
_HOSTS_NAMES = {"original": "Original", "no norm": "No norm", "ignore": "Ignore", "none": "None"}
#: By the names of the host's settings.
_own: dict[str, Any] = {}


@contextmanager
def of_run(settings: ModelSettings) -> Iterator[None]:
    """Let `applied` put the settings of a run in place of the host's.

    Raises:
        SettingsError: the host has no such setting.
    """
    wanted: dict[str, Any] = {}
    if settings.clip_skip:
        wanted[_CLIP_SKIP] = settings.clip_skip
    if settings.emphasis != OF_HOST:
        if _EMPHASIS not in shared.opts.data_labels:
            raise SettingsError("model.emphasis", f"this WebUI has no such setting; choose {OF_HOST}")
        wanted[_EMPHASIS] = _HOSTS_NAMES[settings.emphasis]
    before = dict(_own)
    _own.update(wanted)
    try:
        yield
    finally:
        _own.clear()
        _own.update(before)


@contextmanager
def applied() -> Iterator[None]:
    """Encode texts as the present run wants it; without one, as the host does."""
    wanted = dict(_own)
    if not wanted:
        yield
        return
    data = shared.opts.data
    before = {key: data[key] for key in wanted if key in data}
    data.update(wanted)
    try:
        yield
    finally:
        for key in wanted:
            data.pop(key, None)
        data.update(before)
