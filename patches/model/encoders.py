"""VAE and text encoder of the loaded checkpoint: their output, and where they are while only the U-Net works."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from modules import devices, shared
from torch import Tensor, nn

from ...hypernetworks.base.errors import TrainingError
from ...hypernetworks.conditioning import Conditioning
from ...hypernetworks.kernels.tensors import raw_bytes

VAE, TEXT = "first_stage_model", "cond_stage_model"
_CPU = torch.device("cpu")

#: The names of the parts that are in main memory now.
_away: set[str] = set()

#: The characters that give words a weight in the host's prompts.
_WEIGHTS = re.compile(r"[()\[\]]")
#: Length of one part of a text: 75 tokens between two marks.
_PART_TOKENS = 77
#: Settings of the host that change the output of its text encoder.
_TEXT_OPTIONS = (
    "CLIP_stop_at_last_layers",
    "emphasis",
    "use_old_emphasis_implementation",
    "enable_emphasis",
    "comma_padding_backtrack",
)


class HostEncoder:
    """VAE and text encoder of the loaded checkpoint."""

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """Return the most likely latents [batch, 4, height / 8, width / 8], scaled."""
        return self.encode_posterior(pictures)[0]

    def encode_posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the latents, each [batch, 4, height / 8, width / 8], scaled."""
        model = shared.sd_model
        with needed(VAE), torch.no_grad(), devices.autocast():
            posterior = model.encode_first_stage(pictures.to(devices.device, devices.dtype_vae))
        scale = model.scale_factor
        return (scale * posterior.mean).float(), (scale * posterior.std).float()

    def picture_fingerprint(self) -> str:
        """Return the hash of the VAE's weights, so that a VAE chosen by hand or edited in place differs too."""
        model = shared.sd_model
        return _fingerprint(model.first_stage_model, float(model.scale_factor), str(devices.dtype_vae))

    def text_fingerprint(self) -> str:
        """Return the hash of the text encoder's weights and of the settings and embeddings that change its output."""
        return _fingerprint(shared.sd_model.cond_stage_model, *_text_settings())

    def encode_texts(self, texts: Sequence[str]) -> Sequence[Conditioning]:
        """Return the conditionings of the texts, each as the host encodes it alone.

        Raises:
            TrainingError: the checkpoint's conditioning is more than one tensor, or not finite.
        """
        found: dict[str, Conditioning] = {}
        # The host restores the mean of weighted texts over all texts that it encodes together ...
        plain = [text for text in texts if not _WEIGHTS.search(text)]
        with self.text_encoder_loaded():
            together = _conditionings(plain) if plain else []
            if together and len(together[0].text) == _PART_TOKENS:
                found = dict(zip(plain, together, strict=True))
            # ... and fills up short texts with empty parts if others are longer.
            found |= {text: _conditionings([text])[0] for text in dict.fromkeys(texts) if text not in found}
        for text, conditioning in found.items():
            if not conditioning.is_finite():
                raise TrainingError(f"the text encoder gives no finite numbers for the caption {text!r}")
        return [found[text] for text in texts]

    def text_encoder_loaded(self) -> AbstractContextManager[None]:
        """Return a context in which the text encoder stays on its device, so that many texts need only one move."""
        return needed(TEXT)

    def unloaded(self) -> AbstractContextManager[None]:
        """Return a context in which VAE and text encoder are off the GPU, except while something needs one."""
        return unloaded()


@contextmanager
def unloaded() -> Iterator[None]:
    """Keep both in main memory; `needed` brings one back for a while.

    A host that moves its parts by itself, for GPUs with little memory, keeps doing so.
    """
    model = shared.sd_model
    if getattr(model, "lowvram", False):
        yield
        return
    gone = [name for name in (VAE, TEXT) if _is_on_gpu(getattr(model, name))]
    try:
        for name in gone:
            _away.add(name)
            move(getattr(model, name), _CPU)
        if gone:
            devices.torch_gc()
        yield
    finally:
        for name in gone:
            _away.discard(name)
            move(getattr(model, name), devices.device)


@contextmanager
def needed(*names: str) -> Iterator[None]:
    """Bring those of the names that are in main memory back to the GPU for a while."""
    model = shared.sd_model
    brought = [name for name in names if name in _away]
    try:
        for name in brought:
            _away.discard(name)
            move(getattr(model, name), devices.device)
        yield
    finally:
        for name in brought:
            _away.add(name)
            move(getattr(model, name), _CPU)
        if brought:
            devices.torch_gc()


def move(module: nn.Module, device: torch.device) -> None:
    """Move a part of the model."""
    module.to(device)


def _is_on_gpu(module: nn.Module) -> bool:
    return any(parameter.device.type not in ("cpu", "meta") for parameter in module.parameters())


def _conditionings(texts: list[str]) -> list[Conditioning]:
    """Return them in float32; all are as long as the longest."""
    with torch.no_grad(), devices.autocast():
        conditioning = shared.sd_model.get_learned_conditioning(texts)
    if not isinstance(conditioning, Tensor):
        raise TrainingError("checkpoints of this kind cannot be trained on yet; load an SD1 or SD2 checkpoint")
    return [Conditioning(text) for text in conditioning.float()]


def _fingerprint(module: nn.Module, *more: Any) -> str:
    """Return the SHA-256 of all weights of `module`, and of the plain values `more`."""
    digest = hashlib.sha256(repr(more).encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(raw_bytes(tensor))
    return digest.hexdigest()


def _text_settings() -> list[Any]:
    """Return plain values on which the encoding of a text depends besides the weights."""
    values = [getattr(shared.opts, name, None) for name in _TEXT_OPTIONS]
    return [*values, *_embeddings()]


def _embeddings() -> Iterator[tuple[str, str]]:
    """Yield name and checksum of the textual inversions that captions may use."""
    hijack = getattr(shared.sd_model.cond_stage_model, "hijack", None)
    database = getattr(hijack, "embedding_db", None)
    for name, embedding in sorted(getattr(database, "word_embeddings", {}).items()):
        yield name, str(embedding.checksum())
