"""The styles that are learnt: the demo's own, and two that its model never saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypernetwork_workbench.examples.shapes import captions, draw, judge, unseen
from PIL import Image

from . import reading

_SIZE = (64, 64)
_TRAINING_SEED, _PLACE_SEED, _FRESH_SEED, _TIMES = 111, 11, 90_210, 4


@dataclass(frozen=True)
class Style:
    """A style to learn, and the judge of pictures in it.

    Attributes:
        draw: returns the picture of a subject at a place, `size` = (width, height) in pixels.
        follows: tells whether a picture shows the colour and the shape that a caption names.
    """

    name: str
    draw: Callable[[draw.Subject, draw.Placement, tuple[int, int]], Image.Image]
    follows: Callable[[Image.Image, str], bool]

    def write(self, folder: Path) -> Path:
        """Write the 16 pictures to learn from, with their captions, into a new folder and return it."""
        folder.mkdir(parents=True)
        subjects = captions.balanced(_TRAINING_SEED)
        for number, (picture, subject) in enumerate(zip(self._pictures(_PLACE_SEED, subjects), subjects, strict=True)):
            picture.save(folder / f"{number:02d}.png")
            (folder / f"{number:02d}.txt").write_text(captions.caption(subject), encoding="utf-8")
        return folder

    def fresh(self, turn: int = 0) -> list[Image.Image]:
        """Return four pictures in the style of each subject that the demo model never saw, others for each turn."""
        return self._pictures(_FRESH_SEED + turn, captions.held_out() * _TIMES)

    def _pictures(self, seed: int, subjects: Sequence[draw.Subject]) -> list[Image.Image]:
        rng = np.random.default_rng(seed)
        return [self.draw(subject, draw.random_placement(rng, _SIZE), _SIZE) for subject in subjects]


def _of(style: unseen.Unseen) -> Style:
    return Style(style.name, style.draw, lambda picture, caption: reading.follows(picture, caption, style))


NIGHT = Style("night", lambda *what: draw.draw(*what, draw.NIGHT_STYLE), judge.follows)
PRINT, NEON = _of(unseen.PRINT), _of(unseen.NEON)
#: No setting was chosen by what it makes of the last one.
STYLES = (NIGHT, PRINT, NEON)
