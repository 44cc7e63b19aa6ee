"""The vectors that are trained, after Gal et al., "An Image is Worth One Word" (2022)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..base.errors import SettingsError
from ..network.hypernetwork import Hypernetwork
from ..network.structure import Structure
from ..ports import WordEncoder

#: The key of the vectors where a model has one text encoder, as `.safetensors` files of others have it.
SINGLE = "emb_params"
#: The keys where it has two, as the WebUI's files of SDXL have them.
PAIR = ("clip_g", "clip_l")

Vectors = Mapping[str, Tensor]


class Embeddings(nn.Module):
    """Vectors of words, float32.

    Args:
        vectors: for each name those of each text encoder, by its key in files, [vectors, width].
    """

    def __init__(self, vectors: Mapping[str, Vectors]) -> None:
        super().__init__()
        self.names = tuple(vectors)
        copied = ({key: value.detach().float().clone() for key, value in each.items()} for each in vectors.values())
        self.words = nn.ModuleList(
            nn.ParameterDict({key: nn.Parameter(value) for key, value in each.items()}) for each in copied
        )

    @property
    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """The live vectors of each name, by the key of their text encoder."""
        return {name: dict(each.items()) for name, each in zip(self.names, self.words, strict=True)}  # type: ignore[operator]


class Learner(nn.Module):
    """A hypernetwork and embeddings that learn in one run; either may have no weights."""

    def __init__(self, network: Hypernetwork, embeddings: Embeddings) -> None:
        super().__init__()
        self.network = network
        self.embeddings = embeddings

    def nothing(self) -> Tensor:
        """Return 0 with a gradient of 0 for each vector, so that words that a step lacks take part in it."""
        return torch.stack([weight.sum() for weight in self.embeddings.parameters()]).sum() * 0


def no_network() -> Hypernetwork:
    """Return a hypernetwork for no width, which changes nothing, for a run of embeddings alone."""
    return Hypernetwork(Structure(), ()).eval()


def new_embeddings(wanted: Mapping[str, tuple[int, str]], words: WordEncoder) -> Embeddings:
    """Return embeddings that start as the tokens of a text do, as in the WebUI; without a text they start at 0.

    Args:
        wanted: the number of vectors of each name, and its initial text.

    Raises:
        SettingsError: a text has no token.
    """
    vectors = {}
    for name, (count, text) in wanted.items():
        found = words.initial(text or "*")
        if any(not len(each) for each in found.values()):
            raise SettingsError("embedding.initial_text", f"{text!r} has no token that {name} could start from")
        chosen = {key: _spread(each, count) for key, each in found.items()}
        vectors[name] = chosen if text else {key: torch.zeros_like(each) for key, each in chosen.items()}
    return Embeddings(vectors)


def _spread(tokens: Tensor, count: int) -> Tensor:
    """Return `count` rows of tokens [tokens, width], evenly from the first `count` of them, as the WebUI does."""
    first = tokens[:count]
    return first[[number * len(first) // count for number in range(count)]].float().cpu()
