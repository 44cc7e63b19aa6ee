"""Presets of users, as files in one folder beside those that are shipped: saved, renamed, deleted and compared.

Each is a settings file of ours, `NAME.KIND.toml`; files of the original extension in the folder are presets as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.atomic import write_text
from ..base.errors import HypernetworkFileError, SettingsError, WorkbenchError
from ..base.names import check_name
from ..base.options import as_text
from ..base.outside import read_bytes, reason_of
from ..base.stamps import Stamp, stamp
from .preset_kinds import PresetKind, Shipped
from .settings_text import MAX_BYTES

#: The field that errors are about.
FIELD = "preset"
#: The one that errors are about where it is the name that is wrong.
NAME = "preset.name"
_MOST = 500


@dataclass(frozen=True)
class OwnPreset:
    """A preset of a user.

    Attributes:
        path: its file.
    """

    name: str
    path: Path
    advice: str = field(default="One of your own presets.", init=False)
    _values: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Return the values that it fills in, by the addresses of the form."""
        return dict(self._values)


class Shelf:
    """All presets of one kind.

    Args:
        folder: where those of users are; made when the first one is saved.
    """

    def __init__(self, kind: PresetKind, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self._read: dict[Path, tuple[Stamp | None, OwnPreset | None]] = {}

    def names(self) -> list[str]:
        """Return the names of all presets, the shipped ones first."""
        return [*(one.name for one in self.kind.shipped), *self._files()]

    def get(self, name: str) -> Shipped | None:
        """Return the preset of a name; None where there is none.

        Raises:
            SettingsError: its file cannot be read.
        """
        shipped = next((one for one in self.kind.shipped if one.name == name), None)
        path = self._files().get(name)
        return shipped or (self._own(name, path) if path else None)

    def matching(self, values: Mapping[str, Any], chosen: str = "") -> Shipped | None:
        """Return the preset all of whose values a form has; None where there is none.

        Args:
            chosen: name of the one to return where several have the same values.
        """
        entered = self.kind.readable(values)
        found = [one for one in self._all() if one.values() and _has(entered, self._plain(one))]
        return next((one for one in found if one.name == chosen), found[0] if found else None)

    def save(self, name: str, values: Mapping[str, Any], overwrite: bool = False) -> OwnPreset:
        """Save what a form says as a preset.

        Raises:
            SettingsError: a value is wrong, or the name, or it is taken and may not be replaced.
            HypernetworkFileError: the folder or the disk refuses it.
        """
        name = self._checked(name)
        taken = self.kind.taken(values)
        path = self._files().get(name) or self._path(name)
        if path.exists() and not overwrite:
            raise SettingsError(FIELD, f"there is a preset {name} already; choose another name, or set replace")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HypernetworkFileError(f"the folder {self.folder} cannot be made: {error.strerror}") from error
        written = self._path(name)
        write_text(written, self.kind.text(taken))
        if path != written:  # one of the original's has this name
            path.unlink(missing_ok=True)
        return OwnPreset(name, written, taken)

    def rename(self, name: str, new: str) -> None:
        """Give a preset of a user another name; raises SettingsError."""
        path, new = self._own_path(name), self._checked(new)
        ending = path.name[len(name) :]
        target = path.with_name(f"{new}{ending}")
        if new in self._files() or target.exists():
            raise SettingsError(FIELD, f"there is a preset {new} already; choose another name")
        try:
            path.rename(target)
        except OSError as error:
            raise SettingsError(FIELD, f"{path} cannot be renamed: {error.strerror}") from error

    def delete(self, name: str) -> None:
        """Delete a preset of a user; raises SettingsError."""
        path = self._own_path(name)
        try:
            path.unlink()
        except OSError as error:
            raise SettingsError(FIELD, f"{path} cannot be deleted: {error.strerror}") from error

    def comparison(self, names: Sequence[str], form: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
        """Return the settings that presets and a form have otherwise: label, value of each preset, that of the form.

        A preset that leaves a setting alone has an empty text there.

        Raises:
            SettingsError: one of them is gone or cannot be read.
        """
        chosen = [self._plain(self._named(name)) for name in names]
        entered, rows = self.kind.readable(form), []
        for address, (_, option) in self.kind.options.items():
            values = [*(_shown(one.get(address)) for one in chosen), _shown(entered.get(address))]
            if len({value for value in values if value}) > 1:
                rows.append((option.label, values))
        return rows

    def _plain(self, preset: Shipped) -> dict[str, Any]:
        values = preset.values()
        return {address: value for address, value in self.kind.readable(values).items() if address in values}

    def _named(self, name: str) -> Shipped:
        found = self.get(name)
        if found is None:
            raise SettingsError(FIELD, f"there is no preset {name} any more")
        return found

    def _checked(self, name: str) -> str:
        if not name.strip():
            raise SettingsError(NAME, "give the preset a name")
        name = check_name(name.strip(), NAME)
        if any(one.name == name for one in self.kind.shipped):
            raise SettingsError(FIELD, f"{name} is a preset that comes with the extension; choose another name")
        return name

    def _own_path(self, name: str) -> Path:
        path = self._files().get(name)
        if path is None:
            raise SettingsError(FIELD, "choose one of your own presets first")
        return path

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.{self.kind.name}.toml"

    def _files(self) -> dict[str, Path]:
        """Return the files of this kind by the names of their presets."""
        endings = [f".{self.kind.name}.toml", *filter(None, [self.kind.original])]
        try:
            paths = sorted(self.folder.iterdir(), key=lambda path: path.name.lower())
        except OSError:
            return {}
        found: dict[str, Path] = {}
        for path in paths:
            ending = next((one for one in endings if path.name.endswith(one)), "")
            if ending and path.name != ending and not path.name.startswith(".") and len(found) < _MOST:
                found.setdefault(path.name.removesuffix(ending), path)
        return found

    def _own(self, name: str, path: Path) -> OwnPreset:
        now = stamp(path)
        kept, preset = self._read.get(path, (None, None))
        if preset is None or now is None or kept != now or preset.name != name:
            preset = OwnPreset(name, path, self._values(path))
            self._read[path] = (now, preset)
        return preset

    def _values(self, path: Path) -> dict[str, Any]:
        try:
            content = read_bytes(path, MAX_BYTES)
        except (OSError, ValueError) as error:
            raise SettingsError(FIELD, f"{path.name} cannot be read: {reason_of(error)}") from error
        try:
            loaded = self.kind.read(content, path.name).values
        except SettingsError as error:
            raise SettingsError(FIELD, f"{path.name} {error.reason}") from error
        return {address: value for address, value in loaded.items() if address in self.kind.options}

    def _all(self) -> Iterator[Shipped]:
        yield from self.kind.shipped
        for name, path in self._files().items():
            try:
                yield self._own(name, path)
            except WorkbenchError:  # told when it is chosen
                continue


def _has(form: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(address in form and form[address] == value for address, value in wanted.items())


def _shown(value: Any) -> str:
    """Return a value as a form shows it; an empty text for None."""
    if isinstance(value, (list, tuple)):
        return as_text(value)
    return "" if value is None else str(value)
