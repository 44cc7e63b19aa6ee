"""Datasets as kohya's trainer describes them: its dataset_config TOML and the names of its options."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..base import numbers
from ..base.errors import NumberError, SettingsError
from ..base.options import convert
from ..base.outside import UnfitTextError, read_text, resolved, shown_path
from ..base.toml import parse_toml
from .buckets import BUCKETS, SQUARE, bucket_problem
from .captions import extensions, read_metadata
from .subsets import Subset

_log = logging.getLogger(__name__)
_FIELD = "data.dataset_config"
_MOST_TABLES = 1000
#: A full-width bar is allowed in a name on Windows, so it counts only before an option.
_BAR = re.compile(r"\||｜(?=\s*\w+\s*[=＝])")
_PAIR = re.compile(r'(?:"[^"]*"|[^,"])+')

Change = Callable[[Subset, Any], Subset]


def _subset(name: str) -> Change:
    return lambda subset, value: replace(subset, **{name: value})


def _framing(name: str) -> Change:
    return lambda subset, value: replace(subset, framing=replace(subset.framing, **{name: value}))


def _captions(name: str) -> Change:
    return lambda subset, value: replace(subset, captions=replace(subset.captions, **{name: value}))


def _source(name: str) -> Change:
    return lambda subset, value: replace(subset, source=replace(subset.source, **{name: value}))


def _size(value: tuple[int, ...]) -> tuple[int, int]:
    return (value[0], value[1]) if len(value) > 1 else (value[0], value[0])


def _resolution(subset: Subset, value: tuple[int, ...]) -> Subset:
    width, height = _size(value)
    return replace(subset, framing=replace(subset.framing, width_px=width, height_px=height))


def _wildcards(subset: Subset, on: bool) -> Subset:
    return _source("keeps_lines")(_captions("has_wildcards")(subset, on), on)


#: Options of a whole dataset: type, lowest value, and how they change a subset.
_OF_DATASET: dict[str, tuple[Any, float, Change]] = {
    "resolution": (tuple[int, ...], 8, _resolution),
    "batch_size": (int, 1, _subset("batch_size")),
    "enable_bucket": (bool, 0, lambda subset, on: _framing("mode")(subset, BUCKETS if on else SQUARE)),
    "min_bucket_reso": (int, 8, _framing("min_side_px")),
    "max_bucket_reso": (int, 8, _framing("max_side_px")),
    "bucket_reso_steps": (int, 8, _framing("step_px")),
    "bucket_no_upscale": (bool, 0, lambda subset, on: _framing("upscale")(subset, not on)),
    "skip_image_resolution": (
        tuple[int, ...],
        1,
        lambda subset, value: _subset("skipped_area_px")(subset, math.prod(_size(value))),
    ),
}
#: Options that one subset may have, or all subsets of a dataset or of the file.
_OF_SUBSETS: dict[str, tuple[Any, float, Change]] = {
    "num_repeats": (int, 0, _subset("repeats")),
    "flip_aug": (bool, 0, _subset("is_flipped")),
    "random_crop": (bool, 0, lambda subset, on: _subset("crop")(subset, "random" if on else "centre")),
    "shuffle_caption": (bool, 0, _captions("shuffle")),
    "keep_tokens": (int, 0, _captions("keep_tags")),
    "keep_tokens_separator": (str, 0, _captions("keep_separator")),
    "caption_separator": (str, 0, _captions("separator")),
    "secondary_separator": (str, 0, _captions("secondary_separator")),
    "enable_wildcard": (bool, 0, _wildcards),
    "alpha_mask": (bool, 0, lambda subset, on: _subset("masks")(subset, "alpha" if on else "off")),
    "caption_extension": (str, 0, lambda subset, text: _source("extensions")(subset, extensions(text))),
    "caption_prefix": (str, 0, _captions("prefix")),
    "caption_suffix": (str, 0, _captions("suffix")),
    "caption_dropout_rate": (float, 0, _captions("dropout")),
    "caption_dropout_every_n_epochs": (int, 0, _captions("dropout_every")),
    "caption_tag_dropout_rate": (float, 0, _captions("tag_dropout")),
}
#: Options of one subset alone.
_OF_ONE_SUBSET: dict[str, tuple[Any, float, Change]] = {
    "image_dir": (str, 0, lambda subset, text: _subset("folder")(subset, Path(text))),
    "is_reg": (bool, 0, _subset("is_regularisation")),
    "class_tokens": (str, 0, _source("class_tokens")),
    "metadata_file": (str, 0, lambda subset, text: _source("metadata")(subset, read_metadata(Path(text), _FIELD))),
    "weight": (float, 0.0001, _subset("weight")),  # ours: weight of its pictures in the loss
}
_SHARES = {"caption_dropout_rate", "caption_tag_dropout_rate"}
_MULTIPLES_OF_8 = {"resolution", "bucket_reso_steps"}
_SIZES = {"resolution", "skip_image_resolution"}
_PATHS = {"image_dir", "metadata_file"}
#: Options that are not supported here but allowed as long as they are switched off.
_SWITCHED_OFF = {"color_aug", "cache_info"}
_TABLES = {"datasets", "subsets"}


def read_config(path: Path, base: Subset) -> list[Subset]:
    """Return the subsets of a dataset_config file; where it says nothing, `base` counts.

    As in kohya's trainer, pictures lie directly in their folders, there are buckets only where the file says so,
    and prefix and suffix are among the tags that are shuffled. Relative paths are taken from the file's folder.

    Raises:
        SettingsError: the file cannot be read, or an option is unknown, misplaced or wrong; names it.
    """
    try:
        tables = parse_toml(read_text(path))
    except OSError as error:
        raise SettingsError(_FIELD, f"{shown_path(path)} cannot be read: {error.strerror}") from error
    except UnfitTextError as error:
        raise SettingsError(_FIELD, f"{path.name} is no TOML: {error}") from error
    _refuse_others(tables, {"general", "datasets"}, "the file")
    base = replace(base, is_deep=False, setting="dataset_config", framing=replace(base.framing, mode=SQUARE))
    base = _captions("has_affixes_among_tags")(base, True)
    base = _changed(base, tables.get("general", {}), {**_OF_DATASET, **_OF_SUBSETS}, path.parent, "[general]")
    found = [
        subset
        for number, table in enumerate(_list(tables, "datasets", "the file"))
        for subset in _of_dataset(table, replace(base, dataset=number + 1), path.parent)
    ]
    if not found:
        raise SettingsError(_FIELD, f"{path.name} has no [[datasets.subsets]]")
    return found


def named_paths(path: Path) -> Iterator[Path]:
    """Yield the files and folders that a dataset_config file names; mistakes in it are found when it is read."""
    try:
        tables = parse_toml(read_text(path))
    except (OSError, ValueError):
        return
    for name, value in _entries(tables):
        if name in _PATHS and isinstance(value, str):
            # Relative paths in it count from its own folder.
            yield path.parent / value


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    for name, one in value.items() if isinstance(value, Mapping) else ():
        yield name, one
        yield from _entries(one)
    for one in value if isinstance(value, list) else ():
        yield from _entries(one)


def _of_dataset(table: Mapping[str, Any], base: Subset, folder: Path) -> Iterator[Subset]:
    place = f"[[datasets]] {base.dataset}"
    own = {key: value for key, value in table.items() if key not in _TABLES}
    base = _changed(base, own, {**_OF_DATASET, **_OF_SUBSETS}, folder, place)
    seen = set()
    for number, subset in enumerate(_list(table, "subsets", place)):
        where = f"{place}, subset {number + 1}"
        if "image_dir" not in subset and "metadata_file" not in subset:
            raise SettingsError(_FIELD, f"{where}: image_dir is missing")
        found = _changed(base, subset, {**_OF_SUBSETS, **_OF_ONE_SUBSET}, folder, where)
        name = str(subset.get("metadata_file") or subset["image_dir"])
        if resolved(folder / name) in seen:
            _log.warning("%s: %s is in the dataset already and counts once.", where, name)
            continue
        seen.add(resolved(folder / name))
        problem = bucket_problem(found.framing) if found.framing.mode == BUCKETS else ""
        if problem:
            raise SettingsError(_FIELD, f"{where}: min_bucket_reso {problem}")
        if "image_dir" not in subset:
            found = replace(found, folder=folder, files=tuple(folder / path for path in found.source.metadata.entries))
        yield replace(found, is_listed="metadata_file" in subset)


def read_lines(text: str, base: Subset) -> Iterator[Subset]:
    """Yield the subsets written as lines such as `cats | num_repeats=10, caption_prefix="a, b"`.

    Raises:
        SettingsError: an option is unknown or wrong; names it.
    """
    known = {**_OF_SUBSETS, **{name: _OF_ONE_SUBSET[name] for name in ("is_reg", "class_tokens", "weight")}}
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    if len(lines) > _MOST_TABLES:
        raise SettingsError("data.more_folders", f"has more than {_MOST_TABLES} folders")
    for line in lines:
        folder, *more = _BAR.split(line, maxsplit=1)
        rest = numbers.plain_outside_quotes(more[0]) if more else ""
        try:
            numbers.check_pairs(rest)
        except NumberError as error:
            raise SettingsError("data.more_folders", f"{folder.strip()}: {error}") from None
        pairs = [part.partition("=") for part in _PAIR.findall(rest) if part.strip()]
        options = {key.strip(): value.strip().strip('"') for key, _, value in pairs}
        subset = replace(base, folder=Path(folder.strip()), setting="more_folders")
        try:
            yield _changed(subset, options, known, Path(), folder.strip())
        except SettingsError as error:
            raise SettingsError("data.more_folders", error.reason) from error


def _changed(subset: Subset, table: Any, known: Mapping[str, Any], folder: Path, place: str) -> Subset:
    """Return the subset with the options of a table applied to it."""
    if not isinstance(table, Mapping):
        raise SettingsError(_FIELD, f"{place} must be a table")
    table = {name: value for name, value in table.items() if name not in _SWITCHED_OFF or value is not False}
    _refuse_others(table, known, place)
    for name, value in table.items():
        kind, lowest, change = known[name]
        text = str(resolved(folder / value)) if name in _PATHS and isinstance(value, str) else value
        subset = change(subset, _value(name, text, kind, lowest, place))
    return subset


def _value(name: str, value: Any, kind: Any, lowest: float, place: str) -> Any:
    if name in _SIZES and isinstance(value, int):
        value = [value]
    try:
        # A prefix keeps the blanks around it; any other text loses them.
        found = convert(name, value, kind)
        if kind is str and isinstance(value, str):
            found = value
    except SettingsError as error:
        raise SettingsError(_FIELD, f"{place}: {error}") from error
    numbers = found if isinstance(found, tuple) else (found,)
    for number in numbers:
        reason = ""
        if isinstance(number, (int, float)) and number < lowest:
            reason = f"must be at least {lowest:g}"
        elif name in _SHARES and number > 1:
            reason = "must be at most 1"
        elif name in _MULTIPLES_OF_8 and number % 8:
            reason = "must be a multiple of 8"
        if reason:
            raise SettingsError(_FIELD, f"{place}: {name} {reason}, not {number:g}")
    if name in _PATHS and "\0" in found:
        raise SettingsError(_FIELD, f"{place}: {name} must not have the character NUL in it")
    if name == "caption_separator" and not found:
        raise SettingsError(_FIELD, f"{place}: caption_separator must not be empty")
    if name in _SIZES and len(numbers) not in (1, 2):
        raise SettingsError(_FIELD, f"{place}: {name} must be one number or two, not {value!r}")
    return found


def _refuse_others(table: Mapping[str, Any], known: Mapping[str, Any] | set[str], place: str) -> None:
    for name in table:
        if name not in known:
            elsewhere = name in _OF_DATASET or name in _OF_SUBSETS or name in _OF_ONE_SUBSET
            reason = "cannot stand here" if elsewhere else "means nothing to the training of hypernetworks here"
            raise SettingsError(_FIELD, f"{place}: {name} {reason}; known are {', '.join(sorted(known))}")


def _list(table: Mapping[str, Any], name: str, place: str) -> list[Mapping[str, Any]]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(isinstance(entry, Mapping) for entry in found):
        raise SettingsError(_FIELD, f"{place}: {name} must be written as [[...]]")
    if len(found) > _MOST_TABLES:
        raise SettingsError(_FIELD, f"{place}: {name} has more than {_MOST_TABLES} entries")
    return found
