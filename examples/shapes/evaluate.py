"""How good a checkpoint is: share of prompts followed, by the judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from .captions import caption, for_training, held_out
from .data import to_pictures
from .draw import Subject
from .judge import follows
from .sample import Demo, Sampling, Variant, decode, sample_latents

PROMPTS = 100
PROMPT_SEED = 77


def prompts() -> list[str]:
    """Return 100 captions: each of the 16 held out twice, the others from training's subjects."""
    rng = np.random.default_rng(PROMPT_SEED)
    known = for_training()
    others: Sequence[Subject] = [known[index] for index in rng.permutation(len(known))]
    return [caption(subject) for subject in [*held_out() * 2, *others][:PROMPTS]]


def pictures_for(demo: Demo | Variant, captions: Sequence[str], sampling: Sampling | None = None) -> list[Image.Image]:
    """Return one picture for each caption, seeded by its number in the list."""
    return to_pictures(decode(demo, sample_latents(demo, captions, range(len(captions)), sampling)))


def followed(demo: Demo | Variant, count: int = PROMPTS) -> tuple[int, list[str]]:
    """Return how many of the first `count` prompts came out right, and the captions of those that did not."""
    captions = prompts()[:count]
    pictures = pictures_for(demo, captions)
    wrong = [text for picture, text in zip(pictures, captions, strict=True) if not follows(picture, text)]
    return len(captions) - len(wrong), wrong
