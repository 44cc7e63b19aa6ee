"""The file that the host's setting of a text model means: a path, or a name, as the infotext of a picture has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modules import paths, sd_models, shared

from ...hypernetworks.base.disk import walk
from ...hypernetworks.base.errors import HypernetworkFileError, PathTextError, SettingsError
from ...hypernetworks.base.outside import resolved, shown
from ...hypernetworks.base.paths import read_path
from ...hypernetworks.files import state_dicts
from ..patching import patch_set, switches
from .weights import label

OPTION, FIELD = switches.TEXT_MODEL, switches.TEXT_MODEL_FIELD
#: In an infotext that is read back: the model's own.
NONE = "None"
#: Below the host's folder of models.
_FOLDERS = ("text_encoder", "CLIP")
_LABEL = re.compile(r"(.+) \[([0-9a-f]{10})\]")
_HASHED: dict[tuple[Any, ...], str] = {}
#: What was used or chosen, by the text of the setting that named it.
_used: dict[str, Path] = {}


def wanted(p: Any = None) -> Path | None:
    """Return what the setting names for a job of the host, or for a run; None for the model's own.

    What a request for a picture names is looked for by its name alone, so that it opens no other file of this machine.

    Raises:
        SettingsError: it is not there; names the setting.
    """
    text = _text(getattr(shared.opts, OPTION, ""))
    if not text or text == NONE or not patch_set("text_model").is_installed:
        return None
    found = _used.get(text) or named(text)
    if found is None:
        if OPTION in (getattr(p, "override_settings", None) or {}):
            raise SettingsError(
                FIELD,
                f"{shown(text)} is not in models/text_encoder, models/CLIP or the list of checkpoints, and was not "
                "chosen in Settings",
            )
        found = _path(text)
        _used[text] = found
    return found


def remember() -> None:
    """Note what the setting names now, so that pictures that name it too find it again."""
    text = _text(getattr(shared.opts, OPTION, ""))
    if text and text != NONE:
        try:
            _used[text] = named(text) or _path(text)
        except SettingsError:
            return  # told where it is used


def named(text: str) -> Path | None:
    """Return the file or folder of this name, as listed or as an infotext has it; None where there is none."""
    found = _LABEL.fullmatch(text)
    name = found[1] if found else text
    for path, names in _listed():
        if name in names and (not found or text == labelled(path)):
            return path
    return None


def read_back(params: dict[str, Any]) -> None:
    """Let the host set what a picture was made with for the next one, where that is another one than now."""
    if OPTION not in shared.opts.data_labels:
        return
    text = _text(getattr(shared.opts, OPTION, ""))
    present = (_used.get(text) or named(text)) if text and text != NONE else None
    if FIELD not in params:
        if present and "Steps" in params:  # it is no mere prompt
            params[FIELD] = NONE
    elif present and named(str(params[FIELD])) == present:
        params[FIELD] = text


def remarks(params: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence where a picture was made with a text model that is not used here."""
    value = params.get(FIELD)
    if not value or value in (NONE, getattr(shared.opts, OPTION, "")):
        return
    if not patch_set("text_model").is_installed:
        why = patch_set("text_model").problem or "it is switched off in Settings"
        yield f"CLIP text model {value} is not used: {why}."
    elif named(str(value)) is None:
        yield (
            f"CLIP text model {value}, which this picture was made with, is not in models/text_encoder, models/CLIP or "
            "the list of checkpoints."
        )


def is_known(text: str) -> bool:
    """Tell whether a request for a picture can name a text model so; the model's own it always can."""
    return text.strip() in ("", NONE) or text in _used or named(text) is not None


def labelled(path: Path) -> str:
    """Return what an infotext calls a file: its name and the start of its hash; empty where it cannot be read."""
    state = state_of(path)
    if state not in _HASHED:
        try:
            _HASHED[state] = label(path)
        except HypernetworkFileError:
            return ""
    return _HASHED[state]


def state_of(path: Path) -> tuple[Any, ...]:
    """Return what changes when a file does."""
    try:
        file = state_dicts.weights_file(path)
        stat = file.stat()
    except (OSError, HypernetworkFileError):
        return (path,)
    return (path, stat.st_mtime_ns, stat.st_size)


def _listed() -> Iterator[tuple[Path, set[str]]]:
    """Yield what has a name, with its names: what was used, what is in the folders, and the checkpoints."""
    for path in dict.fromkeys(_used.values()):
        yield path, {path.name, f"{path.name}/{file.name}"} if (file := _inside(path)) else {path.name}
    for folder in (Path(paths.models_path, name) for name in _FOLDERS):
        for path in walk(folder).files if folder.is_dir() else ():
            if path.suffix.lower() in state_dicts.SUFFIXES:
                below = path.relative_to(folder).as_posix()
                yield path, {below, path.name}
                if _inside(path.parent) == path and path.parent != folder:
                    yield path.parent, {path.parent.relative_to(folder).as_posix(), f"{path.parent.name}/{path.name}"}
    for info in sd_models.checkpoints_list.values():
        path = Path(info.filename)
        yield path, {path.name, *(str(getattr(info, name, "")) for name in ("name", "title", "model_name"))}


def _inside(path: Path) -> Path | None:
    """Return the file of weights in a folder of a model; None for anything else."""
    try:
        file = state_dicts.weights_file(path)
    except HypernetworkFileError:
        return None
    return file if file != path else None


def _path(text: str) -> Path:
    try:
        return resolved(Path(read_path(text)))
    except PathTextError as error:
        raise SettingsError(FIELD, str(error)) from error


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
