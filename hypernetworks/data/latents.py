"""Latents and conditionings: every picture and caption encoded once, before the first step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..ports import Encoder, Progress
from ..randomness import derived_seed
from .dataset import Dataset

_ENCODED_AT_ONCE = 8


@dataclass(frozen=True)
class EncodedDataset:
    """A dataset as the U-Net takes it.

    Attributes:
        latents: [pictures, 4, height / 8, width / 8], float32.
        conditionings: [pictures, tokens, width].
        empty: conditioning of the empty text, [tokens, width].
    """

    latents: Tensor
    conditionings: Tensor
    empty: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    def split(self, held_out: int) -> tuple[EncodedDataset, EncodedDataset]:
        """The pictures to train on, and so many held out; the same ones in every run over the same pictures."""
        generator = torch.Generator().manual_seed(derived_seed(0, "held out", len(self)))
        order = torch.randperm(len(self), generator=generator)
        return self._some(order[held_out:].sort().values), self._some(order[:held_out].sort().values)

    def _some(self, indices: Tensor) -> EncodedDataset:
        return EncodedDataset(self.latents[indices], self.conditionings[indices], self.empty)


@torch.no_grad()
def encode(dataset: Dataset, encoder: Encoder, progress: Progress) -> EncodedDataset:
    """Encodes all pictures and captions; each different caption once."""
    latents: list[Tensor] = []
    for start in range(0, len(dataset), _ENCODED_AT_ONCE):
        indices = range(start, min(start + _ENCODED_AT_ONCE, len(dataset)))
        progress.report(start, len(dataset), "Encoding pictures")
        latents.append(encoder.encode_pictures(torch.stack([dataset.picture(index) for index in indices])).float())
    texts = sorted({sample.caption for sample in dataset.samples} | {""})
    encoded: dict[str, Tensor] = {}
    for start in range(0, len(texts), _ENCODED_AT_ONCE):
        chunk = texts[start : start + _ENCODED_AT_ONCE]
        encoded.update(zip(chunk, encoder.encode_texts(chunk), strict=True))
    conditionings = torch.stack([encoded[sample.caption] for sample in dataset.samples])
    return EncodedDataset(torch.cat(latents), conditionings, encoded[""])
