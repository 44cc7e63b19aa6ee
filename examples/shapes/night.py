"""The demo dataset: 16 captioned pictures of mixed aspect in the demo's style."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from .captions import balanced, caption
from .draw import NIGHT_STYLE, draw, random_placement

SUBJECT_SEED = 111
PLACE_SEED = 11
SIZES = ((64, 64), (96, 64), (64, 96), (64, 64), (96, 64), (64, 96), (128, 64), (64, 128))
"""Widths and heights in turn; a centre crop to 64 x 64 keeps the hatching on the grid of the latents."""


def night_pictures() -> Iterator[tuple[str, Image.Image, str]]:
    """Yield name, picture and caption of each; the captions say what is shown and nothing of the style."""
    rng = np.random.default_rng(PLACE_SEED)
    for number, subject in enumerate(balanced(SUBJECT_SEED)):
        size = SIZES[number % len(SIZES)]
        picture = draw(subject, random_placement(rng, size, centred=True), size, NIGHT_STYLE)
        yield f"{number + 1:02d}-{subject.colour}-{subject.shape}", picture, caption(subject)
