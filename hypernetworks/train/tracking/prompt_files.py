"""Prompt files of previews: lines of kohya's and of the WebUI's form, or kohya's TOML and JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...base.errors import SettingsError
from ...base.outside import UnfitTextError, parse_json, read_text, reason_of, shown, shown_path, unique_keys
from ...ports import PictureRequest
from ...texts.toml import parse_toml
from . import prompt_lines, prompt_settings
from .prompt_settings import PromptError

FIELD = "preview.prompt_file"
_MOST_PROMPTS = 200
_MOST_BYTES = 1_000_000
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_TAG = re.compile(r"<\w+:[^>]+>")
#: A place, the names and values there, and what stands before a name.
_Entry = tuple[str, list[tuple[str, Any]], str]


@dataclass(frozen=True)
class Prompts:
    """What a prompt file asks for.

    Attributes:
        requests: its pictures.
        remarks: a sentence for each thing in it that changes nothing.
    """

    requests: tuple[PictureRequest, ...]
    remarks: tuple[str, ...]


def read(path: Path, base: PictureRequest, find_sampler: Callable[[str], str] = str) -> Prompts:
    """Read a prompt file; what a prompt leaves out is that of `base`.

    A text has one prompt per line, with kohya's `--n` negative, `--w`, `--h` size, `--d` seed, `--l` CFG scale, `--s`
    steps and `--ss` sampler, or in the form of the WebUI's script *Prompts from file*. A `.json` has a list of such
    lines or of objects, a `.toml` a table `[prompt]` with a `[[prompt.subset]]` for each prompt, as in kohya's scripts.

    Args:
        find_sampler: returns the host's name of a sampler, or raises SettingsError.

    Raises:
        SettingsError: the file is unreadable or empty, or a value is wrong; names `preview.prompt_file` and the line.
    """
    try:
        entries = list(_entries(path))
    except (OSError, UnfitTextError) as error:
        raise SettingsError(FIELD, f"{shown_path(path)} cannot be read ({reason_of(error)})") from error
    if not entries:
        raise SettingsError(FIELD, f"{path} holds no prompt")
    if len(entries) > _MOST_PROMPTS:
        raise SettingsError(FIELD, f"{path} holds more than {_MOST_PROMPTS} prompts")
    requests, remarks = [], []
    for place, values, mark in entries:
        try:
            changes, idle = prompt_settings.take(values, mark)
            if "sampler" in changes:
                changes["sampler"] = find_sampler(changes["sampler"])
        except PromptError as error:
            raise SettingsError(FIELD, f"{place}: {error}") from error
        except SettingsError as error:
            raise SettingsError(FIELD, f"{place}: the sampler {error.reason}") from error
        requests.append(replace(base, **changes))
        remarks += [f"{path.name}, {place}: {remark}." for remark in idle]
    return Prompts(tuple(requests), tuple(remarks))


def flags_as_words(prompt: str) -> Iterator[str]:
    """Yield a sentence for each flag of prompt files in a prompt that was typed alone."""
    for flag in prompt_lines.flags(prompt):
        yield f"{flag} in the preview prompt is read as words; the lines of a prompt file have such flags."


def tags(requests: Iterable[PictureRequest]) -> Iterator[str]:
    """Yield each tag of an extra network in the prompts once, as messages show it."""
    for tag in dict.fromkeys(tag for request in requests for tag in _TAG.findall(request.prompt)):
        yield shown(tag)[1:-1]


def tags_without_effect(requests: tuple[PictureRequest, ...]) -> Iterator[str]:
    """Yield a sentence for each tag of an extra network in the prompts, none of which are loaded for a preview."""
    for tag in tags(requests):
        yield f"{tag} changes nothing in a preview, which shows the network of the run alone."


def _entries(path: Path) -> Iterator[_Entry]:
    text = read_text(path, _MOST_BYTES)
    if path.suffix.lower() == ".json":
        yield from _of_list(parse_json(text, object_pairs_hook=unique_keys))
    elif path.suffix.lower() == ".toml":
        yield from _of_list(_subsets(parse_toml(text)))
    else:
        for number, line in enumerate(_LINE_ENDS.split(text), 1):
            if line.strip() and not line.lstrip().startswith(("#", "＃")):
                yield _line(f"line {number}", line)


def _line(place: str, line: str) -> _Entry:
    try:
        return place, prompt_lines.split(line.strip()), "--"
    except PromptError as error:
        raise SettingsError(FIELD, f"{place}: {error}") from error


def _of_list(several: Any) -> Iterator[_Entry]:
    if not isinstance(several, list):
        raise UnfitTextError("it must be a list of prompts")
    for number, one in enumerate(several, 1):
        if isinstance(one, str):
            yield _line(f"prompt {number}", one)
        elif isinstance(one, Mapping):
            yield f"prompt {number}", list(one.items()), ""
        else:
            raise UnfitTextError(f"prompt {number} is neither a text nor a table")


def _subsets(tables: Mapping[str, Any]) -> list[Any]:
    """Return the prompts of a TOML, each with what is set for all of them."""
    for key in tables:
        if key != "prompt":
            raise UnfitTextError(f"it has {shown(key)}, which does not belong there")
    common = tables.get("prompt", {})
    if not isinstance(common, Mapping):
        raise UnfitTextError("prompt must be a table")
    subsets = common.get("subset", [{}] if common else [])
    if not isinstance(subsets, list) or not all(isinstance(subset, Mapping) for subset in subsets):
        raise UnfitTextError("prompt.subset must be tables, each written as [[prompt.subset]]")
    shared = {key: value for key, value in common.items() if key != "subset"}
    return [{**shared, **subset} for subset in subsets]
