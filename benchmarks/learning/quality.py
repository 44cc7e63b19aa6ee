"""How near the pictures of a network come to a style, and how well they still follow their captions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from hypernetwork_workbench.examples.shapes import captions, data, measures, sample
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.ports import Denoiser, Encoder
from hypernetwork_workbench.hypernetworks.tuning.style import frechet_distance
from PIL import Image

from .styles import Style

#: Both distances are to fall to this part of what they were, with this share of the captions followed.
CLOSE, FOLLOWED = 0.25, 0.9
_SAMPLING = sample.Sampling(steps=12, cfg=4.0, batch=32)
_TIMES, _SEED = 2, 1000


@dataclass(frozen=True)
class Quality:
    """Two distances from the style, and the share of captions followed.

    Attributes:
        latents: Fréchet distance of the latents.
        patches: sliced Wasserstein distance of the patches of 7 x 7 pixels.
    """

    latents: float
    patches: float
    followed: float

    def is_good(self, start: Quality) -> bool:
        """Tell whether it is what is wanted, beside the quality at the start."""
        is_close = self.latents <= CLOSE * start.latents and self.patches <= CLOSE * start.patches
        return is_close and self.followed >= FOLLOWED


class Judge:
    """Makes pictures of the subjects that the model never saw, always from the same seeds, and looks at them.

    Attributes:
        start: the quality without a network.
    """

    def __init__(self, style: Style, encoder: Encoder, denoiser: Denoiser, decode: Callable[..., Any]) -> None:
        """`decode` returns pictures [batch, 3, height, width] in -1..1 of scaled latents."""
        self._style, self._encoder, self._denoiser, self._decode = style, encoder, denoiser, decode
        self._texts = [captions.caption(subject) for subject in captions.held_out() * _TIMES]
        known = ["", *dict.fromkeys(self._texts)]
        self._known = dict(zip(known, (one.text for one in encoder.encode_texts(known)), strict=True))
        self._fresh = style.fresh()
        self._latents = self._encoded(self._fresh)
        self.start = self.look(self.pictures())

    def predictor(self, texts: Sequence[str]) -> Callable[[torch.Tensor, int], torch.Tensor]:
        """Return what predicts the noise in latents [batch, 4, h, w], one caption each, at a timestep."""
        context = torch.stack([self._known[text] for text in texts])

        def predict(latents: torch.Tensor, timestep: int) -> torch.Tensor:
            at = torch.full((len(latents),), timestep)
            return self._denoiser.predict(latents, at, Conditioning(context))

        return predict

    def pictures(self) -> list[Image.Image]:
        """Return two pictures of each subject, made by the U-Net as it is now."""
        latents = sample.sample_latents(self, self._texts, range(_SEED, _SEED + len(self._texts)), _SAMPLING)
        return data.to_pictures(self._decode(latents))

    def given_back(self) -> list[Image.Image]:
        """Return true pictures of the same subjects in the style, as the autoencoder gives them back."""
        shown = self._style.fresh(1)[: len(self._texts)]
        with torch.no_grad():
            return data.to_pictures(self._decode(self._encoded(shown)))

    def look(self, pictures: Sequence[Image.Image]) -> Quality:
        """Return the quality of pictures as `pictures` makes them."""
        followed = [self._style.follows(*pair) for pair in zip(pictures, self._texts, strict=True)]
        return Quality(
            frechet_distance(self._encoded(pictures), self._latents),
            measures.patch_distance(pictures, self._fresh),
            sum(followed) / len(followed),
        )

    @torch.no_grad()
    def _encoded(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        tensors = torch.stack([data.to_tensor(picture) for picture in pictures])
        return self._encoder.encode_pictures(data.as_input(tensors))
