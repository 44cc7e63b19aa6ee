"""What each step of a run trains, as it will be: files, sizes, captions with what is drawn, masks and mirroring."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from ...base.atomic import atomic_write
from ...base.errors import DatasetError
from ...base.outside import shown_path
from ..batches import step_batches
from ..dataset import Dataset, Sample, View
from ..images import framed, on_background, open_raw, original_size
from ..masks import mask_of, mask_weights
from ..pictures.variation import AS_THEY_ARE, recoloured

_GAP_PX = 8
#: How much of the colour stays where a mask says that nothing is learned.
_DARKEST = 0.15


class Showing(NamedTuple):
    """A picture as a step trains it.

    Attributes:
        text: its caption, with what is drawn for this epoch.
        is_dropped: whether the caption is left out this time.
    """

    sample: Sample
    view: View
    text: str
    is_dropped: bool

    def lines(self) -> list[str]:
        """Return what is trained, for the console."""
        frame, (width, height) = self.view.frame, self.sample.size
        facts = [f"{frame.width_px} x {frame.height_px}", shown_path(self.sample.path)]
        left, top, right, bottom = map(round, frame.box)
        if (left, top, right, bottom) != (0, 0, width, height):
            facts.append(f"cut to {left}, {top} - {right}, {bottom} of {width} x {height}")
        facts += ["mirrored"] if self.view.is_flipped else []
        facts += [] if self.view.colours == AS_THEY_ARE else ["other colours"]
        facts += [f"mask {shown_path(self.sample.mask)}"] if self.sample.mask else []
        facts += ["mask in its alpha channel"] if self.sample.subset.masks == "alpha" else []
        facts += [f"weight {self.sample.weight:g}"] if self.sample.weight != 1 else []
        facts += ["regularisation"] if self.sample.subset.is_regularisation else []
        return [f"  {', '.join(facts)}", f"    {'(no caption this time)' if self.is_dropped else self.text}"]

    def picture(self) -> Image.Image:
        """Return the picture as the encoder gets it, dark where its mask says that nothing is learned.

        Raises:
            DatasetError: it can no longer be read; names it.
        """
        raw = open_raw(self.sample.path)
        subset, frame = self.sample.subset, self.view.frame
        picture = recoloured(framed(on_background(raw, subset.background), frame), self.view.colours)
        mask = mask_of(raw, subset.masks, self.sample.mask)
        weights = mask_weights(mask, frame, original_size(raw)) if mask is not None else None
        if weights is not None:
            share = (weights[0] / weights.max()).numpy()
            bright = Image.fromarray(np.uint8(255 * (_DARKEST + (1 - _DARKEST) * share)))
            black = Image.new("RGB", picture.size)
            picture = Image.composite(picture, black, bright.resize(picture.size, Image.Resampling.NEAREST))
        return ImageOps.mirror(picture) if self.view.is_flipped else picture


class ShownStep(NamedTuple):
    """A step: its number from 1, its epoch from 1, and its batches."""

    step: int
    epoch: int
    batches: tuple[tuple[Showing, ...], ...]

    def lines(self) -> list[str]:
        """Return what the step trains, for the console."""
        count = sum(map(len, self.batches))
        found = [f"Step {self.step}, epoch {self.epoch}: {count} {'picture' if count == 1 else 'pictures'}"]
        for number, batch in enumerate(self.batches, 1):
            found += [f" Batch {number}"] if len(self.batches) > 1 else []
            found += [line for one in batch for line in one.lines()]
        return found

    def drawing(self) -> Image.Image:
        """Return the pictures side by side, a batch a row; raises DatasetError."""
        rows = [[one.picture() for one in batch] for batch in self.batches]
        width = max(sum(one.width + _GAP_PX for one in row) for row in rows) + _GAP_PX
        height = sum(max(one.height for one in row) + _GAP_PX for row in rows) + _GAP_PX
        sheet, top = Image.new("RGB", (width, height), "white"), _GAP_PX
        for row in rows:
            left = _GAP_PX
            for one in row:
                sheet.paste(one, (left, top))
                left += one.width + _GAP_PX
            top += max(one.height for one in row) + _GAP_PX
        return sheet


def shown_steps(training: Dataset, accumulation: int, first: int, count: int) -> Iterator[ShownStep]:
    """Yield steps of a run, each as the run itself will take it.

    Args:
        training: the pictures that are trained.
        accumulation: batches of a step.
        first: number of the first step, from 1.
    """
    dealt = step_batches(training.kinds, accumulation, training.seed, first - 1)
    for step in islice(dealt, count):
        batches = (tuple(_showing(training, item, step.epoch) for item in batch) for batch in step.micro_batches)
        yield ShownStep(step.step + 1, step.epoch + 1, tuple(batches))


def draw(step: ShownStep, folder: Path) -> None:
    """Write `step-00001.png` with the pictures of a step, and its lines beside it.

    Raises:
        DatasetError: a picture cannot be read, or a file not be written.
    """
    path = folder / f"step-{step.step:05}.png"
    with atomic_write(path, DatasetError) as file:
        step.drawing().save(file, "PNG")
    with atomic_write(path.with_suffix(".txt"), DatasetError) as file:
        file.write("".join(f"{line}\n" for line in step.lines()).encode("utf-8", "replace"))


def _showing(training: Dataset, item: int, epoch: int) -> Showing:
    view = training.shown(item, epoch)
    sample = training.samples[view.sample]
    return Showing(sample, view, training.text(item, epoch), training.is_text_dropped(item, epoch))
