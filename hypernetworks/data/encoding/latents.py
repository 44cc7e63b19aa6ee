"""Latents: every picture encoded once, before the first step, and batched as an epoch shows them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...base.forms import Array, Record
from ...base.randomness import derived_seed
from ...conditioning import Conditioning
from ...kernels.devices import to_device
from ...kernels.memory import free_bytes
from ...ports import Encoder, Ports, Progress
from ..dataset import Dataset, Sample, View
from ..masks import LATENT_PX
from .cache import Cache, fingerprint
from .conditionings import Conditionings
from .views import EncodedView, encoded_views

#: Latents and conditionings stay on the GPU where they take no more than this share of its free memory.
_RESIDENT_SHARE = 0.1
_CHANNELS = 4
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """Pictures of one size in the form that the U-Net takes.

    Attributes:
        latents: [batch, 4, height / 8, width / 8], float32.
        conditioning: of the batch.
        weights: in the loss, [batch, 1, height / 8, width / 8]; None where all are 1.
    """

    latents: Tensor
    conditioning: Conditioning
    weights: Tensor | None


class EncodedDataset:
    """A dataset in the form that the U-Net takes; its length is the number of items in an epoch."""

    def __init__(self, dataset: Dataset, views: Sequence[EncodedView], texts: Conditionings, encoder: Encoder) -> None:
        self.dataset = dataset
        self._views = views
        self._texts = texts
        self._encoder = encoder
        self._device = torch.device("cpu")
        self._epoch = -1
        self._drawn: dict[View, EncodedView] = {}  # for one epoch alone

    def __len__(self) -> int:
        return len(self.dataset.items)

    def batch(self, items: Sequence[int], epoch: int) -> Batch:
        """Return the items, all of one size, as an epoch (from 0) shows them."""
        self._draw(epoch)
        views = [self.dataset.shown(item, epoch) for item in items]
        encoded = [self._encoded(view) for view in views]
        latents = torch.stack([self._latents(*pair, epoch) for pair in zip(items, views, strict=True)])
        conditioning = self._texts.batch(items, epoch)
        if conditioning.vector is not None:
            sizes = torch.tensor([self.dataset.sizes(view) for view in views])
            conditioning = replace(conditioning, sizes=sizes)
        return Batch(latents, conditioning, self._weights(items, encoded))

    def _encoded(self, view: View) -> EncodedView:
        number = self.dataset.number(view)
        return self._drawn[view] if number is None else self._views[number]

    @torch.no_grad()
    def _draw(self, epoch: int) -> None:
        """Encode the pictures that an epoch shows in another way, unless that is done.

        All of them in one order, so that a resumed run encodes the same batches and gets the same bits.
        """
        if epoch == self._epoch or not self.dataset.varied:
            return
        shown = dict.fromkeys(self.dataset.shown(item, epoch) for item in self.dataset.varied)
        views = [view for view in shown if self.dataset.number(view) is None]
        self._epoch, encoded = epoch, encoded_views(self.dataset, views, self._encoder)
        self._drawn = {view: found.on(self._device) for view, found in encoded}

    @property
    def size_bytes(self) -> int:
        """The bytes that latents, masks and the present conditionings take."""
        tensors = [part for view in self._views for part in (view.mean, view.std, view.mask) if part is not None]
        return sum(tensor.nbytes for tensor in tensors) + self._texts.size_bytes

    def keep_on_if_it_fits(self, device: torch.device) -> None:
        """Move everything to `device`, if it takes a small share of the free memory, so that batches are made there."""
        if device.type == "cpu" or self.size_bytes > _RESIDENT_SHARE * free_bytes(device):
            return
        self._views = [view.on(device) for view in self._views]
        self._drawn = {view: found.on(device) for view, found in self._drawn.items()}
        self._device = device
        self._texts.keep_on(device)

    def _latents(self, item: int, view: View, epoch: int) -> Tensor:
        encoded, sampling = self._encoded(view), self.dataset.sampling
        if sampling == "deterministic":
            return encoded.mean
        number = self.dataset.number(view)
        address = ("latents", epoch, item) if sampling == "random" or number is None else ("latents", number)
        generator = torch.Generator().manual_seed(derived_seed(self.dataset.seed, *address))
        noise = torch.randn(encoded.mean.shape, generator=generator)
        return encoded.mean + encoded.std * to_device(noise, encoded.mean.device)

    def _weights(self, items: Sequence[int], views: Sequence[EncodedView]) -> Tensor | None:
        weights = [1.0 if self.dataset.is_deterministic else self._sample(item).weight for item in items]
        masks = [view.mask for view in views]
        if all(weight == 1 for weight in weights) and all(mask is None for mask in masks):
            return None
        like = views[0].mean[:1]
        rows = [
            weight * (torch.ones_like(like) if mask is None else mask)
            for weight, mask in zip(weights, masks, strict=True)
        ]
        return torch.stack(rows)

    def _sample(self, item: int) -> Sample:
        return self.dataset.samples[self.dataset.items[item].sample]


def encode(
    dataset: Dataset,
    encoder: Encoder,
    progress: Progress,
    cache: Cache | None = None,
    text_width: int | None = None,
    vector_width: int = 0,
) -> EncodedDataset:
    """Encode all pictures and fixed captions, each different one once, or take them from `cache`.

    Args:
        text_width: of the encoded captions, where it is known.
        vector_width: of their vectors; 0 where they have none.

    Raises:
        DatasetError: a picture can no longer be read, or the user stopped the run.
    """
    return _encoded(dataset, encoder, progress, cache, Conditionings(dataset, encoder, cache, text_width, vector_width))


@torch.no_grad()
def _encoded(
    dataset: Dataset, encoder: Encoder, progress: Progress, cache: Cache | None, texts: Conditionings
) -> EncodedDataset:
    if not dataset.views:
        return EncodedDataset(dataset, [], texts, encoder)
    names = _names(dataset, encoder) if cache is not None else []
    views: dict[int, EncodedView] = {}
    for number, name in enumerate(names):
        found = cache.load(name, _form(dataset, dataset.views[number])) if cache is not None else None
        if found is not None:
            views[number] = EncodedView(found["mean"], found["std"], found.get("mask"))
    missing = [number for number in range(len(dataset.views)) if number not in views]
    places = {view: number for number, view in enumerate(dataset.views)}
    for shown, view in encoded_views(dataset, [dataset.views[number] for number in missing], encoder, progress):
        views[places[shown]] = view
        if cache is not None:
            mask = {} if view.mask is None else {"mask": view.mask}
            cache.store(names[places[shown]], {"mean": view.mean, "std": view.std, **mask})
    _tell_masks(dataset, views)
    texts.prepare(0, progress)
    return EncodedDataset(dataset, [views[number] for number in range(len(dataset.views))], texts, encoder)


def encode_parts(parts: Sequence[Dataset], ports: Ports, cache: Cache | None) -> list[EncodedDataset]:
    """Encode parts of a dataset, or take them from `cache`, which stores what is new and is then pruned.

    Raises:
        DatasetError: a picture can no longer be read, or the user stopped the run.
    """
    widths = ports.denoiser.widths[0], ports.denoiser.vector_width
    encoded = []
    for part in parts:
        texts = Conditionings(part, ports.encoder, cache, *widths)
        if ports.words is not None:
            texts.train_words(ports.words)
        encoded.append(_encoded(part, ports.encoder, ports.progress, cache, texts))
    if cache is not None:
        cache.remember_pictures({sample.picture_digest: sample.size for part in parts for sample in part.samples})
        gone = cache.prune()
        if gone:
            _log.info("%d kept latents of other runs were deleted to stay below %d MB.", gone, cache.limit_mb)
    return encoded


def _names(dataset: Dataset, encoder: Encoder) -> list[str]:
    """Return the fingerprint of everything that the latents and the mask of each view depend on."""
    vae = encoder.picture_fingerprint()
    names = []
    for sample_number, frame, is_flipped, _ in dataset.views:
        sample = dataset.samples[sample_number]
        subset = sample.subset
        how = [frame.box, frame.width_px, frame.height_px, is_flipped, subset.background, subset.masks]
        names.append(fingerprint("picture", vae, sample.digest, *how))
    return names


def _form(dataset: Dataset, view: View) -> Record:
    """Return the form of what is stored of a view."""
    height, width = view.frame.height_px // LATENT_PX, view.frame.width_px // LATENT_PX
    latents = (_CHANNELS, height, width)
    tensors = {"mean": Array(latents, torch.float32), "std": Array(latents, torch.float32, minimum=0)}
    if dataset.samples[view.sample].subset.masks == "off":
        return Record(tensors)
    # A weight of mean 1 is at most the number of all weights.
    mask = Array((1, height, width), torch.float32, 0, height * width)
    return Record({**tensors, "mask": mask}, optional=frozenset({"mask"}))


def _tell_masks(dataset: Dataset, views: dict[int, EncodedView]) -> None:
    if all(sample.subset.masks == "off" for sample in dataset.samples):
        return
    masked = {dataset.views[number].sample for number, view in views.items() if view.mask is not None}
    _log.info(
        "Masks were read for %d of %d pictures; the others have none, or one that is the same all over.",
        len(masked),
        len(dataset),
    )
