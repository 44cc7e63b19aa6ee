"""A text encoder for words that are trained, beside the fakes of `fake_ports`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.embedding.vectors import SINGLE
from hypernetwork_workbench.hypernetworks.ports import Ports
from torch import Tensor

from tests.support.fake_ports import TEXT_WIDTH, FakeEncoder, fake_ports

#: Settings of a job on two words, alone or beside a network.
ALONE = {
    "data__template": "[filewords] [name]",
    "embedding__trains": "embedding",
    "embedding__names": "zork, blip",
    "embedding__vectors": "2, 1",
    "embedding__initial_text": "dark night\nred",
}
BOTH = ALONE | {"embedding__trains": "both"}


class FakeWords:
    """Adds the vectors of the words of a text to its encoding."""

    def __init__(self) -> None:
        self.words: dict[str, Mapping[str, Tensor]] = {}
        self.encoded: list[str] = []

    def initial(self, text: str) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(len(text))
        return {SINGLE: torch.randn(len(text.split()), TEXT_WIDTH, generator=generator)}

    @contextmanager
    def taking(self, words: Mapping[str, Mapping[str, Tensor]]) -> Iterator[None]:
        before, self.words = self.words, dict(words)
        try:
            yield
        finally:
            self.words = before

    def words_in(self, text: str) -> frozenset[str]:
        return frozenset(self.words) & frozenset(text.split())

    def encode(self, texts: Sequence[str]) -> list[Conditioning]:
        self.encoded += texts
        plain = FakeEncoder().encode_texts(texts)
        added = [sum(self.words[word][SINGLE].sum(0) for word in self.words_in(text)) for text in texts]
        return [Conditioning(one.text + more) for one, more in zip(plain, added, strict=True)]

    def loaded_bytes(self) -> int:
        return 0


def word_ports(folder: Path, stop_after: int | None = None) -> Ports:
    """Ports on the fakes of a host that can train words."""
    return replace(fake_ports(folder, stop_after), words=FakeWords(), embedding_dir=folder / "embeddings")
