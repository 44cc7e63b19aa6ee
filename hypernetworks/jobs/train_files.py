"""Training settings as files for the form: job files, and the original extension's JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.errors import SettingsError
from ..base.options import take
from ..base.suggestions import meant
from ..network.settings import SMALL_WEIGHTS, ShapeSettings
from ..texts import foreign
from ..train.settings.job import PLACES, SECTIONS, Job, is_job, no_section
from ..train.settings.job_file import table_text
from . import kohya_form
from .original_form import KEYS, translate
from .settings_text import is_json, parse, save_new

_SHAPE = ShapeSettings().to_mapping()
_OPTIONS = {
    f"{section}.{name}": (kind, option) for section, cls in SECTIONS.items() for name, kind, option in cls.options()
}
#: Tables that only the command line, or only the tab for new networks, uses.
_FOREIGN = {"evaluation": None, "create": "belongs to a new network; load the file in Create Beta Hypernetwork"}
_RELATIVE = "is relative to the place of the file, which a page is not told; enter the whole path"


@dataclass
class LoadedJob:
    """The content of a settings file.

    Attributes:
        values: plain values by `section.key`; a field that is missing stays as it is.
        left_out: settings without a counterpart here, as `key = value`.
        errors: what could not be used, each naming its field.
    """

    values: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    errors: list[SettingsError] = field(default_factory=list)


def read(content: bytes, file_name: str) -> LoadedJob:
    """Read a settings file: a job file, the original extension's, or one of kohya's trainer.

    A field that is missing from the file stays as it is.

    Raises:
        SettingsError: the file is no settings file at all; names it.
    """
    tables = parse(content, file_name)
    other = None if is_job(tables) else foreign.instead_of_job(tables)
    if other and not other.form:
        raise SettingsError(file_name, other.sentence)
    if other and other.form == foreign.KOHYA:
        loaded = LoadedJob(*kohya_form.translate(tables))
    else:
        is_original = other or (is_json(file_name) and not is_job(tables))
        loaded = (_of_original if is_original else _of_job)(tables, file_name)
    _keep_valid(loaded)
    return loaded


def save(job: Job, folder: Path, is_named: bool) -> Path:
    """Write the job to a new file in `folder` and return its path.

    Args:
        is_named: whether somebody entered the name; otherwise it is left out.

    Raises:
        HypernetworkFileError: the folder or the disk refuses it.
    """
    return save_new(_text(job, is_named), folder, job.output.name)


def _text(job: Job, is_named: bool) -> str:
    tables = job.to_mapping()
    for address, (_, option) in _OPTIONS.items():
        section, _, name = address.partition(".")
        if option.is_path and tables[section][name]:
            tables[section][name] = str(Path(tables[section][name]).absolute())
    if not is_named:
        del tables["output"]["name"]
    return "\n".join(table_text(name, table) for name, table in tables.items())


def _of_job(tables: dict[str, Any], file_name: str) -> LoadedJob:
    if not any(isinstance(tables.get(name), dict) for name in SECTIONS):
        raise SettingsError(file_name, "has none of the tables of a job, so there is nothing to load")
    loaded = LoadedJob()
    for section, table in tables.items():
        if section in SECTIONS and isinstance(table, dict):
            _take(loaded, section, table)
        elif section not in _FOREIGN:
            reason = "must be a table of settings" if section in SECTIONS else no_section(section)
            loaded.errors.append(SettingsError(section, f"{reason}; it was left out"))
        elif advice := _FOREIGN[section]:
            loaded.errors.append(SettingsError(section, advice))
    return loaded


def _take(loaded: LoadedJob, section: str, table: dict[str, Any]) -> None:
    for name, value in table.items():
        address = f"{section}.{name}"
        if address not in _OPTIONS:
            known = [one for one, _, _ in SECTIONS[section].options()]
            like = meant(name, known, PLACES)
            reason = f"there is no such setting; it was left out{f'; do you mean {like}?' if like else ''}"
            loaded.errors.append(SettingsError(address, reason))
        elif section != "network" or name == "file":
            loaded.values[address] = value
    chosen = [name for name in table if section == "network" and _is_a_choice(name, table[name])]
    if chosen and not table.get("file"):
        reason = "the shape of a new network; load the file in Create Beta Hypernetwork to make it"
        loaded.errors.append(SettingsError(f"network.{chosen[0]}", reason))


def _is_a_choice(name: str, value: Any) -> bool:
    """Tell whether a setting of a shape has a value that neither today's form nor an earlier version's begins with."""
    return name in _SHAPE and value not in (_SHAPE[name], SMALL_WEIGHTS.get(name, _SHAPE[name]))


def _of_original(entries: dict[str, Any], file_name: str) -> LoadedJob:
    if not KEYS & entries.keys():
        raise SettingsError(file_name, "has none of the settings of a training, so there is nothing to load")
    return LoadedJob(*translate(entries))


def _keep_valid(loaded: LoadedJob) -> None:
    """Convert the values to the types of their fields, and move those that cannot be to the errors."""
    for address, value in list(loaded.values.items()):
        try:
            loaded.values[address] = _plain(address, value)
        except SettingsError as error:
            del loaded.values[address]
            loaded.errors.append(error.reworded("{}; left as it was".format))


def _plain(address: str, value: Any) -> Any:
    """Return the value converted to the type of its field; raises SettingsError if that fails."""
    kind, option = _OPTIONS[address]
    converted = take(address, value, kind, option)
    if option.is_path and converted and address != "network.file" and not Path(converted).is_absolute():
        raise SettingsError(address, f"{converted} {_RELATIVE}")
    return converted
