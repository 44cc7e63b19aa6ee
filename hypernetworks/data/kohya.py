"""Datasets as kohya's trainer describes them: its dataset_config TOML and the names of its options."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..base import numbers
from ..base.errors import NumberError, PathTextError, SettingsError
from ..base.numbers import in_full
from ..base.options import convert
from ..base.outside import UnfitTextError, read_text, reason_of, resolved, shown_path
from ..base.paths import read_path, split_line
from ..base.suggestions import meant, or_known
from ..texts import foreign
from ..texts.tables import parse_tables
from .buckets import BUCKETS, SQUARE, bucket_problem
from .captions import FIRST_LINE, ONE_LINE, extensions, read_metadata
from .kohya_unused import OTHER_NAMES, without_unused
from .pictures.face_range import face_range
from .subsets import Subset

_log = logging.getLogger(__name__)
_FIELD = "data.dataset_config"
_MOST_TABLES = 1000
_FACES = tuple[float, float]
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
    """Draw lines and choices; without it kohya's trainer takes the first line."""
    return _captions("lines")(_captions("has_wildcards")(subset, on), ONE_LINE if on else FIRST_LINE)


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
    "color_aug": (bool, 0, _subset("varies_colours")),
    "face_crop_aug_range": (_FACES, 1, _subset("face_range")),
    "token_warmup_min": (int, 0, _captions("warmup_tags")),
    "token_warmup_step": (float, 0, _captions("warmup")),
    "random_crop": (bool, 0, lambda subset, on: _subset("crop")(subset, "random" if on else "centre")),
    "shuffle_caption": (bool, 0, _captions("shuffle")),
    "keep_tokens": (int, 0, _captions("keep_tags")),
    "keep_tokens_separator": (str, 0, _captions("keep_separator")),
    "caption_separator": (str, 0, _captions("separator")),
    "secondary_separator": (str, 0, _captions("secondary_separator")),
    "enable_wildcard": (bool, 0, _wildcards),
    "class_tokens": (str, 0, _source("class_tokens")),
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
    "metadata_file": (str, 0, lambda subset, text: _source("metadata")(subset, read_metadata(Path(text), _FIELD))),
    "weight": (float, 0.0001, _subset("weight")),  # ours
}
_SHARES = {"caption_dropout_rate", "caption_tag_dropout_rate"}
_MULTIPLES_OF_8, _SIZES = {"resolution", "bucket_reso_steps"}, {"resolution", "skip_image_resolution"}
_PATHS = {"image_dir", "metadata_file"}
_TABLES = {"datasets", "subsets"}


def read_config(path: Path, base: Subset) -> list[Subset]:
    """Return the subsets of a dataset_config file; where it says nothing, `base` counts.

    As in kohya's trainer, pictures lie directly in their folders, there are buckets only where the file says so,
    the first line of a caption file counts, and prefix and suffix are among the tags that are shuffled. Relative paths
    are taken from the file's folder.

    Raises:
        SettingsError: the file cannot be read, or an option is unknown, misplaced or wrong; names it.
    """
    tables = _tables(path)
    if other := foreign.instead_of_dataset(tables):
        raise SettingsError(_FIELD, f"{path.name} {other.sentence}")
    _refuse_others(tables, {"general", "datasets"}, "the file")
    base = replace(base, is_deep=False, setting="dataset_config", framing=replace(base.framing, mode=SQUARE))
    base = _captions("has_affixes_among_tags")(_captions("lines")(base, FIRST_LINE), True)
    base = _changed(base, tables.get("general", {}), {**_OF_DATASET, **_OF_SUBSETS}, path.parent, "[general]")
    found = [
        subset
        for number, table in enumerate(_list(tables, "datasets", "the file"))
        for subset in _of_dataset(table, replace(base, dataset=number + 1), path.parent)
    ]
    if not found:
        raise SettingsError(_FIELD, f"{path.name} has no [[datasets.subsets]]")
    return found


def _tables(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path)
    except (OSError, UnfitTextError) as error:
        raise SettingsError(_FIELD, f"{shown_path(path)} cannot be read: {reason_of(error)}") from error
    try:
        return parse_tables(text, path.name)
    except UnfitTextError as error:
        raise SettingsError(_FIELD, f"{path.name} {error}") from error


def named_paths(path: Path) -> Iterator[Path]:
    """Yield the files and folders that a dataset_config file names; mistakes in it are found when it is read."""
    try:
        tables = _tables(path)
    except SettingsError:
        return
    for table in _all_tables(tables):
        for name in _PATHS & table.keys():
            with suppress(SettingsError):
                place = _placed(path.parent, str(table[name]), name)
                yield place
                if name == "metadata_file" and not table.get("image_dir"):
                    yield from (path.parent / picture for picture in read_metadata(place, _FIELD).entries)


def _placed(folder: Path, text: str, place: str) -> Path:
    """Return the place that a path in a file means; a relative one counts from the file's own folder."""
    try:
        return resolved(folder / read_path(text))
    except PathTextError as error:
        raise SettingsError(_FIELD, f"{place} {error}") from None


def _all_tables(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _all_tables(one)


def _of_dataset(table: Mapping[str, Any], base: Subset, folder: Path) -> Iterator[Subset]:
    place = f"[[datasets]] {base.dataset}"
    own = {key: value for key, value in table.items() if key not in _TABLES}
    base = _changed(base, own, {**_OF_DATASET, **_OF_SUBSETS}, folder, place)
    seen = set()
    for number, entry in enumerate(_list(table, "subsets", place)):
        where = f"{place}, subset {number + 1}"
        subset = {name: value for name, value in entry.items() if value is not None}
        if not any(str(subset.get(name, "")).strip() for name in _PATHS):
            raise SettingsError(_FIELD, f"{where}: image_dir is missing")
        found = _changed(base, subset, {**_OF_SUBSETS, **_OF_ONE_SUBSET}, folder, where)
        name = str(subset.get("metadata_file") or subset["image_dir"])
        file = _placed(folder, name, where)
        if file in seen:
            _log.warning("%s: %s is in the dataset already and counts once.", where, name)
            continue
        seen.add(file)
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
    known = {**_OF_SUBSETS, **{name: _OF_ONE_SUBSET[name] for name in ("is_reg", "weight")}}
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    if len(lines) > _MOST_TABLES:
        raise SettingsError("data.more_folders", f"has more than {_MOST_TABLES} folders")
    for line in lines:
        folder, bar_and_options = split_line(line)
        rest = numbers.plain_outside_quotes(bar_and_options[1:])
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
    table = without_unused(table, _FIELD, place)
    _refuse_others(table, known, place)
    for name, value in table.items():
        kind, lowest, change = known[name]
        is_path = name in _PATHS and isinstance(value, str)
        text = str(_placed(folder, value, f"{place}: {name}")) if is_path else value
        subset = change(subset, _value(name, text, kind, lowest, place))
    return subset


def _value(name: str, value: Any, kind: Any, lowest: float, place: str) -> Any:
    if name in _SIZES and isinstance(value, int):
        value = [value]
    try:
        # A prefix keeps the blanks around it; any other text loses them.
        found = face_range(name, value) if kind is _FACES else convert(name, value, kind)
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
            raise SettingsError(_FIELD, f"{place}: {name} {reason}, not {in_full(number)}")
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
            like = "" if elsewhere else meant(name, known, OTHER_NAMES)
            raise SettingsError(_FIELD, f"{place}: {name} {reason}; {or_known(like, sorted(known))}")


def _list(table: Mapping[str, Any], name: str, place: str) -> list[Mapping[str, Any]]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(isinstance(entry, Mapping) for entry in found):
        raise SettingsError(_FIELD, f"{place}: {name} must be written as [[...]]")
    if len(found) > _MOST_TABLES:
        raise SettingsError(_FIELD, f"{place}: {name} has more than {_MOST_TABLES} entries")
    return found
