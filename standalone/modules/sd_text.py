"""The text encoder: CLIP as `transformers` builds it, fed with any number of 75-token chunks."""

from __future__ import annotations

import re
from typing import Any

import torch
from hypernetwork_workbench.standalone import clip_tokenizer
from torch import nn
from transformers import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

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
    """Takes the text encoder's weights, as CLIPTextModel names them, out of a checkpoint's; True for SD2's."""
    prefix, root = "cond_stage_model.", "transformer."
    text = {key.removeprefix(prefix): state_dict.pop(key) for key in list(state_dict) if key.startswith(prefix)}
    if "model.token_embedding.weight" in text:
        return openclip_to_transformers(text), True
    return {key.removeprefix(root): tensor for key, tensor in text.items() if key.startswith(root)}, False


def text_config(state_dict: State, params: dict[str, Any], is_sd2: bool) -> Any:
    """The shape of the text model, read off its weights; heads from the yaml if given."""
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
    """SD2's OpenCLIP weights (`model.transformer.resblocks...`) under the names of CLIPTextModel."""
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


class TextEncoder(nn.Module):
    """Prompts in, context [batch, 77 * chunks, width] out; `skip` last layers are left out (1: the penultimate)."""

    def __init__(self, config: Any, skip: int = 0) -> None:
        super().__init__()
        self.transformer = CLIPTextModel(config)
        self.skip = skip

    def restore_buffers(self) -> None:
        """Fills the position numbers, which checkpoints do not carry and building on "meta" leaves empty."""
        embeddings = self.transformer.text_model.embeddings
        count = embeddings.position_embedding.weight.shape[0]
        embeddings.position_ids = torch.arange(count).expand((1, -1))

    def tokenize(self, texts: list[str]) -> torch.Tensor:
        """Token ids [batch, chunks, 77]; short prompts are padded to the longest one's number of chunks."""
        tokenizer = clip_tokenizer.load_tokenizer()
        start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
        # SD2's encoder was trained with 0 after the end mark, SD1's with the end mark again.
        pad = 0 if self.skip else end
        ids = [tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"] for text in texts]
        chunks = max(1, *(-(-len(line) // CHUNK) for line in ids))
        rows = []
        for line in ids:
            pieces = [line[number * CHUNK : (number + 1) * CHUNK] for number in range(chunks)]
            rows.append([[start, *p, end] + [pad] * (CHUNK - len(p)) for p in pieces])
        return torch.tensor(rows)

    def forward(self, texts: list[str]) -> torch.Tensor:
        """Context [batch, 77 * chunks, width] for a list of prompts."""
        text_model = self.transformer.text_model
        tokens = self.tokenize(list(texts)).to(text_model.embeddings.token_embedding.weight.device)
        batch, chunks, length = tokens.shape
        output = self.transformer(tokens.reshape(batch * chunks, length), output_hidden_states=bool(self.skip))
        if self.skip:
            hidden = text_model.final_layer_norm(output.hidden_states[-1 - self.skip])
        else:
            hidden = output.last_hidden_state
        return hidden.reshape(batch, chunks * length, -1)
