"""Views of pictures as the VAE encodes them, a few of one size at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import ImageOps
from torch import Tensor

from ...base.errors import DatasetError, TrainingError
from ...base.outside import shown_name
from ...kernels.devices import move
from ...ports import Encoder, Progress
from ..dataset import Dataset, View
from ..images import framed, on_background, open_raw, original_size, to_tensor
from ..masks import mask_of, mask_weights
from ..pictures.variation import recoloured
from ..progress import report

_ENCODED_AT_ONCE = 8
#: The VAE's memory grows with the pixels of a batch: more of them cost memory that small cards lack, and are no faster.
_PIXELS_AT_ONCE = 2 * 512 * 512


@dataclass(frozen=True)
class EncodedView:
    """The VAE's encoding of a view.

    Attributes:
        mean, std: of the latents, [4, height / 8, width / 8], float32.
        mask: weights of mean 1, [1, height / 8, width / 8], or None.
    """

    mean: Tensor
    std: Tensor
    mask: Tensor | None

    def on(self, device: torch.device) -> EncodedView:
        """Return it on a device."""
        mask = None if self.mask is None else move(self.mask, device)
        return EncodedView(move(self.mean, device), move(self.std, device), mask)


def encoded_views(
    dataset: Dataset, views: Sequence[View], encoder: Encoder, progress: Progress | None = None
) -> Iterator[tuple[View, EncodedView]]:
    """Yield views with their encodings, a few of one size at a time.

    Raises:
        DatasetError: a picture can no longer be read, or the user stopped the run.
        TrainingError: the VAE gives no finite numbers for one.
    """
    done = 0
    for chunk in _chunks(views):
        if progress is not None:
            report(progress, done, len(views), "Encoding pictures")
        pictures = [_picture(dataset, view) for view in chunk]
        means, stds = encoder.encode_posterior(torch.stack([picture for picture, _ in pictures]))
        for view, mean, std, (_, mask) in zip(chunk, means, stds, pictures, strict=True):
            if not (mean.isfinite().all() and std.isfinite().all()):
                name = shown_name(dataset.samples[view.sample].path)
                raise TrainingError(
                    f"the VAE gives no finite numbers for {name}; choose another one, or start without a VAE in fp16"
                )
            yield view, EncodedView(mean.float().cpu(), std.float().cpu(), mask)
        done += len(chunk)


def _chunks(views: Sequence[View]) -> Iterator[list[View]]:
    """Yield the views to encode, a few of one size at a time."""
    groups: dict[tuple[int, int], list[View]] = {}
    for view in views:
        groups.setdefault((view.frame.width_px, view.frame.height_px), []).append(view)
    for (width, height), group in groups.items():
        count = max(1, min(_ENCODED_AT_ONCE, _PIXELS_AT_ONCE // (width * height)))
        yield from (group[start : start + count] for start in range(0, len(group), count))


def _picture(dataset: Dataset, view: View) -> tuple[Tensor, Tensor | None]:
    """Return a view as float32 [3, height, width] in -1..1, and the weights of its mask."""
    sample = dataset.samples[view.sample]
    raw = open_raw(sample.path)
    if original_size(raw) != sample.size:
        raise DatasetError(
            f"{shown_name(sample.path)}: the picture was changed after the run was planned; start it again"
        )
    picture = recoloured(framed(on_background(raw, sample.subset.background), view.frame), view.colours)
    mask = mask_of(raw, sample.subset.masks, sample.mask)
    weights = mask_weights(mask, view.frame, original_size(raw)) if mask is not None else None
    if view.is_flipped:
        picture = ImageOps.mirror(picture)
        weights = weights.flip(-1) if weights is not None else None
    return to_tensor(picture), weights
