"""What was found in the folders of a dataset: pictures that can be used, that cannot, and that are passed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..base.errors import DatasetError, SettingsError
from .buckets import TooSmallError
from .captions import FILE, CaptionEncodingError, Foreign, doubt, judged
from .dataset import Dataset, Sample
from .subsets import Subset

_SHOWN_PROBLEMS = 8
#: The option that passes over pictures for their size.
BY_SIZE = "skip_image_resolution"


@dataclass(frozen=True)
class LeftOut:
    """A picture that cannot be used.

    Attributes:
        sentence: why, with its name.
        subset: the subset that it would belong to.
        is_too_small: whether it is only too small for the framing.
        caption: what its caption file seems to be, where that is not in UTF-8.
    """

    path: Path
    sentence: str
    subset: Subset
    is_too_small: bool = False
    caption: Foreign | None = None


class PassedOver(NamedTuple):
    """Pictures that are left out because settings say so.

    Attributes:
        reason: the setting, or what else says it.
        folder: where they are.
        pictures: how many they are.
    """

    reason: str
    folder: Path
    pictures: int


@dataclass(frozen=True)
class PictureScan:
    """All pictures found in the folders.

    Attributes:
        samples: those that can be used.
        left_out: those that cannot.
        passed_over: those that settings exclude, by folder.
        unused_captions: caption files beside the pictures that give none of them its caption.
        remarks: sentences on folders that are not read, or are there twice.
    """

    samples: tuple[Sample, ...]
    left_out: tuple[LeftOut, ...]
    passed_over: tuple[PassedOver, ...] = ()
    unused_captions: tuple[Path, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def passed_by_reason(self) -> Counter[str]:
        """How many pictures are passed over, by the reason."""
        counts: Counter[str] = Counter()
        for one in self.passed_over:
            counts[one.reason] += one.pictures
        return counts

    def obstacle(self, stop_at_broken: bool) -> str:
        """Return why no run can start on this, as a sentence without its field; empty where one can."""
        if self.left_out and stop_at_broken:
            return "pictures that cannot be used prevent a run from starting"
        if not self.samples:
            return self._why_empty()
        if any(sample.subset.is_taught for sample in self.samples):
            return ""
        if any(sample.subset.is_held_out for sample in self.samples):
            return "only pictures for validation are left; there is nothing to learn"
        if self.passed_over or not all(one.subset.is_regularisation for one in self.left_out):
            return "only regularisation pictures are left; there is nothing to learn"
        return "there are only regularisation pictures; there is nothing to learn"

    def _why_empty(self) -> str:
        reasons = sorted(self.passed_by_reason, key=lambda reason: reason != BY_SIZE)
        if self.left_out or not reasons:
            return "no picture can be used"
        if len(reasons) > 1:
            return f"{', '.join(reasons[:-1])} and {reasons[-1]} pass over all pictures"
        return f"{reasons[0]} passes over all pictures"

    def check(self, stop_at_broken: bool) -> None:
        """Raise the obstacle with what is left out: DatasetError, or SettingsError where no picture is the cause."""
        obstacle = self.obstacle(stop_at_broken)
        if obstacle and self.left_out:
            raise DatasetError(f"data.folder: {_summary([one.sentence for one in self.left_out])}; {obstacle}")
        if obstacle:
            is_by_size = not self.samples and BY_SIZE in self.passed_by_reason
            raise SettingsError("data.dataset_config" if is_by_size else "data.folder", obstacle)

    def dataset(self, seed: int, sampling: str) -> Dataset:
        """Return the pictures that can be used, as the dataset of a run."""
        return Dataset(self.samples, seed, sampling, tuple(one.sentence for one in self.left_out))


def _summary(problems: list[str]) -> str:
    shown = "; ".join(problems[:_SHOWN_PROBLEMS])
    rest = len(problems) - _SHOWN_PROBLEMS
    return shown + (f"; and {rest} more" if rest > 0 else "")


def divided(
    samples: Sequence[Sample], failed: Sequence[tuple[Path, Subset, DatasetError]]
) -> tuple[tuple[Sample, ...], tuple[LeftOut, ...]]:
    """Return the pictures that can be used, and those that cannot.

    Captions of one folder are judged together: an encoding that others are in makes one doubtful that could be read.
    """
    by_folder: dict[Path, list[CaptionEncodingError]] = {}
    for _, _, error in failed:
        if isinstance(error, CaptionEncodingError):
            by_folder.setdefault(error.path.parent, []).append(error)
    foreign = {path: one for errors in by_folder.values() for path, one in judged(errors).items()}
    # Of one folder, what is certain comes last and counts.
    beside = {one.path.parent: one for one in sorted(foreign.values(), key=lambda one: bool(one.codec)) if one.likely}
    usable, left_out = [], []
    for sample in samples:
        kind, path = sample.found.origin
        caption = doubt(path, beside[path.parent]) if kind == FILE and path.parent in beside else None
        if caption is None:
            usable.append(sample)
        else:
            left_out.append(LeftOut(sample.path, caption.sentence, sample.subset, caption=caption))
    for picture, subset, error in failed:
        caption = foreign[error.path] if isinstance(error, CaptionEncodingError) else None
        sentence = caption.sentence if caption else str(error)
        left_out.append(LeftOut(picture, sentence, subset, isinstance(error, TooSmallError), caption))
    return tuple(usable), tuple(left_out)
