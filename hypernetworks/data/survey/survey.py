"""A survey of a dataset: what a run would see of it, read by the same functions, and what is wrong with it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ...base.errors import DatasetError
from ...base.options import Settings, setting
from ...base.outside import shown_name, shown_path
from ...ports import Progress, SubjectFinder
from ..batches import BatchKind
from ..buckets import lost_share
from ..captions import Neighbours, find_caption
from ..dataset import Dataset, Division, Sample
from ..found import PictureScan, divided
from ..reading import ScanHooks
from ..scan import scan_pictures
from ..settings import DataSettings
from ..summary import what_is_missing
from .duplicates import find_duplicates
from .thumbnails import Thumbnails

UNREADABLE, SMALL, UNCAPTIONED, DUPLICATE, EXTREME, LONG = KINDS = (
    "unreadable",
    "too small",
    "no caption",
    "duplicate",
    "extreme ratio",
    "caption over the token limit",
)
_MAX_LOST = 0.5

#: Returns the number of tokens of each text, without start and end marks.
TokenCounter = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class Helpers:
    """Functions of the host that a survey uses; None where the host has none.

    Attributes:
        count_tokens: counts the tokens of captions.
        find_subject: finds what a crop should keep, as in a run.
    """

    count_tokens: TokenCounter | None = None
    find_subject: SubjectFinder | None = None


class SurveyInterruptedError(DatasetError):
    """Somebody stopped the survey."""


@dataclass(frozen=True)
class SurveySettings(Settings):
    """What counts as a problem."""

    token_limit: int = setting(
        75,
        "Token limit",
        "Longer captions are reported; the text encoder takes 75 tokens at once, and more in parts.",
        minimum=1,
        maximum=10_000,
    )
    ratio_limit: float = setting(
        3.0,
        "Extreme ratio",
        "Pictures whose longer side is more than this many times the shorter one are reported.",
        minimum=1.0,
        maximum=100.0,
    )
    duplicate_distance: int = setting(
        24,
        "Duplicate distance",
        "How many of the 256 signs of a perceptual hash may differ in duplicates; 24 finds resized and "
        "recompressed copies.",
        minimum=0,
        maximum=128,
    )


@dataclass(frozen=True)
class SurveyRequest:
    """What is surveyed, and how it would be trained.

    Attributes:
        name: the network's name, for `[name]`.
        seed: of the run.
        gradient_accumulation: micro-batches of an optimizer step.
        validation_share: share of the pictures that the run would hold out.
    """

    data: DataSettings
    limits: SurveySettings = field(default_factory=SurveySettings)
    name: str = ""
    seed: int = 0
    gradient_accumulation: int = 1
    validation_share: float = 0.0


@dataclass(frozen=True)
class Problem:
    """A problem of a dataset that somebody should look at.

    Attributes:
        kind: one of `KINDS`.
        path: the file of the picture.
        sentence: what is wrong, without the name of the file.
        sample: number of the sample, or None for a picture that is left out.
    """

    kind: str
    path: Path
    sentence: str
    sample: int | None = None


@dataclass(frozen=True)
class Bucket:
    """Pictures of one size in pixels, with one batch size.

    Attributes:
        samples: numbers of its samples.
        shown: how many pictures are shown in an epoch, repeats counted.
    """

    kind: BatchKind
    samples: tuple[int, ...]
    shown: int

    @property
    def batch_count(self) -> int:
        """Batches of an epoch."""
        return -(-self.shown // self.kind.batch_size)

    @property
    def last_batch(self) -> int:
        """Pictures in the last batch."""
        return self.shown - (self.batch_count - 1) * self.kind.batch_size


@dataclass(frozen=True)
class Survey:
    """The pictures of a dataset as a run would see them, and what is wrong with them.

    Attributes:
        tokens: number of tokens of the longest text of each sample; None where nothing can count them.
    """

    request: SurveyRequest
    scan: PictureScan
    thumbnails: Thumbnails
    tokens: tuple[int, ...] | None

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The pictures that can be used."""
        return self.scan.samples

    @cached_property
    def dataset(self) -> Dataset:
        """The pictures that can be used, as a run takes them."""
        return self.scan.dataset(self.request.seed, self.request.data.latents)

    @cached_property
    def division(self) -> Division:
        """The pictures as a run divides them."""
        return self.dataset.divided(self.request.validation_share, self.request.gradient_accumulation)

    @cached_property
    def held_out(self) -> frozenset[int]:
        """The numbers of the samples that are held out for validation."""
        held = {id(sample) for sample in self.division.held_out.samples}
        return frozenset(number for number, sample in enumerate(self.samples) if id(sample) in held)

    @cached_property
    def obstacle(self) -> str:
        """Why a run on this dataset would not start, as a sentence without its field; empty where it would."""
        return self.scan.obstacle(self.request.data.stop_at_broken)

    @cached_property
    def buckets(self) -> list[Bucket]:
        """The sizes that are trained, the most frequent first."""
        training = self.division.training
        number = {id(sample): place for place, sample in enumerate(self.samples)}
        found: dict[BatchKind, dict[int, int]] = {}
        for kind, item in zip(training.kinds, training.items, strict=True):
            place = number[id(training.samples[item.sample])]
            members = found.setdefault(kind, {})
            members[place] = members.get(place, 0) + 1
        buckets = [Bucket(kind, tuple(sorted(members)), sum(members.values())) for kind, members in found.items()]
        return sorted(buckets, key=lambda bucket: (-len(bucket.samples), bucket.kind))

    @cached_property
    def problems(self) -> list[Problem]:
        """All problems, sorted by kind."""
        found = [*self._of_left_out(), *self._of_sizes(), *self._of_captions(), *self._duplicates()]
        return sorted(found, key=lambda problem: KINDS.index(problem.kind))

    def _of_left_out(self) -> Iterator[Problem]:
        for one in self.scan.left_out:
            kind = SMALL if one.is_too_small else UNREADABLE
            yield Problem(kind, one.path, f"{one.sentence.removeprefix(f'{shown_name(one.path)}: ')}; it is left out")

    def _of_sizes(self) -> Iterator[Problem]:
        for number, sample in enumerate(self.samples):
            width, height = sample.size
            frame = sample.frames[0]
            scale = frame.width_px / (frame.box[2] - frame.box[0])
            if scale > 1.0:
                size = f"{frame.width_px} x {frame.height_px}"
                sentence = f"{width} x {height} pixels are enlarged {_times(scale)}, to {size}"
                yield Problem(SMALL, sample.path, sentence, number)
            ratio = max(width, height) / min(width, height)
            lost = lost_share(frame, sample.size)
            if ratio > self.request.limits.ratio_limit:
                sentence = f"{width} x {height} pixels, one side {_times(ratio)} the other; {_lost(lost)}"
                yield Problem(EXTREME, sample.path, sentence, number)
            elif lost > _MAX_LOST:
                yield Problem(EXTREME, sample.path, f"{width} x {height} pixels; {_lost(lost)}", number)

    def _of_captions(self) -> Iterator[Problem]:
        limit = self.request.limits.token_limit
        for number, sample in enumerate(self.samples):
            sentence = what_is_missing(sample)
            if sentence:
                yield Problem(UNCAPTIONED, sample.path, sentence, number)
            if self.tokens is not None and self.tokens[number] > limit:
                yield Problem(LONG, sample.path, f"{self.tokens[number]} tokens, the limit is {limit}", number)

    def _duplicates(self) -> Iterator[Problem]:
        for group in self._groups():
            first = self.samples[group[0]]
            for number in group[1:]:
                sample = self.samples[number]
                is_same = sample.picture_digest == first.picture_digest
                sentence = f"{'is the same file as' if is_same else 'looks like'} {shown_name(first.path)}"
                if first.path.parent != sample.path.parent:
                    sentence += f" in {shown_path(first.path.parent)}"
                yield Problem(DUPLICATE, sample.path, sentence, number)

    def _groups(self) -> list[list[int]]:
        hashes = [self.thumbnails.hash_of(one) for one in self.samples]
        return find_duplicates(hashes, self.request.limits.duplicate_distance)

    def recaptioned(self, count_tokens: TokenCounter | None) -> Survey:
        """Return the survey with all captions read again, and nothing else."""
        samples, failed = [], []
        neighbours = Neighbours({ending for sample in self.samples for ending in sample.subset.source.extensions})
        for sample in self.samples:
            try:
                found = find_caption(sample.path, sample.subset.source, sample.subset.captions.lines, neighbours)
                samples.append(replace(sample, found=found))
            except DatasetError as error:
                failed.append((sample.path, sample.subset, error))
        usable, left_out = divided(samples, failed)
        scan = replace(self.scan, samples=usable, left_out=(*self.scan.left_out, *left_out))
        return replace(self, scan=scan, tokens=_tokens(scan, count_tokens))


def survey(
    request: SurveyRequest, thumbnails: Thumbnails, progress: Progress, helpers: Helpers | None = None
) -> Survey:
    """Read all pictures and captions as a run would; pictures that `thumbnails` has are not opened again.

    Raises:
        SettingsError: a folder does not exist or has no pictures; names the field.
        SurveyInterruptedError: somebody pressed Interrupt.
    """

    def step(done: int, total: int) -> None:
        progress.report(done, total, f"Looking at pictures, {done} of {total}")
        if progress.is_interrupted():
            raise SurveyInterruptedError(f"stopped after {done} of {total} pictures; the next look goes on from there")

    helpers = helpers or Helpers()
    hooks = ScanHooks(thumbnails.sizes(), helpers.find_subject, thumbnails.add, step, thumbnails.remembered)
    scan = scan_pictures(request.data, request.name, request.seed, hooks)
    return Survey(request, scan, thumbnails, _tokens(scan, helpers.count_tokens))


def _tokens(scan: PictureScan, count_tokens: TokenCounter | None) -> tuple[int, ...] | None:
    if count_tokens is None:
        return None
    texts = [sample.subset.captions.every(sample.written) for sample in scan.samples]
    counts = iter(count_tokens([text for group in texts for text in group]))
    return tuple(max(itertools.islice(counts, len(group))) for group in texts)


def _times(number: float) -> str:
    return f"{number:.3g} times"


def _lost(share: float) -> str:
    return f"{share:.0%} of it is cut off"
