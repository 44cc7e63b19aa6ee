"""Fingerprints of the host's encoders, so that what they gave is never mistaken for what others would give."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from modules import shared
from torch import nn

from ...hypernetworks.kernels.tensors import raw_bytes

#: Settings of the host that change what its text encoder gives.
_TEXT_OPTIONS = (
    "CLIP_stop_at_last_layers",
    "emphasis",
    "use_old_emphasis_implementation",
    "enable_emphasis",
    "comma_padding_backtrack",
)


def of_module(module: nn.Module, *more: Any) -> str:
    """SHA-256 of all weights of `module`, and of plain values beside them."""
    digest = hashlib.sha256(repr(more).encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(raw_bytes(tensor))
    return digest.hexdigest()


def text_settings() -> list[Any]:
    """Plain values that a text's encoding depends on beside the weights."""
    values = [getattr(shared.opts, name, None) for name in _TEXT_OPTIONS]
    return [*values, *_embeddings()]


def _embeddings() -> Iterator[tuple[str, str]]:
    """Name and checksums of the textual inversions that captions may call."""
    hijack = getattr(shared.sd_model.cond_stage_model, "hijack", None)
    database = getattr(hijack, "embedding_db", None)
    for name, embedding in sorted(getattr(database, "word_embeddings", {}).items()):
        yield name, str(embedding.checksum())
