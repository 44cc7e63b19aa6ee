"""How far generated pictures are from a dataset in style: the Fréchet distance of their latents.

The measure is that of Heusel et al., "GANs Trained by a Two Time-Scale Update Rule" (2017), on the latents of the
model's own VAE in place of Inception's features, so that nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from ..data.dataset import Dataset
from ..data.encoding import Cache, encode_parts
from ..data.images import to_tensor
from ..ports import Encoder, PictureRequest, Ports

_PIXELS_AT_ONCE = 32 * 64 * 64
_MOST_AT_ONCE = 32


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Return the Fréchet distance (Dowson and Landau, 1982) between latents [batch, channels, height, width].

    Every position counts as one sample of the channels, and both sides are taken as normal distributions. The two may
    have other numbers and sizes of pictures.
    """
    return _distance(_moments([first]), _moments([second]))


@dataclass(frozen=True)
class StyleMeasure:
    """Compares pictures of always the same prompts and seeds with a dataset.

    Attributes:
        requests: the pictures to generate.
        mean, covariance: of the dataset's latents, [4] and [4, 4], float64.
    """

    requests: tuple[PictureRequest, ...]
    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, dataset: Dataset, base: PictureRequest, count: int, ports: Ports, cache: Cache | None) -> StyleMeasure:
        """Return the measure for a dataset.

        Args:
            base: sampler, size and first seed of the pictures.
            count: of the pictures; their prompts are captions of the dataset, in turn.

        Raises:
            DatasetError: a picture can no longer be read, or the user stopped the run.
        """
        taught = tuple(dataset.samples[number] for number in dataset.taught)
        shown = replace(dataset, samples=taught, is_deterministic=True, sampling="deterministic")
        (encoded,) = encode_parts((shown,), ports, cache)
        mean, covariance = _moments([encoded.batch([item], 0).latents for item in range(len(encoded))])
        stride = max(1, len(taught) // count)
        prompts = [taught[number * stride % len(taught)].caption for number in range(count)]
        requests = (replace(base, prompt=text, seed=base.seed + number) for number, text in enumerate(prompts))
        return cls(tuple(requests), mean, covariance)

    @torch.no_grad()
    def distance(self, pictures: Sequence[Image.Image], encoder: Encoder) -> float:
        """Return the distance of pictures from the dataset; 0 where their latents are spread alike."""
        latents = [encoder.encode_pictures(batch).double().cpu() for batch in _batches(pictures)]
        return _distance(_moments(latents), (self.mean, self.covariance))


def _batches(pictures: Sequence[Image.Image]) -> Iterator[Tensor]:
    """Yield pictures of one size, a few at a time, [batch, 3, height, width] in -1..1."""
    sizes: dict[tuple[int, int], list[Image.Image]] = {}
    for picture in pictures:
        sizes.setdefault(picture.size, []).append(picture)
    for (width, height), group in sizes.items():
        count = max(1, min(_MOST_AT_ONCE, _PIXELS_AT_ONCE // (width * height)))
        for start in range(0, len(group), count):
            yield torch.stack([to_tensor(picture.convert("RGB")) for picture in group[start : start + count]])


def _moments(latents: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    parts = [one.double().permute(0, 2, 3, 1).reshape(-1, one.shape[1]) for one in latents]
    samples = torch.cat(parts)
    return samples.mean(dim=0), torch.cov(samples.T)


def _distance(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> float:
    (mean_1, covariance_1), (mean_2, covariance_2) = one, other
    root_1 = _matrix_root(covariance_1)
    cross = _matrix_root(root_1 @ covariance_2 @ root_1)
    spread = torch.trace(covariance_1 + covariance_2 - 2 * cross)
    return float(((mean_1 - mean_2).square().sum() + spread).clamp(min=0.0))


def _matrix_root(matrix: Tensor) -> Tensor:
    """Return the symmetric square root of a symmetric, positive semi-definite matrix."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return vectors @ torch.diag(values.clamp(min=0.0).sqrt()) @ vectors.T
