"""Changes to a network's file that leave its weights alone: another name, other notes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import files
from ..base.atomic import atomic_write
from ..base.disk import is_taken
from ..base.errors import HypernetworkFileError, SettingsError
from ..base.names import check_name
from ..base.options import Settings, setting
from ..base.outside import resolved
from ..base.registry import rule
from . import safetensors_form, torch_writer

MAX_NOTES = 100_000
_NOTES = "optional_info"
STATES = (".optim", ".state")
#: Files of the WebUI next to a network, named without its ending: pictures, descriptions, user metadata.
_PICTURES = ("png", "jpg", "jpeg", "webp", "gif")
CARDS = (
    *(f"{part}.{kind}" for kind in _PICTURES for part in ("", ".preview")),
    *(".txt", ".description.txt", ".json", ".civitai.info"),
)


@dataclass(frozen=True)
class RenamingSettings(Settings):
    """The new name of a file."""

    name: str = setting("", "Rename to", "File name without the ending; training states and previews follow.")

    @rule("name")
    def _name_fits(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class NotesSettings(Settings):
    """The free text in a file."""

    optional_info: str = setting(
        "", "Notes in the file", "The file's optional_info; all else in the file stays as it is.", lines=3
    )

    @rule("optional_info")
    def _fits_file(self) -> None:
        if len(self.optional_info) > MAX_NOTES:
            raise SettingsError(_NOTES, f"must be at most {MAX_NOTES:,} characters long")
        try:
            self.optional_info.encode("utf-8")
        except UnicodeEncodeError:
            raise SettingsError(_NOTES, "holds half a character, which no file can keep") from None


def rename(path: Path, settings: RenamingSettings) -> tuple[Path, ...]:
    """Rename a network with all files next to it that share its name; not a byte of any file changes.

    Returns:
        The new paths, that of the network first.

    Raises:
        SettingsError: one of the new names is taken.
        HypernetworkFileError: there is no such network, or the disk refuses; then all files have their old names.
    """
    if not path.is_file():
        raise HypernetworkFileError(f"{path.name}: there is no such file")
    moves = [(old, old.with_name(settings.name + ending)) for old, ending in _family(path)]
    for old, new in moves:
        if is_taken(new) and not _is_same(new, old):
            raise SettingsError("name", f"{new.name} exists already; choose another name")
    done: list[tuple[Path, Path]] = []
    try:
        for old, new in moves:
            old.rename(new)
            done.append((old, new))
    except OSError as reason:
        for old, new in reversed(done):
            with contextlib.suppress(OSError):
                new.rename(old)
        raise HypernetworkFileError(f"{path.name}: cannot be renamed ({reason.strerror or reason})") from reason
    return tuple(new for _, new in moves)


def write_notes(path: Path, settings: NotesSettings) -> None:
    """Write new notes into the network at `path`; every other key and every weight stays bit for bit.

    The optimizer state that belongs to the file gets its new hash, so that training can still continue. Of a link, the
    file that it leads to gets the notes.

    Raises:
        HypernetworkFileError: the file is no hypernetwork, or the disk refuses it; then it stays as it was.
    """
    text = settings.optional_info or None
    content = files.read_content(path)
    files.interpret(content, path)
    old_hash = files.short_hash(path)
    own = resolved(path)
    optimizers = {place: _optimizer_of(place, old_hash) for place in (path, own)}
    if content.form == "safetensors":
        data = own.read_bytes()
        with atomic_write(own) as file:
            file.writelines(safetensors_form.with_text(data, _NOTES, text))
    else:
        _check_spread(content.state, own)
        state = dict(content.state)
        if text is not None or _NOTES in state:
            state[_NOTES] = text
        with atomic_write(own) as file:
            torch_writer.write(file, state)
    for place, optimizer in optimizers.items():
        if optimizer is not None:
            with atomic_write(files.optimizer_path(place)) as file:
                torch_writer.write(file, {**optimizer, "hash": files.short_hash(own)})


def _family(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the network and the files that belong to it, each with the part of its name after the network's."""
    yield path, path.suffix
    endings = [path.suffix + state for state in STATES]
    twins = [path.with_suffix(suffix) for suffix in files.SUFFIXES if suffix != path.suffix]
    if not any(twin.exists() for twin in twins):
        # If a network of the same name has the other form, these files belong to both and stay with it.
        endings += [*STATES, *CARDS]
    for ending in endings:
        beside = path.with_name(path.stem + ending)
        if beside.is_file():
            yield beside, ending


def _is_same(new: Path, old: Path) -> bool:
    """Tell whether two names are one file, as `N.pt` and `n.pt` are on some systems."""
    return new.exists() and new.samefile(old)


def _optimizer_of(path: Path, file_hash: str) -> dict[Any, Any] | None:
    """Return the optimizer state of a network, if it belongs to a file with this hash."""
    # A missing or broken file has no hash to keep correct.
    with contextlib.suppress(HypernetworkFileError):
        state = files.read_plain(files.optimizer_path(path))
        if isinstance(state, dict) and state.get("hash") == file_hash:
            return state
    return None


def _check_spread(state: Any, path: Path) -> None:
    """Refuse tensors that share their data so much that writing each of them would fill the disk."""
    if _spread_bytes(state) > 3 * path.stat().st_size:
        raise HypernetworkFileError(f"{path.name}: its tensors share the same data")


def _spread_bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.dtype.itemsize
    if isinstance(value, dict):
        return sum(map(_spread_bytes, value.values()))
    return sum(map(_spread_bytes, value)) if isinstance(value, (list, tuple)) else 0
