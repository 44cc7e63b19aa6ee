"""The port `Encoder` on VAE and text encoders of a pipeline: texts are read as the WebUI reads them.

Weights in brackets, BREAK and any length are understood, which the pipelines of diffusers themselves do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...hypernetworks.base.errors import TrainingError
from ...hypernetworks.conditioning import Conditioning
from ...hypernetworks.kernels.tensors import digest
from ...hypernetworks.texts.prompts import parse, weighted
from .parts import Parts
from .weights import as_text

_CPU = torch.device("cpu")
_MARKS = 2
#: SDXL takes the layer before the last one of its text encoders, without the norm behind it.
_XL_LAYER = -2

#: Token ids of at most 75 with their weights.
Chunk = tuple[list[int], list[float]]


class PipelineEncoder:
    """VAE and text encoders of a pipeline, which are moved to `device`."""

    def __init__(self, parts: Parts, device: torch.device) -> None:
        self._vae, self._texts, self._device = parts.vae, parts.texts, device
        self._encoders = [encoder for _, encoder in parts.texts]
        self._is_xl = len(parts.texts) > 1
        self._scale = float(parts.vae.config.scaling_factor)
        self._modules: list[nn.Module] = [self._vae, *self._encoders]
        self._away: list[nn.Module] = []
        for module in self._modules:
            module.to(device)

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """Return the most likely latents [batch, 4, height / 8, width / 8], scaled."""
        return self.encode_posterior(pictures)[0]

    def encode_posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the latents, each [batch, 4, height / 8, width / 8], scaled."""
        with self._needed(self._vae), torch.no_grad():
            posterior = self._vae.encode(pictures.to(self._device, self._vae.dtype)).latent_dist
            return self._scale * posterior.mean.float(), self._scale * posterior.std.float()

    def decode(self, latents: Tensor) -> Tensor:
        """Return pictures [batch, 3, height, width] from 0 to 1 of scaled latents."""
        with self._needed(self._vae), torch.no_grad():
            found = self._vae.decode(latents.to(self._device, self._vae.dtype) / self._scale).sample
        return (found.float() / 2 + 0.5).clamp(0, 1)

    def picture_fingerprint(self) -> str:
        """Return the hash of the VAE's weights and settings."""
        return digest(self._vae.state_dict(), as_text(dict(self._vae.config)))

    def text_fingerprint(self) -> str:
        """Return the hash of the weights and settings of text encoders and tokenizers."""
        found = [_text_fingerprint(tokenizer, encoder) for tokenizer, encoder in self._texts]
        return digest({}, " ".join(found))

    def encode_texts(self, texts: Sequence[str]) -> Sequence[Conditioning]:
        """Return the conditionings of the texts, each as it would be encoded alone, in float32.

        Raises:
            TrainingError: one is not finite.
        """
        found: dict[str, Conditioning] = {}
        by_count: dict[int, list[str]] = {}
        for text in dict.fromkeys(texts):
            by_count.setdefault(self._count([text]), []).append(text)
        for alike in by_count.values():
            found |= dict(zip(alike, self.encode_together(alike), strict=True))
        for text, each in found.items():
            if not each.is_finite():
                raise TrainingError(f"the text encoder gives no finite numbers for the caption {text!r}")
        return [found[text] for text in texts]

    def encode_together(self, texts: Sequence[str]) -> list[Conditioning]:
        """Return the conditionings of the texts, all with as many tokens as the longest one."""
        count = self._count(texts)
        with self._needed(*self._encoders), torch.no_grad():
            found = [self._encoded(tokenizer, encoder, texts, count) for tokenizer, encoder in self._texts]
        contexts = torch.cat([context for context, _ in found], dim=-1).float()
        pooled = found[-1][1]
        vectors = [None] * len(texts) if pooled is None else list(pooled.float())
        return [Conditioning(*pair) for pair in zip(contexts, vectors, strict=True)]

    def text_encoder_loaded(self) -> AbstractContextManager[None]:
        """Return a context in which the text encoders stay on their device, so that many texts need only one move."""
        return self._needed(*self._encoders)

    def loaded(self) -> AbstractContextManager[None]:
        """Return a context in which VAE and text encoders are on their device."""
        return self._needed(*self._modules)

    def loaded_bytes(self) -> int:
        """Return the bytes that VAE and text encoders take on the GPU, which `unloaded` frees there."""
        if self._device.type == "cpu":
            return 0
        present = [module for module in self._modules if not self._is_away(module)]
        return sum(weight.nbytes for module in present for weight in module.parameters())

    @contextmanager
    def unloaded(self) -> Iterator[None]:
        """Keep VAE and text encoders in main memory, except while something needs one."""
        gone = [] if self._device.type == "cpu" else [each for each in self._modules if not self._is_away(each)]
        with self._moved(gone, is_away=True):
            yield

    @contextmanager
    def _needed(self, *modules: nn.Module) -> Iterator[None]:
        with self._moved([module for module in modules if self._is_away(module)], is_away=False):
            yield

    @contextmanager
    def _moved(self, modules: list[nn.Module], is_away: bool) -> Iterator[None]:
        try:
            self._move(modules, is_away)
            yield
        finally:
            self._move(modules, not is_away)

    def _move(self, modules: list[nn.Module], is_away: bool) -> None:
        for module in modules:
            module.to(_CPU if is_away else self._device)
        self._away = [each for each in self._away if each not in modules] + (modules if is_away else [])
        if modules and is_away and self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _is_away(self, module: nn.Module) -> bool:
        return any(module is each for each in self._away)

    def _count(self, texts: Sequence[str]) -> int:
        """Return the number of chunks of the longest text."""
        counts = (len(_chunks(one, _room(other), text)) for one, other in self._texts for text in texts)
        return max(counts)

    def _encoded(self, tokenizer: Any, encoder: Any, texts: Sequence[str], count: int) -> tuple[Tensor, Tensor | None]:
        """Return contexts [texts, tokens, width], and SDXL's vectors [texts, width] where the encoder pools them."""
        prompts = [_chunks(tokenizer, _room(encoder), text) for text in texts]
        rows = [row for chunks in prompts for row in [*chunks, *[([], [])] * (count - len(chunks))]]
        ids, weights = _padded(tokenizer, _room(encoder), rows)
        output = encoder(ids.to(self._device), output_hidden_states=self._is_xl)
        hidden = output.hidden_states[_XL_LAYER] if self._is_xl else output.last_hidden_state
        context = weighted(hidden, weights.to(self._device)).reshape(len(texts), -1, hidden.shape[-1])
        pooled = getattr(output, "text_embeds", None) if self._is_xl else None
        return context, None if pooled is None else pooled.reshape(len(texts), count, -1)[:, 0]


def _text_fingerprint(tokenizer: Any, encoder: Any) -> str:
    words = as_text(tokenizer.get_vocab())
    return digest(encoder.state_dict(), f"{encoder.config.to_json_string()} {tokenizer.pad_token_id} {words}")


def _room(encoder: Any) -> int:
    """Return the tokens that a text encoder takes besides the marks."""
    return int(encoder.config.max_position_embeddings) - _MARKS


def _chunks(tokenizer: Any, size: int, text: str) -> list[Chunk]:
    """Return the parts of a text, of at most `size` tokens each; there is at least one, which may be empty."""
    found: list[Chunk] = []
    for section in parse(text):
        ids: list[int] = []
        weights: list[float] = []
        for part, weight in section:
            tokens = tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]
            ids += tokens
            weights += [weight] * len(tokens)
        found += [(ids[start : start + size], weights[start : start + size]) for start in range(0, len(ids), size)]
    return found or [([], [])]


def _padded(tokenizer: Any, room: int, rows: Sequence[Chunk]) -> tuple[Tensor, Tensor]:
    """Return token ids with marks and padding, and their weights, both [rows, room + 2]."""
    start, end, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    fill = end if pad is None else pad
    missing = [room - len(ids) for ids, _ in rows]
    ids = [[start, *ids, end, *[fill] * rest] for (ids, _), rest in zip(rows, missing, strict=True)]
    weights = [[1.0, *given, 1.0, *[1.0] * rest] for (_, given), rest in zip(rows, missing, strict=True)]
    return torch.tensor(ids), torch.tensor(weights)
