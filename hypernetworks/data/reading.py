"""Reading a dataset: all pictures and captions found and checked before the first step."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..data_settings import DataSettings
from ..errors import DatasetError, SettingsError
from ..randomness import derived_seed
from .buckets import Frame, frame, moved
from .captions import metadata_weight, read_caption
from .dataset import Dataset, Sample
from .images import EXTENSIONS, open_raw
from .kohya import read_config, read_lines
from .masks import SUFFIX, mask_beside, read_mask
from .subject import subject_centre
from .subsets import Subset, base_subset, own_subsets

_SHOWN_PROBLEMS = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Reader:
    """Opens pictures one by one.

    Attributes:
        known: sizes of pictures, by digest, that were opened well before.
    """

    seed: int
    known: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def read(self, path: Path, subset: Subset) -> Sample:
        """The sample of a picture; raises DatasetError."""
        digest = _digest(path)
        size = self.known.get(digest) if subset.crop != "subject" else None
        centre = (0.5, 0.5)
        if size is None:
            picture = open_raw(path)
            size = picture.size
            if subset.crop == "subject":
                centre = subject_centre(picture.convert("RGB"))
        try:
            frames: tuple[Frame, ...] = (frame(subset.framing, size, centre),)
        except DatasetError as error:
            raise DatasetError(f"{path.name}: {error}") from error
        if subset.crop == "random":
            draws = [random.Random(derived_seed(self.seed, "crop", path.name, turn)) for turn in range(subset.repeats)]
            frames = tuple(dict.fromkeys(moved(frames[0], size, draw.random(), draw.random()) for draw in draws))
        mask = mask_beside(path) if subset.masks == "file" else None
        if mask is not None:
            read_mask(mask)
        weight = subset.weight * metadata_weight(path, subset.source)
        full = digest if mask is None else digest + _digest(mask)
        return Sample(path, read_caption(path, subset.source), subset, full, size, frames, weight, mask)


def read_dataset(
    settings: DataSettings, name: str, seed: int = 0, known: Mapping[str, tuple[int, int]] | None = None
) -> Dataset:
    """Finds the pictures of all folders, opens each once, and reads the captions.

    Args:
        name: the network's name, for `[name]` in the template.
        seed: of random crops, captions and flips.
        known: sizes of pictures by their digest that need not be opened again.

    Raises:
        SettingsError: a folder does not exist or has no pictures; names the field.
        DatasetError: no picture can be used, or one cannot and the settings say to stop there; names the files.
    """
    base = base_subset(settings, name)
    subsets = [*own_subsets(settings, base), *read_lines(settings.more_folders, base)]
    if settings.dataset_config:
        subsets += read_config(Path(settings.dataset_config), base)
    reader = _Reader(seed, known or {})
    samples, problems = [], []
    for path, owner in ((path, subset) for subset in subsets for path in _pictures(subset)):
        try:
            samples.append(reader.read(path, owner))
        except DatasetError as error:
            problems.append(str(error))
    if problems and (settings.stop_at_broken or not samples):
        raise DatasetError(_summary(problems))
    for problem in problems:
        _log.warning("Left out: %s", problem)
    if all(sample.subset.is_regularisation for sample in samples):
        raise SettingsError("data.folder", "there are only regularisation pictures; nothing is taught")
    return Dataset(tuple(samples), seed, settings.latents, tuple(problems))


def _pictures(subset: Subset) -> list[Path]:
    folder = subset.folder
    if not folder.is_dir():
        raise SettingsError(f"data.{subset.setting}", f"{folder} is not a folder")
    found: Iterable[Path] = folder.rglob("*") if subset.is_deep else folder.iterdir()
    paths = sorted(path for path in found if path.suffix.lower() in EXTENSIONS and path.is_file())
    stems = {path.with_suffix("") for path in paths}
    # The mask of a picture is no picture, whether it is used or not.
    paths = [p for p in paths if not (p.stem.endswith(SUFFIX) and p.with_name(p.stem[: -len(SUFFIX)]) in stems)]
    if not paths:
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
