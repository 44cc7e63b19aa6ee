"""What a study tries, as people write it: lines such as `schedule.rate = 1e-4..1e-2 log`."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from ...base import numbers
from ...base.errors import ErrorCollector, NumberError, SettingsError
from ...base.options import LENGTH, Option, Settings, in_lines, take
from ...base.outside import UnfitTextError, shown
from ...base.suggestions import meant
from ...texts.toml import parse_toml
from ...train.settings.job import PLACES, SECTIONS
from .parameters import MOST_VALUES, Choices, Parameter, Range

_RANGE = re.compile(
    r"(?P<low>[^\s\[\]]+?)\s*(?:\.\.\.?|…|[~〜])\s*(?P<high>[^\s.~〜]\S*)(?P<words>(?:\s+\S+)*)", re.DOTALL
)
#: The unit of a length, behind either number or behind the range.
_EPOCHS = re.compile(r"(?<=[\d.])\s*(?:epochs?\b|エポック|轮)", re.IGNORECASE)
#: The section of a job file with the settings of the study itself.
STUDY = "tune"
_LOG, _LINEAR, _WHOLE, _STEP = "log", "linear", "int", "step"
_FORM = "must be a range such as 1e-4..1e-2 log, or a list such as [1, 2]"
#: Each trial has its own name and place, and what is held out must be the same in all of them.
OWN = {
    "output.name": "each trial has a name of its own",
    "output.dir": "all trials are kept in the folder of the study",
    "output.log_dir": "all trials are kept in the folder of the study",
    "output.log_run": "each trial has a name of its own",
    "output.file_form": "all trials are kept as .pt",
    "output.sheet": "the study has one of all trials",
    "output.huggingface_repo": "trials are sent nowhere",
    "output.overwrite": "trials replace nothing",
    "output.resume_changed": "a trial goes on as it was begun",
    "train.validation_share": "the trials could not be compared",
    "embedding.trains": "all trials train the same",
    "embedding.names": "captions hold the same words in all trials",
    "model.vae": "all trials have the model of the study",
    "model.text_model": "all trials have the model of the study",
    "model.clip_skip": "all trials have the model of the study",
    "model.emphasis": "all trials have the model of the study",
}


def parse(text: str) -> list[Parameter]:
    """Return the lists and ranges of a text, one a line; blank lines and those that begin with # are passed over.

    Raises:
        SettingsError: names each wrong setting as `section.key`, and a line of another form as `tune.ranges`.
    """
    found: dict[str, Parameter] = {}
    checks = ErrorCollector()
    for line in entries(text):
        with checks:
            address, equals, value = line.partition("=")
            address = address.strip()
            if not (equals and "." in address and value.strip()):
                raise SettingsError(
                    "tune.ranges",
                    f"{shown(line)} must have the form section.key = 1e-4..1e-2 log, or section.key = [1, 2]",
                )
            if address in found:
                raise SettingsError(address, "is there twice in the settings to try")
            found[address] = _parameter(address, value.strip())
    checks.raise_all()
    return list(found.values())


def entries(text: str) -> Iterator[str]:
    """Yield the entries, a list that goes over several lines as one, with ASCII before the sign of equality."""
    for line in _joined(text):
        address, equals, value = line.replace("＝", "=", "=" not in line).partition("=")
        yield f"{numbers.plain(address)}{equals}{value}"


def _joined(text: str) -> Iterator[str]:
    open_line = ""
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        open_line = f"{open_line} {bare}".strip()
        if open_line.count("[") <= open_line.count("]"):
            yield open_line
            open_line = ""
    if open_line:
        yield open_line


def _parameter(address: str, text: str) -> Parameter:
    kind, option, section = _declared(address)
    values = listed(text)
    found = _range(address, text, kind, option) if values is None else _choices(address, values, kind, option)
    key = address.partition(".")[2]
    for value in map(found.rounded, (found.low, found.high)) if isinstance(found, Range) else found.values:
        try:
            section.from_mapping({key: found.settings(value)[address]})
        except SettingsError as error:
            # What else the value needs may be said by the job, or tried with it.
            mine = [one for one in error.errors if one.field == key]
            if mine and key in _ALONE.get(section, (key,)):
                raise SettingsError.joined(mine).within(address.partition(".")[0]) from error
    return found


#: Settings of sections whose rules go across fields, so that only these can be judged without the others.
_ALONE: dict[type[Settings], tuple[str, ...]] = {
    SECTIONS["network"]: ("widths", "file"),
    SECTIONS["optimizer"]: ("name", "clip_limit"),
    SECTIONS["embedding"]: ("rate",),
}


def _declared(address: str) -> tuple[Any, Option, type[Settings]]:
    section, _, key = address.partition(".")
    if section == STUDY:
        raise SettingsError(
            f"{STUDY}.ranges", f"{shown(address)} is a setting of the study itself, and cannot be tried"
        )
    if address in OWN:
        raise SettingsError(address, f"cannot be tried: {OWN[address]}")
    kind = SECTIONS.get(section)
    found = next((one for one in kind.options() if one[0] == key), None) if kind else None
    if kind is None or found is None:
        like = meant(key, [name for name, _, _ in kind.options()] if kind else (), PLACES)
        like = f"{section}.{like}" if like and "." not in like else like
        raise SettingsError(address, "there is no such setting" + (f"; do you mean {like}?" if like else ""))
    return found[1], found[2], kind


def listed(text: str) -> list[Any] | None:
    """Return the values of a list in brackets, whose texts may lack quotes; None for anything else."""
    plain = numbers.plain_outside_quotes(text)
    if not (plain.startswith("[") and plain.endswith("]")):
        return None
    try:
        found = parse_toml(f"value = {plain}")["value"]
    except UnfitTextError:
        return [part.strip().strip("\"'") for part in plain[1:-1].split(",") if part.strip()]
    return found if isinstance(found, list) else None


def _choices(address: str, values: Iterable[Any], kind: Any, option: Option) -> Choices:
    taken = []
    for value in values:
        if typing.get_origin(kind) is tuple and not isinstance(value, (str, list)):
            raise SettingsError(address, "each value is a list of its own, such as [[1, 2, 1], [1, 1, 1]]")
        read = take(address, in_lines(value) if option.lines > 1 else value, kind, option)
        plain = list(read) if isinstance(read, tuple) else read
        if plain in taken:
            raise SettingsError(address, f"{shown(str(plain))} is there twice in the list")
        taken.append(plain)
    if not taken:
        raise SettingsError(address, "the list of values is empty")
    if len(taken) > MOST_VALUES:
        raise SettingsError(address, f"has more than {MOST_VALUES} values")
    return Choices.of(address, taken)


def _range(address: str, text: str, kind: Any, option: Option) -> Range:
    plain = numbers.plain(text)
    bare = _EPOCHS.sub("", plain)
    unit = "" if bare == plain else " epochs"
    found = _RANGE.fullmatch(bare)
    if found is None:
        raise SettingsError(address, f"{_FORM}, not {shown(text)}")
    if option.choices or option.is_path or option.starts_with_paths or kind not in (int, float, str, LENGTH):
        raise SettingsError(address, "has no range; list its values in brackets")
    words = _words(address, found["words"].lower().split())
    if unit and kind not in (str, LENGTH):
        raise SettingsError(address, "is no length; leave out the epochs")
    is_whole = kind in (int, LENGTH) or _WHOLE in words
    low, high = (_number(address, found[end], is_whole) for end in ("low", "high"))
    if low >= high:
        raise SettingsError(address, f"the range must begin with the smaller number, not {low:g}..{high:g}")
    if _LOG in words and low <= 0:
        raise SettingsError(address, "a log range must begin above 0")
    if _LOG in words and _STEP in words:
        raise SettingsError(address, "a log range has no step")
    if is_whole and not float(words.get(_STEP, 1.0)).is_integer():
        raise SettingsError(address, "is a whole number, and so must the step be")
    made = Range(address, low, high, _LOG in words, is_whole, words.get(_STEP, 0.0), kind is str, unit)
    for end in (low, high):
        take(address, made.settings(end)[address], kind, option)
    return made


def _words(address: str, words: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    rest = iter(words)
    for word in rest:
        if word == _STEP:
            found[word] = _number(address, next(rest, ""), False, "the step of a range ")
            if found[word] <= 0:
                raise SettingsError(address, "the step of a range must be above 0")
        elif word in (_LOG, _LINEAR, _WHOLE):
            found[word] = 1.0
        else:
            raise SettingsError(
                address, f"{shown(word)} is no word of a range; there are log, linear, int and step with a number"
            )
    return found


def _number(address: str, text: str, is_whole: bool, what: str = "") -> Any:
    try:
        return numbers.read_whole(text) if is_whole else numbers.read(text)
    except NumberError as error:
        raise SettingsError(address, f"{what}{error}") from None
