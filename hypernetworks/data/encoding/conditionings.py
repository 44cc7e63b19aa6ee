"""Conditionings: texts encoded once where captions are fixed, and all at once per epoch where they vary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from ...base.forms import Array, Record
from ...kernels.devices import move
from ...ports import Encoder, Progress
from ..dataset import Dataset
from ..progress import report
from .cache import Cache, fingerprint

_ENCODED_AT_ONCE = 8


class Conditionings:
    """The conditioning of each item, as an epoch shows it.

    Args:
        cache: where fixed texts are stored; texts that vary are not.
        width: of the conditionings, where it is known.
    """

    def __init__(
        self, dataset: Dataset, encoder: Encoder, cache: Cache | None = None, width: int | None = None
    ) -> None:
        self._dataset = dataset
        self._encoder = encoder
        self._cache = None if dataset.varies else cache
        self._form = Record({"conditioning": Array((None, width), torch.float32)})
        self._epoch = -1
        self._device = torch.device("cpu")
        self._encoded: dict[str, Tensor] = {}

    def batch(self, items: Sequence[int], epoch: int) -> Tensor:
        """Return the conditionings [batch, tokens, width] of items as an epoch shows them.

        A text that is longer than the encoder takes at once has several parts; shorter ones in the batch are filled
        up with empty parts, as the host does.
        """
        self.prepare(epoch)
        texts = ["" if self._dataset.is_text_dropped(item, epoch) else self._text(item, epoch) for item in items]
        found = [self._encoded[text] for text in texts]
        return padded(found, self._encoded[""])

    @property
    def size_bytes(self) -> int:
        """The bytes that the texts of the epoch take."""
        return sum(conditioning.nbytes for conditioning in self._encoded.values())

    def keep_on(self, device: torch.device) -> None:
        """Move the conditionings to `device`, and those of later epochs too."""
        self._device = device
        self._encoded = {text: move(conditioning, device) for text, conditioning in self._encoded.items()}

    @torch.no_grad()
    def prepare(self, epoch: int, progress: Progress | None = None) -> None:
        """Encode the texts of an epoch, unless that is done.

        Args:
            progress: shows how far this is; if the user stops it, a DatasetError is raised.
        """
        if self._encoded and (epoch == self._epoch or not self._dataset.varies):
            return
        # All texts of the epoch in one order, so that a resumed run encodes the same batches and gets the same bits.
        self._epoch = epoch
        texts = {self._text(item, epoch) for item in range(len(self._dataset.items))} | {""}
        self._encoded = self._encode(texts, progress)
        if self._device.type != "cpu":
            self.keep_on(self._device)

    def _text(self, item: int, epoch: int) -> str:
        return self._dataset.text(item, epoch)

    def _encode(self, texts: Iterable[str], progress: Progress | None) -> dict[str, Tensor]:
        wanted = sorted(texts)
        names: dict[str, str] = {}
        found: dict[str, Tensor] = {}
        if self._cache is not None:
            encoder = self._encoder.text_fingerprint()
            names = {text: fingerprint("text", encoder, text) for text in wanted}
            kept = ((text, self._cache.load(names[text], self._form)) for text in wanted)
            found = {text: tensors["conditioning"] for text, tensors in kept if tensors is not None}
        missing = [text for text in wanted if text not in found]
        with self._encoder.text_encoder_loaded() if missing else nullcontext():
            for start in range(0, len(missing), _ENCODED_AT_ONCE):
                if progress is not None:
                    report(progress, start, len(missing), "Encoding captions")
                chunk = missing[start : start + _ENCODED_AT_ONCE]
                for text, conditioning in zip(chunk, self._encoder.encode_texts(chunk), strict=True):
                    found[text] = conditioning.float().cpu()
                    if self._cache is not None:
                        self._cache.store(names[text], {"conditioning": found[text]})
        return found


def padded(conditionings: Sequence[Tensor], empty: Tensor) -> Tensor:
    """Return [batch, tokens, width] of conditionings [tokens, width], the shorter ones filled up with `empty`."""
    longest = max(map(len, conditionings))
    rows = []
    for conditioning in conditionings:
        missing = longest - len(conditioning)
        filling = empty.repeat(-(-missing // len(empty)), 1)[:missing] if missing else empty[:0]
        rows.append(torch.cat([conditioning, filling]))
    return torch.stack(rows)
