"""Puts the parts that a run has of its own in place of the host's, for as long as the run has the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.train.settings.model import ModelSettings
from .. import backend
from . import text_files, text_options
from .weights import TEXT, VAE, Exchange, read

#: What is in the model now.
_exchanged: list[Exchange] = []


@contextmanager
def chosen(settings: ModelSettings) -> Iterator[None]:
    """Train with the VAE, the text encoder and its settings that a job names; afterwards all is as before, bit for bit.

    Raises:
        SettingsError: a file cannot be read or does not fit the model; names the field.
    """
    with ExitStack() as stack:
        stack.enter_context(text_options.of_run(settings))
        for setting, path in ((VAE, settings.vae), (TEXT, settings.text_model)):
            if path and backend.is_here():
                raise SettingsError(f"model.{setting}", "can be chosen in the page of this WebUI only; leave it empty")
            for exchange in _read(setting, path):
                exchange.swap()
                _exchanged.append(exchange)
                stack.callback(_exchanged.remove, exchange)
                stack.callback(exchange.swap)
        yield


def _read(setting: str, path: str) -> list[Exchange]:
    """Return the weights of a run's own file, else of that in the settings of the WebUI; none where both are empty."""
    if path:
        return read(setting, Path(path))
    if setting != TEXT:
        return []
    try:
        wanted = text_files.wanted()
        return read(setting, wanted) if wanted else []
    except SettingsError as error:
        raise SettingsError(f"model.{setting}", f"that of Settings > Hypernetworks: {error.reason}") from error


@contextmanager
def aside() -> Iterator[None]:
    """Let others use the model with the parts that the host has chosen, in the middle of a run."""
    gone = list(_exchanged)
    for exchange in gone:
        exchange.swap()
    _exchanged.clear()
    try:
        yield
    finally:
        _exchanged.extend(gone)
        for exchange in gone:
            exchange.swap()


def in_place() -> Mapping[str, str]:
    """Return what is in the model in place of its own parts: file and start of its hash, by setting."""
    return {exchange.setting: exchange.label for exchange in _exchanged}
