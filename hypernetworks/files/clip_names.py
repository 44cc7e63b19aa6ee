"""The weights of CLIP text encoders under the names of the other library: OpenCLIP's, or those of transformers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Get = Callable[[str], Tensor]
_QKV = "qkv"
#: Parts of a layer, and of the whole, as OpenCLIP and as transformers call them.
_IN_LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_WHOLE = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection": "text_projection.weight",
}
_TURNED = "text_projection"
_BACK = {theirs: ours for ours, theirs in _WHOLE.items()}
_PARTS_BACK = {theirs: ours for ours, theirs in _IN_LAYERS.items()}
_OPENCLIP = re.compile(
    r"(?P<before>(?:.*\.)?)(?:model\.)??(?P<name>transformer\.resblocks\.(?P<layer>\d+)\.(?P<part>.+)[._](?P<kind>weight|bias)"
    rf"|{'|'.join(map(re.escape, _WHOLE))})"
)
_TRANSFORMERS = re.compile(
    r"(?P<before>(?:.*\.)?)(?:transformer\.)??"
    r"(?P<name>text_model\.encoder\.layers\.(?P<layer>\d+)\.(?P<part>.+)\.(?P<kind>weight|bias)"
    rf"|{'|'.join(map(re.escape, _BACK))})"
)


def renamed(names: frozenset[str], get: Get) -> tuple[frozenset[str], Get]:
    """Return names and reader of an open file with the other library's names for all that it has of text encoders.

    A text encoder `cond_stage_model.model` becomes `cond_stage_model.transformer`, and the other way round. The three
    weights of queries, keys and values, which OpenCLIP keeps as one, are taken apart or put together.
    """
    readers = dict(_renamed(names, get))
    return frozenset(readers), lambda name: readers[name]()


def _renamed(names: frozenset[str], get: Get) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    for full in sorted(names):
        if (found := _OPENCLIP.fullmatch(full)) and "text_model." not in full:
            yield from _to_transformers(full, found, get)
        elif found := _TRANSFORMERS.fullmatch(full):
            yield from _to_openclip(full, found, names, get)


def _to_transformers(full: str, found: re.Match[str], get: Get) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    before, part = f"{_before(found, 'model.')}transformer.", found["part"]
    if part is None:
        name = found["name"]
        yield before + _WHOLE[name], _reader(get, full, turned=name == _TURNED)
        if name == _TURNED:  # hosts that keep it beside the encoder keep it as it is
            yield _before(found, "model.") + name, _reader(get, full)
        return
    layer = f"{before}text_model.encoder.layers.{found['layer']}"
    if part == "attn.in_proj":
        for number, letter in enumerate(_QKV):
            yield f"{layer}.self_attn.{letter}_proj.{found['kind']}", _piece(get, full, number)
    elif part in _IN_LAYERS:
        yield f"{layer}.{_IN_LAYERS[part]}.{found['kind']}", _reader(get, full)


def _to_openclip(
    full: str, found: re.Match[str], names: frozenset[str], get: Get
) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    before, part = f"{_before(found, 'transformer.')}model.", found["part"]
    if part is None:
        name = _BACK[found["name"]]
        yield before + name, _reader(get, full, turned=name == _TURNED)
        return
    layer, kind = f"{before}transformer.resblocks.{found['layer']}", found["kind"]
    if part == "self_attn.q_proj":
        three = [full.replace("q_proj", f"{letter}_proj") for letter in _QKV]
        if all(name in names for name in three):
            yield f"{layer}.attn.in_proj_{kind}", lambda: torch.cat([get(name) for name in three])
    elif part in _PARTS_BACK:
        yield f"{layer}.{_PARTS_BACK[part]}.{kind}", _reader(get, full)


def _before(found: re.Match[str], word: str) -> str:
    return found["before"].removesuffix(word)


def _reader(get: Get, name: str, turned: bool = False) -> Callable[[], Tensor]:
    return lambda: get(name).T.contiguous() if turned else get(name)


def _piece(get: Get, name: str, number: int) -> Callable[[], Tensor]:
    return lambda: get(name).chunk(len(_QKV))[number]
