"""The text encoder: CLIP as `transformers` builds it, fed with any number of 75-token chunks of weighted tokens."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from hypernetwork_workbench.hypernetworks.texts.prompts import weighted
from hypernetwork_workbench.standalone import clip_tokenizer
from torch import nn
from transformers import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

from modules import prompt_parser, shared

CHUNK = 75
HEAD_WIDTH = 64
"""Width of one attention head in every CLIP text model."""

State = dict[str, torch.Tensor]

_OPENCLIP_NAMES = {
    "positional_embedding": "embeddings.position_embedding.weight",
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
_OPENCLIP_PARTS = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def take_weights(state_dict: State) -> tuple[State, bool]:
    """Take the text encoder's weights, named as in CLIPTextModel, out of a checkpoint; True with those of SD2."""
    prefix, root = "cond_stage_model.", "transformer."
    text = {key.removeprefix(prefix): state_dict.pop(key) for key in list(state_dict) if key.startswith(prefix)}
    if "model.token_embedding.weight" in text:
        return openclip_to_transformers(text), True
    return {key.removeprefix(root): tensor for key, tensor in text.items() if key.startswith(root)}, False


def text_config(state_dict: State, params: dict[str, Any], is_sd2: bool) -> Any:
    """Return the shape of the text model, read off its weights; heads from the yaml if given."""
    vocabulary, width = state_dict["text_model.embeddings.token_embedding.weight"].shape
    layers = 1 + max(int(m[1]) for key in state_dict if (m := re.match(r"text_model\.encoder\.layers\.(\d+)\.", key)))
    heads = params.get("num_attention_heads") or params.get("heads") or max(1, width // HEAD_WIDTH)
    return CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=state_dict["text_model.encoder.layers.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=layers,
        num_attention_heads=int(heads),
        max_position_embeddings=state_dict["text_model.embeddings.position_embedding.weight"].shape[0],
        hidden_act=str(params.get("hidden_act") or ("gelu" if is_sd2 else "quick_gelu")),
        attn_implementation="sdpa",
    )


def openclip_to_transformers(source: State) -> State:
    """Return SD2's OpenCLIP weights (`model.transformer.resblocks...`) under the names of CLIPTextModel."""
    result = {}
    for full, tensor in source.items():
        key = full.removeprefix("model.")
        match = re.match(r"transformer\.resblocks\.(\d+)\.(.+?)[._](weight|bias)$", key)
        if key in _OPENCLIP_NAMES:
            result[f"text_model.{_OPENCLIP_NAMES[key]}"] = tensor
        elif match:
            layer, part, kind = match.groups()
            root = f"text_model.encoder.layers.{layer}"
            if part == "attn.in_proj":
                for name, piece in zip("qkv", tensor.chunk(3), strict=True):
                    result[f"{root}.self_attn.{name}_proj.{kind}"] = piece.clone()
            elif part in _OPENCLIP_PARTS:
                result[f"{root}.{_OPENCLIP_PARTS[part]}.{kind}"] = tensor
    return result


class PromptChunkFix(NamedTuple):
    """An embedding, and the token of its chunk that it begins at."""

    offset: int
    embedding: Any


@dataclass
class PromptChunk:
    """A part of a prompt: token ids with their weights, at most 75, and the embeddings in it."""

    tokens: list[int] = field(default_factory=list)
    multipliers: list[float] = field(default_factory=list)
    fixes: list[PromptChunkFix] = field(default_factory=list)


class TextEncoder(nn.Module):
    """Prompts in, context [batch, 77 * chunks, width] out.

    `skip` last layers are left out (1: the penultimate gives the context); where it is 0, the setting "Clip skip" says.
    """

    textual_inversion_key = "clip_l"

    def __init__(self, config: Any, skip: int = 0) -> None:
        super().__init__()
        self.transformer = CLIPTextModel(config)
        self.skip = skip
        self._fixes: list[list[PromptChunkFix]] = []
        self.transformer.text_model.embeddings.token_embedding.register_forward_hook(self._put_vectors)

    @property
    def hijack(self) -> Any:
        """Where the WebUI's code looks for the embeddings."""
        return importlib.import_module("modules.sd_hijack").model_hijack

    def restore_buffers(self) -> None:
        """Fill the position numbers, which checkpoints do not carry and which building on "meta" leaves empty."""
        embeddings = self.transformer.text_model.embeddings
        count = embeddings.position_embedding.weight.shape[0]
        embeddings.position_ids = torch.arange(count).expand((1, -1))

    def tokenize(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return token ids and their weights, both [batch, chunks, 77]; short prompts get empty chunks added."""
        tokenizer = clip_tokenizer.load_tokenizer()
        start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
        # SD2's encoder was trained with 0 after the end mark, SD1's with the end mark again.
        pad = 0 if self.skip else end
        is_weighted = shared.opts.emphasis != "Ignore"
        prompts, _ = self.process_texts(texts)
        count = max(map(len, prompts))
        ids, weights = [], []
        self._fixes = []
        for chunks in prompts:
            for chunk in [*chunks, *[PromptChunk()] * (count - len(chunks))]:
                missing = CHUNK - len(chunk.tokens)
                ids.append([start, *chunk.tokens, end, *[pad] * missing])
                heavy = chunk.multipliers if is_weighted else [1.0] * len(chunk.tokens)
                weights.append([1.0, *heavy, 1.0, *[1.0] * missing])
                self._fixes.append(chunk.fixes)
        shape = (len(texts), count, CHUNK + 2)
        return torch.tensor(ids).view(shape), torch.tensor(weights).view(shape)

    def get_token_count(self, text: str) -> int:
        """Return the number of tokens of a prompt without marks and padding, as the WebUI counts them."""
        return len(clip_tokenizer.load_tokenizer()(text, add_special_tokens=False, verbose=False)["input_ids"])

    def process_texts(self, texts: list[str]) -> tuple[list[list[PromptChunk]], int]:
        """Return the chunks of each text, and the tokens of the longest one."""
        found = [self._chunks(text) for text in texts]
        return found, max(sum(len(chunk.tokens) for chunk in chunks) for chunks in found)

    def encode_embedding_init_text(self, init_text: str, nvpt: int) -> torch.Tensor:
        """Return the first `nvpt` tokens of a text before they are encoded, [tokens, width]."""
        ids = clip_tokenizer.load_tokenizer()(init_text, add_special_tokens=False, verbose=False)["input_ids"][:nvpt]
        weight = self.transformer.text_model.embeddings.token_embedding.weight
        return weight[torch.tensor(ids, dtype=torch.long, device=weight.device)]

    def forward(self, texts: list[str]) -> torch.Tensor:
        """Return the context [batch, 77 * chunks, width] of a list of prompts."""
        device = self.transformer.text_model.embeddings.token_embedding.weight.device
        tokens, weights = (found.to(device) for found in self.tokenize(list(texts)))
        batch, chunks, length = tokens.shape
        hidden = self.encode(tokens.reshape(batch * chunks, length))
        found = weighted(hidden, weights.view(batch * chunks, length), shared.opts.emphasis != "No norm")
        return found.reshape(batch, chunks * length, -1)

    def _put_vectors(self, _layer: nn.Module, _inputs: Any, embedded: torch.Tensor) -> torch.Tensor:
        """Put the vectors of embeddings into the tokens [chunks, 77, width], once after `tokenize`."""
        fixes, self._fixes = self._fixes, []
        if not any(fixes) or len(fixes) != len(embedded):
            return embedded
        rows = []
        for row, found in zip(embedded, fixes, strict=True):
            for offset, embedding in found:
                vec = embedding.vec[self.textual_inversion_key] if isinstance(embedding.vec, dict) else embedding.vec
                vec = vec.to(row.device, row.dtype)
                row = torch.cat([row[: offset + 1], vec, row[offset + 1 + len(vec) :]])  # noqa: PLW2901
            rows.append(row)
        return torch.stack(rows)

    def _chunks(self, text: str) -> list[PromptChunk]:
        """Return the chunks of a text, of at most 75 tokens each; there is at least one, which may be empty."""
        tokenizer, database = clip_tokenizer.load_tokenizer(), self.hijack.embedding_db
        chunks: list[PromptChunk] = []
        sections = [[(text, 1.0)]] if shared.opts.emphasis == "None" else prompt_parser.parse(text)
        for section in sections:
            chunk = PromptChunk()
            started = [chunk] if section else []
            for part, weight in section:
                ids = tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]
                place = 0
                while place < len(ids):
                    embedding, length = database.find_embedding_at_position(ids, place)
                    count = 1 if embedding is None else int(embedding.vectors)
                    if len(chunk.tokens) + count > CHUNK:
                        chunk = PromptChunk()
                        started.append(chunk)
                    if embedding is not None:
                        chunk.fixes.append(PromptChunkFix(len(chunk.tokens), embedding))
                    chunk.tokens += [ids[place]] if embedding is None else [0] * count
                    chunk.multipliers += [weight] * count
                    place += 1 if embedding is None else length
            chunks += [one for one in started if one.tokens]
        return chunks or [PromptChunk()]

    def encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the context [chunks, 77, width] of token ids [chunks, 77]."""
        text_model = self.transformer.text_model
        skip = min(self.skip or shared.opts.CLIP_stop_at_last_layers - 1, len(text_model.encoder.layers))
        output = self.transformer(tokens, output_hidden_states=bool(skip))
        if not skip:
            return output.last_hidden_state
        return text_model.final_layer_norm(output.hidden_states[-1 - skip])
