"""A dataset: pictures with their captions, and what an epoch shows of them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch

from ..base.randomness import derived_seed
from .batches import BatchKind, epoch_batches, steps_per_epoch
from .buckets import Frame
from .captions import Caption
from .pictures import variation
from .pictures.variation import AS_THEY_ARE, Colours, Face
from .subsets import Subset


@dataclass(frozen=True)
class Sample:
    """One picture of the dataset.

    Attributes:
        found: the caption, and where it was found.
        subset: how it is shown.
        digest: SHA-256 of the file, and of that of its mask.
        size: width and height in pixels, upright.
        frames: the parts that are trained; several where crops are random.
        weight: in the loss.
        mask: file of its mask.
        face: its largest face, where crops are to be made around it.
    """

    path: Path
    found: Caption
    subset: Subset
    digest: str
    size: tuple[int, int]
    frames: tuple[Frame, ...]
    weight: float = 1.0
    mask: Path | None = None
    face: Face | None = None

    @property
    def is_varied(self) -> bool:
        """Whether it looks different from time to time beside being mirrored, so that it cannot be encoded once."""
        return self.subset.varies_colours or self.face is not None

    @property
    def picture_digest(self) -> str:
        """SHA-256 of the picture's file alone."""
        return self.digest[:64]

    @property
    def written(self) -> str:
        """The caption as it was found."""
        return self.found.text

    @property
    def caption(self) -> str:
        """The caption in its template, with nothing drawn."""
        return self.subset.captions.plain(self.written)


class View(NamedTuple):
    """A picture as the encoder sees it: number of the sample, the frame, whether it is mirrored, and its colours."""

    sample: int
    frame: Frame
    is_flipped: bool
    colours: Colours = AS_THEY_ARE


class Item(NamedTuple):
    """One showing in an epoch: number of the sample, and of the views of which one is drawn each time."""

    sample: int
    views: tuple[int, ...]


def held_out_count(pictures: int, share: float) -> int:
    """Return how many of the pictures a share holds out: at least one of two or more, never all."""
    return min(max(1, round(share * pictures)), pictures - 1) if share and pictures else 0


@dataclass(frozen=True)
class Dataset:
    """Samples in the order of their folders and names, and how they are shown.

    Attributes:
        problems: sentences on what was left out, and why.
        facts: sentences on how many pictures there are, and where their captions come from.
        sampling: how latents are drawn, one of `data_settings.LATENTS`.
        accumulation, steps: batches of an optimizer step, and steps of the run, for what changes from step to step.
        is_deterministic: whether each picture is shown once with its whole caption, and nothing is drawn at random.
    """

    samples: tuple[Sample, ...]
    seed: int = 0
    sampling: str = "deterministic"
    problems: tuple[str, ...] = ()
    is_deterministic: bool = False
    facts: tuple[str, ...] = ()
    accumulation: int = 1
    steps: int = 0

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.samples)

    @property
    def taught(self) -> list[int]:
        """Numbers of the samples that are neither regularisation pictures nor held out by their folder."""
        return [number for number, sample in enumerate(self.samples) if sample.subset.is_taught]

    @cached_property
    def _step_of(self) -> dict[int, dict[int, int]]:
        """The step before which each item is shown, of the last epoch that was asked for."""
        return {}

    @cached_property
    def _shown(self) -> tuple[list[Item], list[View]]:
        views: dict[View, int] = {}
        items = []
        for number, found in self._turns():
            mirrored = (
                (False, True) if self.samples[number].subset.is_flipped and not self.is_deterministic else (False,)
            )
            chosen = (View(number, found, is_flipped) for is_flipped in mirrored)
            items.append(Item(number, tuple(views.setdefault(view, len(views)) for view in chosen)))
        return items, list(views)

    @property
    def items(self) -> list[Item]:
        """The items that an epoch shows."""
        return self._shown[0]

    @property
    def views(self) -> list[View]:
        """The different pictures to encode."""
        return self._shown[1]

    @cached_property
    def kinds(self) -> list[BatchKind]:
        """The kind of each item: what it must share with its batch."""
        views = (self.views[item.views[0]] for item in self.items)
        return [BatchKind(v.frame.width_px, v.frame.height_px, self.samples[v.sample].subset.batch_size) for v in views]

    @property
    def varies(self) -> bool:
        """Whether texts change from epoch to epoch."""
        return not self.is_deterministic and any(sample.subset.captions.varies for sample in self.samples)

    @cached_property
    def _numbers(self) -> dict[View, int]:
        return {view: number for number, view in enumerate(self.views)}

    @cached_property
    def varied(self) -> list[int]:
        """Numbers of the items that look different from epoch to epoch."""
        items = [] if self.is_deterministic else self.items
        return [number for number, item in enumerate(items) if self.samples[item.sample].is_varied]

    def number(self, view: View) -> int | None:
        """Return the number of a view; None for one that was drawn for one epoch."""
        return self._numbers.get(view)

    def shown(self, item: int, epoch: int) -> View:
        """Return what an epoch, counted from 0, shows of an item."""
        view = self.views[self.view(item, epoch)]
        sample = self.samples[view.sample]
        if self.is_deterministic or not sample.is_varied:
            return view
        draw = random.Random(derived_seed(self.seed, "variation", epoch, item))
        colours = variation.drawn_colours(draw) if sample.subset.varies_colours else AS_THEY_ARE
        limits, frame = sample.subset.face_range, view.frame
        if sample.face is not None and limits is not None:
            to = (frame.width_px, frame.height_px)
            box = variation.around_face(frame.box, sample.size, to, sample.face, limits, draw)
            frame = replace(frame, box=box)
        return view._replace(frame=frame, colours=colours)

    def anew(self) -> tuple[str, ...]:
        """Return a sentence on what it costs that pictures look different from epoch to epoch, where they do."""
        if not self.varied:
            return ()
        count = sum(self.number(self.shown(item, 0)) is None for item in self.varied)
        return (
            f"The VAE encodes about {count} of {len(self.items)} pictures anew in each epoch, as their colours or "
            "crops vary; otherwise each would be encoded once.",
        )

    def sizes(self, view: View) -> tuple[int, int, int, int, int, int]:
        """Return what SDXL is told of a view: sides of the picture as it was, top and left of the crop, and its sides.

        All in pixels, height before width; the crop is in the scaled picture, as it is mirrored.
        """
        frame, is_flipped = view.frame, view.is_flipped
        width, height = self.samples[view.sample].size
        left, top, right, bottom = frame.box
        before = width - right if is_flipped else left
        crop_top = round(top * frame.height_px / (bottom - top))
        crop_left = round(before * frame.width_px / (right - left))
        return height, width, crop_top, crop_left, frame.height_px, frame.width_px

    def view(self, item: int, epoch: int) -> int:
        """Return the number of the view that an epoch, counted from 0, shows of an item."""
        views = self.items[item].views
        if len(views) == 1:
            return views[0]
        return random.Random(derived_seed(self.seed, "flip", epoch, item)).choice(views)

    def text(self, item: int, epoch: int) -> str:
        """Return the text of an item in an epoch, where it is not left out."""
        sample = self.samples[self.items[item].sample]
        if self.is_deterministic:
            return sample.caption
        rules = sample.subset.captions
        return rules.shown(sample.written, self.seed, epoch, item, self._warmed(rules.warmup, item, epoch))

    def _warmed(self, warmup: float, item: int, epoch: int) -> float:
        """Return which share of the steps of a warm-up is over when an epoch shows an item."""
        length = int(warmup if warmup >= 1 else warmup * self.steps)
        if not length:
            return math.inf
        if epoch not in self._step_of:
            self._step_of.clear()
            dealt = epoch_batches(self.kinds, self.seed, epoch)
            places = {one: place for place, batch in enumerate(dealt) for one in batch}
            first = epoch * steps_per_epoch(self.kinds, self.accumulation)
            self._step_of[epoch] = {one: first + place // self.accumulation for one, place in places.items()}
        return self._step_of[epoch][item] / length

    def is_text_dropped(self, item: int, epoch: int) -> bool:
        """Tell whether an item is shown with an empty text in an epoch."""
        rules = self.samples[self.items[item].sample].subset.captions
        return not self.is_deterministic and rules.is_dropped(self.seed, epoch, item)

    def split(self, held_out: int) -> tuple[Dataset, Dataset]:
        """Return the pictures to train on, and others: those of a folder for that, and `held_out` of the rest.

        These are the same ones in every run over the same pictures.
        """
        taught = self.taught
        generator = torch.Generator().manual_seed(derived_seed(0, "held out", len(taught)))
        order = torch.randperm(len(taught), generator=generator).tolist()
        held = {number for number, sample in enumerate(self.samples) if sample.subset.is_held_out}
        held |= {taught[place] for place in order[:held_out]}
        parts = ([s for n, s in enumerate(self.samples) if (n in held) == is_held] for is_held in (False, True))
        trained, rest = (replace(self, samples=tuple(part)) for part in parts)
        return trained, replace(rest, is_deterministic=True, sampling="deterministic")

    def divided(self, validation_share: float, accumulation: int) -> Division:
        """Return the pictures as a run divides them.

        Args:
            accumulation: number of batches in one optimizer step.
        """
        training, held_out = self.split(held_out_count(len(self.taught), validation_share))
        training = replace(training, accumulation=accumulation)
        return Division(training, held_out, steps_per_epoch(training.kinds, accumulation))

    def _turns(self) -> Iterator[tuple[int, Frame]]:
        """Yield number and frame of every item; regularisation pictures take as many turns as all others together."""
        taught: dict[int, int] = {}
        others: dict[int, list[int]] = {}
        for number, sample in enumerate(self.samples):
            subset = sample.subset
            if subset.is_regularisation and not self.is_deterministic:
                others.setdefault(subset.dataset, []).append(number)
                continue
            repeats = 1 if self.is_deterministic else subset.repeats
            taught[subset.dataset] = taught.get(subset.dataset, 0) + repeats
            yield from ((number, sample.frames[turn % len(sample.frames)]) for turn in range(repeats))
        for dataset, numbers in others.items():
            for turn in range(taught.get(dataset, 0)):
                sample = self.samples[numbers[turn % len(numbers)]]
                round_ = turn // len(numbers)
                yield numbers[turn % len(numbers)], sample.frames[round_ % len(sample.frames)]


class Division(NamedTuple):
    """The pictures to train on, those held out for validation, and the optimizer steps of a pass over the first."""

    training: Dataset
    held_out: Dataset
    steps_per_epoch: int
