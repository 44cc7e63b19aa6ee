"""Reading a dataset: all pictures and captions found and checked before the first step."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from ..data_settings import DataSettings
from ..errors import DatasetError, SettingsError
from ..ports import Ports, SubjectFinder
from ..randomness import derived_seed
from .buckets import Frame, frame, frame_size, moved
from .captions import metadata_weight, read_caption
from .dataset import Dataset, Sample
from .images import EXTENSIONS, on_background, open_raw
from .kohya import read_config, read_lines
from .masks import SUFFIX, mask_beside, read_mask
from .subject import subject_centre
from .subsets import Subset, base_subset, own_subsets
from .waiting import report

_SHOWN_PROBLEMS = 8
_TOLD_EVERY = 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Reader:
    """Opens pictures one by one.

    Attributes:
        known: sizes of pictures, by digest, that were opened well before.
        find_subject: asked first where a crop should follow the subject.
    """

    seed: int
    known: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    find_subject: SubjectFinder | None = None

    def read(self, path: Path, subset: Subset) -> Sample | None:
        """The sample of a picture, None where it is to be passed over; raises DatasetError."""
        digest = _digest(path)
        picture = None
        size = self.known.get(digest)
        if size is None or subset.crop == "subject":
            picture = open_raw(path)
            size = picture.size
        if size[0] * size[1] <= subset.skipped_area_px:
            return None
        try:
            framed = frame_size(subset.framing, size)
        except DatasetError as error:
            raise DatasetError(f"{path.name}: {error}") from error
        centre = (0.5, 0.5)
        if picture is not None and subset.crop == "subject":
            centre = self._subject(on_background(picture, subset.background), framed)
        frames: tuple[Frame, ...] = (frame(subset.framing, size, centre),)
        if subset.crop == "random":
            draws = [random.Random(derived_seed(self.seed, "crop", path.name, turn)) for turn in range(subset.repeats)]
            frames = tuple(dict.fromkeys(moved(frames[0], size, draw.random(), draw.random()) for draw in draws))
        mask = mask_beside(path) if subset.masks == "file" else None
        if mask is not None:
            read_mask(mask)
        weight = subset.weight * metadata_weight(path, subset.source)
        full = digest if mask is None else digest + _digest(mask)
        return Sample(path, read_caption(path, subset.source), subset, full, size, frames, weight, mask)

    def _subject(self, picture: Image.Image, size: tuple[int, int]) -> tuple[float, float]:
        found = self.find_subject(picture, size) if self.find_subject is not None else None
        return found or subject_centre(picture)


def read_dataset(
    settings: DataSettings,
    name: str,
    seed: int = 0,
    known: Mapping[str, tuple[int, int]] | None = None,
    ports: Ports | None = None,
) -> Dataset:
    """Finds the pictures of all folders, opens each once, and reads the captions.

    Args:
        name: the network's name, for `[name]` in the template.
        seed: of random crops, captions and flips.
        known: sizes of pictures by their digest that need not be opened again.
        ports: where to show how far it is, and who finds subjects.

    Raises:
        SettingsError: a folder does not exist or has no pictures; names the field.
        DatasetError: no picture can be used, or one cannot and the settings say to stop there; names the files; or the
            user stopped it.
    """
    base = base_subset(settings, name)
    subsets = [*own_subsets(settings, base), *read_lines(settings.more_folders, base)]
    if settings.dataset_config:
        subsets += read_config(Path(settings.dataset_config), base)
    subsets = [_weighted(subset, settings.regularisation_weight) for subset in subsets]
    found = [(path, subset) for subset in subsets for path in _pictures(subset)]
    problems = [problem for subset in subsets if subset.is_listed for problem in _missing(subset, found)]
    reader = _Reader(seed, known or {}, ports.find_subject if ports else None)
    samples: list[Sample] = []
    passed_over = 0
    for number, (path, owner) in enumerate(found):
        if ports is not None and number % _TOLD_EVERY == 0:
            report(ports.progress, number, len(found), "Reading pictures")
        try:
            sample = reader.read(path, owner)
        except DatasetError as error:
            problems.append(str(error))
            continue
        if sample is None:
            passed_over += 1
        else:
            samples.append(sample)
    if not samples and not problems:
        raise SettingsError("data.dataset_config", "skip_image_resolution passes over all pictures")
    if problems and (settings.stop_at_broken or not samples):
        raise DatasetError(_summary(problems))
    _tell(problems, passed_over)
    if all(sample.subset.is_regularisation for sample in samples):
        raise SettingsError("data.folder", "there are only regularisation pictures; nothing is taught")
    return Dataset(tuple(samples), seed, settings.latents, tuple(problems))


def _weighted(subset: Subset, weight: float) -> Subset:
    return replace(subset, weight=subset.weight * weight) if subset.is_regularisation else subset


def _tell(problems: Iterable[str], passed_over: int) -> None:
    for problem in problems:
        _log.warning("Left out: %s", problem)
    if passed_over:
        _log.info("%d pictures are passed over by skip_image_resolution.", passed_over)


def _missing(subset: Subset, found: Iterable[tuple[Path, Subset]]) -> Iterator[str]:
    """A sentence about every entry of the metadata that no picture belongs to."""
    metadata = subset.source.metadata
    used = {id(metadata.of(path)) for path, owner in found if owner is subset}
    for path, entry in metadata.entries.items():
        if id(entry) not in used:
            yield f"{path}: it is in the metadata, and there is no such picture in {subset.folder}"


def _pictures(subset: Subset) -> list[Path]:
    if subset.files:
        return [path for path in subset.files if path.is_file()]
    folder = subset.folder
    if not folder.is_dir():
        raise SettingsError(f"data.{subset.setting}", f"{folder} is not a folder")
    found: Iterable[Path] = folder.rglob("*") if subset.is_deep else folder.iterdir()
    paths = sorted(path for path in found if path.suffix.lower() in EXTENSIONS and path.is_file())
    stems = {path.with_suffix("") for path in paths}
    # The mask of a picture is no picture, whether it is used or not.
    paths = [p for p in paths if not (p.stem.endswith(SUFFIX) and p.with_name(p.stem[: -len(SUFFIX)]) in stems)]
    if subset.is_listed:
        paths = [path for path in paths if subset.source.metadata.of(path) is not None]
    if not paths and not subset.is_listed:
        raise SettingsError(f"data.{subset.setting}", f"{folder} holds no picture ({', '.join(sorted(EXTENSIONS))})")
    return paths


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DatasetError(f"{path.name}: the picture cannot be read ({error.strerror})") from error


def _summary(problems: list[str]) -> str:
    shown = "; ".join(problems[:_SHOWN_PROBLEMS])
    rest = len(problems) - _SHOWN_PROBLEMS
    return f"data.folder: {shown}" + (f"; and {rest} more" if rest > 0 else "")
