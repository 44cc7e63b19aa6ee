"""Reading a dataset: all pictures and captions found and checked before the first step."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..base.errors import DatasetError, SettingsError
from ..base.names import printable
from ..base.outside import is_file, is_folder, shown_path
from ..base.suggestions import no_folder
from ..ports import Ports
from .base_subset import base_subset
from .captions import FILE, Neighbours
from .dataset import Dataset, Sample
from .found import BY_SIZE, LeftOut, PassedOver, PictureScan, divided
from .pictures.finding import Found, find_pictures
from .progress import report
from .reading import Reader, ScanHooks, read_all
from .repeats import check_shown, not_counted
from .settings import DataSettings
from .source import described, named_subsets
from .subsets import Subset
from .summary import sentences

_MOST_BYTES = 2 << 30
_REPORT_EVERY = 20
_log = logging.getLogger(__name__)


def read_dataset(
    settings: DataSettings,
    name: str,
    seed: int = 0,
    known: Mapping[str, tuple[int, int]] | None = None,
    ports: Ports | None = None,
) -> Dataset:
    """Find the pictures of all folders, open each once, and read the captions.

    Args:
        name: the network's name, for `[name]` in the template.
        seed: for random crops, captions and flips.
        known: sizes of pictures, by digest, that need not be opened again.
        ports: show the progress, and find subjects.

    Raises:
        SettingsError: a folder does not exist or has no pictures; names the field.
        DatasetError: no picture can be used, or one cannot and the settings say to stop then; names the files. Or the
            user stopped the run.
    """

    def step(done: int, total: int) -> None:
        if ports is not None and done % _REPORT_EVERY == 0:
            report(ports.progress, done, total, "Reading pictures")

    hooks = ScanHooks(known or {}, ports.find_subject if ports else None, step=step)
    scan = scan_pictures(settings, name, seed, hooks)
    scan.check(settings.stop_at_broken)
    for one in scan.left_out:
        _log.warning("Left out: %s", one.sentence)
    dataset = replace(scan.dataset(seed, settings.latents), facts=tuple(sentences(scan)))
    for fact in dataset.facts:
        _log.info(fact)
    return dataset


def scan_pictures(settings: DataSettings, name: str, seed: int, hooks: ScanHooks) -> PictureScan:
    """Read what `read_dataset` reads, whether it can be trained on or not.

    Raises:
        SettingsError: a folder does not exist or has no pictures; names the field.
    """
    base = described(settings, base_subset(settings, name))
    subsets = [_weighted(subset, settings.regularisation_weight) for subset in named_subsets(settings, base)]
    of_subsets = _without_held_out([(subset, _pictures(subset)) for subset in subsets])
    check_shown((subset, len(one.pictures)) for subset, one in of_subsets)
    found = [(path, subset) for subset, one in of_subsets for path in one.pictures if subset.repeats]
    by_setting: Counter[tuple[str, Path]] = Counter()
    for subset, one in of_subsets:
        if one.pictures and not subset.repeats:
            by_setting[subset.passed_over_by, subset.folder] += len(one.pictures)
    missing = [one for subset in subsets if subset.is_listed for one in _missing(subset, found)]
    neighbours = Neighbours([ending for subset in subsets for ending in subset.source.extensions])
    samples: list[Sample] = []
    failed: list[tuple[Path, Subset, DatasetError]] = []
    for (path, owner), result in zip(found, read_all(found, Reader(seed, hooks, neighbours)), strict=True):
        if isinstance(result, DatasetError):
            failed.append((path, owner, result))
        elif result is None:
            by_setting[BY_SIZE, owner.folder] += 1
        else:
            samples.append(result)
    passed_over = (PassedOver(*place, count) for place, count in by_setting.items())
    remarks = (*(remark for _, one in of_subsets for remark in one.remarks), *_shared(of_subsets))
    if not settings.folder_repeats:
        remarks += tuple(said for subset, one in of_subsets for said in _not_counted(subset, one))
    unused = _unused(found, samples, neighbours)
    usable, left_out = divided(samples, failed)
    return PictureScan(usable, (*missing, *left_out), tuple(passed_over), unused, remarks)


def _weighted(subset: Subset, weight: float) -> Subset:
    return replace(subset, weight=subset.weight * weight) if subset.is_regularisation else subset


def _unused(
    found: Sequence[tuple[Path, Subset]], samples: Iterable[Sample], neighbours: Neighbours
) -> tuple[Path, ...]:
    """Return the caption files beside the pictures that give no picture its caption, used or left out."""
    first = {fits[0] for path, one in found if (fits := neighbours.captions(path, one.source.extensions))}
    other = {sample.found.origin.path for sample in samples if sample.found.origin.kind != FILE}
    folders = sorted({path.parent for path, _ in found})
    used = first - other  # once: a set of all pictures, for each of their captions, takes the square of their number
    return tuple(path for folder in folders for path in neighbours.files(folder) if path not in used)


def _missing(subset: Subset, found: Iterable[tuple[Path, Subset]]) -> Iterator[LeftOut]:
    """Yield every entry of the metadata that belongs to no picture."""
    metadata, folder = subset.source.metadata, shown_path(subset.folder)
    used = {id(metadata.of(path)) for path, owner in found if owner is subset}
    for path, entry in metadata.entries.items():
        if id(entry) not in used:
            sentence = f"{printable(path)}: it is in the metadata, and there is no such picture in {folder}"
            yield LeftOut(Path(path), sentence, subset)


def _pictures(subset: Subset) -> Found:
    if subset.files:
        return Found(tuple(path for path in subset.files if is_file(path)), ())
    folder = subset.folder
    if not is_folder(folder):
        raise SettingsError(f"data.{subset.setting}", no_folder(folder))
    try:
        found = find_pictures(folder, subset.is_deep, subset.source.extensions)
    except DatasetError as error:
        raise SettingsError(f"data.{subset.setting}", str(error)) from error
    if subset.is_listed:
        listed = (path for path in found.pictures if subset.source.metadata.of(path) is not None)
        return replace(found, pictures=tuple(listed))
    if not found.pictures and subset.repeats:
        raise SettingsError(f"data.{subset.setting}", f"{shown_path(folder)} holds no picture")
    return found


def _without_held_out(of_subsets: list[tuple[Subset, Found]]) -> list[tuple[Subset, Found]]:
    """Return the pictures of subsets without those, to be trained, that another one holds out."""
    held = {os.path.realpath(path) for subset, found in of_subsets if subset.is_held_out for path in found.pictures}
    if not held:
        return of_subsets
    return [
        (subset, found)
        if subset.is_held_out
        else (
            subset,
            replace(found, pictures=tuple(one for one in found.pictures if os.path.realpath(one) not in held)),
        )
        for subset, found in of_subsets
    ]


def _shared(of_subsets: Iterable[tuple[Subset, Found]]) -> Iterator[str]:
    """Yield a sentence for each folder whose pictures are in the dataset more than once."""
    seen: dict[str, Path] = {}
    for subset, found in of_subsets:
        own: dict[str, Path] = {}
        for folder in dict.fromkeys(path.parent for path in found.pictures if subset.repeats):
            real = os.path.realpath(folder)
            own[real] = folder
            if real in seen:
                yield f"{shown_path(folder)} is in the dataset twice, as {shown_path(seen[real])}; both are trained"
        seen = {**own, **seen}


def _not_counted(subset: Subset, found: Found) -> Iterator[str]:
    """Yield a sentence for names of folders that look like repeats; in what is listed by file, nobody expects them."""
    return iter(()) if subset.files or subset.is_listed else not_counted(subset.folder, found.pictures)
