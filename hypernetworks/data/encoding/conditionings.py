"""Conditionings: texts encoded once where captions are fixed, and all at once per epoch where they vary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from ...base.forms import Array, Record
from ...conditioning import Conditioning
from ...kernels.devices import move
from ...ports import Encoder, Progress, WordEncoder
from ..dataset import Dataset
from ..progress import report
from .cache import Cache, fingerprint

_ENCODED_AT_ONCE = 8


class Conditionings:
    """The conditioning of each item, as an epoch shows it.

    Args:
        cache: where fixed texts are stored; texts that vary are not.
        width: of the encoded texts, where it is known.
        vector_width: of their vectors; 0 where they have none.
    """

    def __init__(
        self,
        dataset: Dataset,
        encoder: Encoder,
        cache: Cache | None = None,
        width: int | None = None,
        vector_width: int = 0,
    ) -> None:
        self._dataset = dataset
        self._encoder = encoder
        self._cache = None if dataset.varies else cache
        vector = {"vector": Array((vector_width,), torch.float32)} if vector_width else {}
        self._form = Record({"conditioning": Array((None, width), torch.float32), **vector})
        self._epoch = -1
        self._device = torch.device("cpu")
        self._encoded: dict[str, Conditioning] = {}
        self._words: WordEncoder | None = None
        self._with_words: dict[str, bool] = {}

    def train_words(self, words: WordEncoder) -> None:
        """Encode texts that hold words which are trained whenever they are asked for, with gradients."""
        self._words = words

    def batch(self, items: Sequence[int], epoch: int) -> Conditioning:
        """Return the conditioning, without sizes, of a batch of items as an epoch shows them.

        A text that is longer than the encoder takes at once has several parts; shorter ones in the batch are filled
        up with empty parts, as the host does.
        """
        self.prepare(epoch)
        empty = self._encoded[""]
        is_dropped = [self._dataset.is_text_dropped(item, epoch) for item in items]
        texts = ["" if is_empty else self._text(item, epoch) for item, is_empty in zip(items, is_dropped, strict=True)]
        live = self._live(texts)
        found = [live[text] if text in live else self._encoded[text] for text in texts]
        if live:  # gradients need not go through main memory
            device = next(iter(live.values())).text.device
            empty, *found = [each.map(lambda part: part.to(device)) for each in (empty, *found)]
        text = padded([each.text for each in found], empty.text)
        vectors = [each.vector for each in found if each.vector is not None]
        if not vectors:
            return Conditioning(text)
        vector = torch.stack(vectors)
        for number, is_empty in enumerate(is_dropped):
            # Models with a vector know zeros as a picture without a caption: they were trained so, and hosts take zeros
            # for an empty negative prompt.
            if is_empty:
                text[number], vector[number] = 0, 0
        return Conditioning(text, vector)

    @property
    def size_bytes(self) -> int:
        """The bytes that the texts of the epoch take."""
        return sum(conditioning.nbytes for conditioning in self._encoded.values())

    def keep_on(self, device: torch.device) -> None:
        """Move the conditionings to `device`, and those of later epochs too."""
        self._device = device
        self._encoded = {
            text: conditioning.map(lambda part: move(part, device)) for text, conditioning in self._encoded.items()
        }

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
        self._with_words.clear()
        self._encoded = self._encode((text for text in texts if not self._is_trained(text)), progress)
        if self._device.type != "cpu":
            self.keep_on(self._device)

    def _text(self, item: int, epoch: int) -> str:
        return self._dataset.text(item, epoch)

    def _is_trained(self, text: str) -> bool:
        if self._words is None:
            return False
        if text not in self._with_words:
            self._with_words[text] = bool(self._words.words_in(text))
        return self._with_words[text]

    def _live(self, texts: Sequence[str]) -> dict[str, Conditioning]:
        """Return the conditionings of those of the texts that hold words which are trained."""
        wanted = [text for text in dict.fromkeys(texts) if self._is_trained(text)]
        if not wanted or self._words is None:
            return {}
        found = self._words.encode(wanted)
        return {text: each.map(lambda part: part.float()) for text, each in zip(wanted, found, strict=True)}

    def _encode(self, texts: Iterable[str], progress: Progress | None) -> dict[str, Conditioning]:
        wanted = sorted(texts)
        names: dict[str, str] = {}
        found: dict[str, Conditioning] = {}
        if self._cache is not None:
            encoder = self._encoder.text_fingerprint()
            names = {text: fingerprint("text", encoder, text) for text in wanted}
            loaded = ((text, self._cache.load(names[text], self._form)) for text in wanted)
            found = {text: Conditioning(kept["conditioning"], kept.get("vector")) for text, kept in loaded if kept}
        missing = [text for text in wanted if text not in found]
        with self._encoder.text_encoder_loaded() if missing else nullcontext():
            for start in range(0, len(missing), _ENCODED_AT_ONCE):
                if progress is not None:
                    report(progress, start, len(missing), "Encoding captions")
                chunk = missing[start : start + _ENCODED_AT_ONCE]
                for text, conditioning in zip(chunk, self._encoder.encode_texts(chunk), strict=True):
                    found[text] = stored = conditioning.map(lambda part: part.float().cpu())
                    if self._cache is not None:
                        vector = {} if stored.vector is None else {"vector": stored.vector}
                        self._cache.store(names[text], {"conditioning": stored.text, **vector})
        return found


def padded(texts: Sequence[Tensor], empty: Tensor) -> Tensor:
    """Return [batch, tokens, width] of encoded texts [tokens, width], the shorter ones filled up with `empty`."""
    longest = max(map(len, texts))
    rows = []
    for text in texts:
        missing = longest - len(text)
        filling = empty.repeat(-(-missing // len(empty)), 1)[:missing] if missing else empty[:0]
        rows.append(torch.cat([text, filling]))
    return torch.stack(rows)
