"""Copies of saved networks in a repository of Hugging Face, sent beside the steps; what fails there ends no run."""

from __future__ import annotations

import importlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...base.errors import SettingsError
from ..settings.output import OutputSettings
from .notes import Notes

_log = logging.getLogger(__name__)

_SETTING = "output.huggingface_repo"
#: How long the end of a run waits for what is still being sent.
PATIENCE_S = 300.0
AFTER_STOP_S = 10.0
"""And how long once somebody has interrupted it."""
_LOOK_S = 0.2


def service() -> Any:
    """Return the package's own access to the service, with the token of its own login; nothing is sent.

    Raises:
        SettingsError: the package is missing or does not load, or nobody is logged in.
    """
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise SettingsError(_SETTING, "needs the package huggingface_hub") from error
    except Exception as error:  # a broken installation raises whatever it likes
        raise SettingsError(
            _SETTING, f"needs the package huggingface_hub, which does not load here: {error}"
        ) from error
    if not (hub.get_token() if hasattr(hub, "get_token") else hub.HfFolder.get_token()):
        raise SettingsError(_SETTING, "needs a login: run huggingface-cli login once")
    return hub.HfApi()


class Uploads:
    """Sends files one after another, in a thread of its own.

    Args:
        is_stopped: tells whether somebody has interrupted the run.

    Raises:
        SettingsError: as `service`.
    """

    def __init__(self, settings: OutputSettings, notes: Notes, is_stopped: Callable[[], bool]) -> None:
        self._api = service()
        self._is_stopped = is_stopped
        self._settings = settings
        self._notes = notes
        self._waiting: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="uploads", daemon=True)
        self._thread.start()

    def send(self, path: Path) -> None:
        """Let a file that was just saved be sent, as it is now, whatever becomes of it until its turn."""
        try:
            self._waiting.put((path.name, path.read_bytes()))
        except OSError as error:
            self._notes.warn(self._refusal(path.name, error.strerror or str(error)))

    def close(self) -> None:
        """Wait until all is sent, but not for ever, and only shortly once somebody wants the run to end."""
        self._waiting.put(None)
        end, is_stopped = time.monotonic() + PATIENCE_S, False
        while self._thread.is_alive() and time.monotonic() < end:
            self._thread.join(_LOOK_S)
            if not is_stopped and self._is_stopped():
                end, is_stopped = min(end, time.monotonic() + AFTER_STOP_S), True
        if self._thread.is_alive():
            self._notes.warn(
                f"{self._settings.huggingface_repo} has not got all files yet; they are no longer waited for."
            )

    def _work(self) -> None:
        is_there = False
        while (file := self._waiting.get()) is not None:
            name, content = file
            repo = self._settings.huggingface_repo
            try:
                if not is_there:
                    private = self._settings.huggingface_private
                    self._api.create_repo(repo_id=repo, private=private, exist_ok=True)
                    is_there = True
                self._api.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id=repo)
            except Exception as error:  # whatever the service or the network does, it is not worth a run
                reason = " ".join(str(error).split()) or type(error).__name__
                self._notes.warn(self._refusal(name, reason))
            else:
                _log.info("%s is in %s.", name, repo)

    def _refusal(self, name: str, reason: str) -> str:
        return f"{name} was not uploaded to {self._settings.huggingface_repo}: {reason}"
