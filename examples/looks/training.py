"""Teaches the demo's text model and U-Net looks of many kinds, so that they know more than their plain shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from hypernetwork_workbench.examples.shapes.captions import caption, for_training
from hypernetwork_workbench.examples.shapes.data import SQUARE, to_tensor
from hypernetwork_workbench.examples.shapes.models import Autoencoder
from hypernetwork_workbench.examples.shapes.text import known_texts, tokens_of
from hypernetwork_workbench.examples.shapes.train_denoiser import (
    Batch,
    Denoiser,
    DenoiserPlan,
    encode_all,
    known_batches,
    train,
)

from .drawing import draw_look
from .look import every_part, random_look


@dataclass(frozen=True)
class LooksPlan:
    """How long and how fast looks are learnt.

    Attributes:
        known: how the pictures of the demo's own world are drawn and used meanwhile, and the steps.
        captions: captions in a look that each batch of squares has besides.
        looks: captions in a look, some of them more than once, each with `known.pictures_per_caption` pictures.
    """

    known: DenoiserPlan = field(
        default_factory=lambda: DenoiserPlan(steps=6000, captions=8, rate=6e-4, ema=0.998, pictures=12288, seed=7)
    )
    captions: int = 12
    looks: int = 8000


@dataclass(frozen=True)
class Shelf:
    """Pictures in looks: scaled latents [count, pictures of a caption, 4, height / 8, width / 8], and captions."""

    latents: torch.Tensor
    texts: list[str]


def fill_shelf(autoencoder: Autoencoder, plan: LooksPlan) -> Shelf:
    """Return the pictures of a plan, of subjects that training may show."""
    rng, choices = np.random.default_rng(plan.known.seed), for_training()
    pictures, texts = [], []
    for _ in range(plan.looks):
        subject, look = choices[rng.integers(len(choices))], random_look(rng)
        texts.append(caption(subject) + look.words())
        alike = range(plan.known.pictures_per_caption)
        pictures += [to_tensor(draw_look(rng, subject, look, SQUARE)) for _ in alike]
    latents = encode_all(autoencoder, torch.stack(pictures))
    return Shelf(latents.unflatten(0, (plan.looks, -1)), texts)


def batches(known: Iterator[Batch], shelf: Shelf, plan: LooksPlan) -> Iterator[Batch]:
    """Yield batches of the demo's own world; those of squares have pictures in looks behind them."""
    rng = np.random.default_rng(plan.known.seed)
    for latents, texts in known:
        if latents.shape[2:] != shelf.latents.shape[3:]:
            yield latents, texts
            continue
        rows = rng.integers(len(shelf.texts), size=plan.captions)
        is_dropped = rng.random(plan.captions) < plan.known.caption_dropout
        named = ["" if dropped else shelf.texts[row] for row, dropped in zip(rows, is_dropped, strict=True)]
        yield torch.cat([latents, shelf.latents[rows].flatten(0, 1)]), texts + named


def tokens_with_looks() -> list[int]:
    """Return the numbers of all tokens in captions, with and without looks, in ascending order."""
    return tokens_of([*known_texts(), *(look.words() for look in every_part())])


def widen_denoiser(
    before: Denoiser, autoencoder: Autoencoder, plan: LooksPlan, keep: Callable[[Any], None] | None = None
) -> Denoiser:
    """Return a text model and a U-Net that know looks too, trained on from those that do not.

    `keep` is given the average now and then, so that a long training that is cut short is not lost.
    """
    torch.manual_seed(plan.known.seed)
    shelf = fill_shelf(autoencoder, plan)
    wider = Denoiser(tokens_with_looks())
    wider.unet.load_state_dict(before.unet.state_dict())
    wider.text.take(before.text.full_model())
    trained: Denoiser = train(wider, batches(known_batches(autoencoder, plan.known), shelf, plan), plan.known, keep)
    return trained
