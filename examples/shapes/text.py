"""Captions to token numbers and context, with a token table that holds only the words in use while it is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from hypernetwork_workbench.standalone.clip_tokenizer import load_tokenizer
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from .captions import PARTIAL_STYLES, caption, short_captions, subjects
from .draw import PLAIN
from .models import TEXT

_TABLE = "text_model.embeddings.token_embedding.weight"


def token_ids(texts: Sequence[str]) -> torch.Tensor:
    """Return CLIP's token numbers [batch, 77], int64."""
    batch = load_tokenizer()(list(texts), padding="max_length", truncation=True, max_length=77, return_tensors="pt")
    return batch["input_ids"]


def known_texts() -> list[str]:
    """Return every caption that training may use, the empty one first."""
    texts = [""]
    for subject in subjects():
        texts += [caption(subject, style) for style in (PLAIN, *PARTIAL_STYLES)]
        texts += short_captions(subject)
    return sorted(set(texts))


def known_tokens() -> list[int]:
    """Return the numbers of all tokens in these captions, in ascending order."""
    return tokens_of(known_texts())


def tokens_of(texts: Sequence[str]) -> list[int]:
    """Return the numbers of all tokens in texts, in ascending order."""
    return sorted(set(token_ids(texts).flatten().tolist()))


class SmallVocabulary(nn.Module):
    """The text model with a table of the known tokens only: 20 rows train faster than 49,408.

    `shape` is that of `transformers`; `padding` is what stands after the end mark, the end mark again by default;
    `tokens` are the numbers of the known tokens, those of `known_texts` by default.
    """

    def __init__(
        self, shape: Mapping[str, Any] = TEXT, padding: int | None = None, tokens: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.shape, self.padding = shape, padding
        self.model = CLIPTextModel(CLIPTextConfig(**shape))
        known = known_tokens() if tokens is None else tokens
        self.known = sorted({*known, *([] if padding is None else [padding])})
        numbers = torch.full((self.model.config.vocab_size,), -1, dtype=torch.long)
        numbers[self.known] = torch.arange(len(self.known))
        self.numbers = numbers
        table = nn.Embedding(len(self.known), self.model.config.hidden_size)
        nn.init.normal_(table.weight, std=0.02)
        self.model.text_model.embeddings.token_embedding = table

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the context [batch, 77, width] of CLIP token numbers [batch, 77].

        Raises:
            ValueError: there is an unknown token.
        """
        return self.outputs(ids).last_hidden_state

    def outputs(self, ids: torch.Tensor) -> Any:
        """Return the outputs of all layers for CLIP token numbers [batch, 77], which end marks fill up.

        Raises:
            ValueError: there is an unknown token.
        """
        if self.padding is not None:
            behind = torch.arange(ids.shape[1]) > ids.argmax(dim=1, keepdim=True)
            ids = ids.masked_fill(behind, self.padding)
        numbers = self.numbers[ids]
        if bool((numbers < 0).any()):
            raise ValueError("ids: a token is not among the words of the demo's captions.")
        return self.model(input_ids=numbers, output_hidden_states=True)

    @torch.no_grad()
    def take(self, full: CLIPTextModel) -> None:
        """Take the weights of a text model with the whole table; tokens that it never learnt begin near the others."""
        weights = dict(full.state_dict())
        table = weights[_TABLE][self.known].clone()
        is_new = (table == 0).all(dim=1)
        learnt = table[~is_new]
        noise = torch.randn(int(is_new.sum()), table.shape[1])
        table[is_new] = learnt.mean(dim=0) + 0.5 * learnt.std(dim=0) * noise
        self.model.load_state_dict({**weights, _TABLE: table})

    def full_model(self) -> CLIPTextModel:
        """Return a text model with CLIP's whole token table; the rows of tokens that were never trained are zero."""
        full = CLIPTextModel(CLIPTextConfig(**self.shape))
        weights = dict(self.model.state_dict())
        table = torch.zeros_like(full.state_dict()[_TABLE])
        table[self.known] = weights[_TABLE].detach()
        full.load_state_dict({**weights, _TABLE: table})
        return full


def contexts_of(model: CLIPTextModel, texts: Iterable[str]) -> torch.Tensor:
    """Return the context [batch, 77, width] of any texts, from a model with the whole table."""
    with torch.no_grad():
        return model(input_ids=token_ids(list(texts))).last_hidden_state
