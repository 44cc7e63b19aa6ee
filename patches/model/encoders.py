"""VAE and text encoder of the loaded checkpoint: their output, and where they are while only the U-Net works."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import torch
from modules import devices, shared
from torch import Tensor, nn

from ...hypernetworks.base.errors import TrainingError
from ...hypernetworks.conditioning import Conditioning
from ...hypernetworks.kernels.tensors import digest
from .. import parts
from . import conditioning, temporary

VAE, TEXT = "first_stage_model", "cond_stage_model"
_CPU = torch.device("cpu")
#: Where the hosts' autoencoders clamp the logarithm of the variance.
_LOG_VARIANCES = (-30.0, 20.0)
_log = logging.getLogger(__name__)

#: The names of the parts that are in main memory now.
_away: set[str] = set()

#: Words that are trained now: their vectors change from step to step, so that they are no setting of the encoder.
trained_words: set[str] = set()

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
_XL_TEXT_OPTIONS = ("sdxl_clip_l_skip",)


class HostEncoder:
    """VAE and text encoder of the loaded checkpoint."""

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """Return the most likely latents [batch, 4, height / 8, width / 8], scaled."""
        return self.encode_posterior(pictures)[0]

    def encode_posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the latents, each [batch, 4, height / 8, width / 8], scaled.

        Pictures that are too much for the VAE in fp16, as for SDXL's, are encoded in more bits.
        """
        model, scale = shared.sd_model, shared.sd_model.scale_factor
        with needed(VAE), torch.no_grad():
            with devices.autocast():
                found = _posterior(model, pictures.to(devices.device, devices.dtype_vae))
            mean, std = ((scale * each).float() for each in found)
            overflown = [number for number, each in enumerate(mean + std) if not each.isfinite().all()]
            if overflown and devices.dtype_vae == torch.float16:
                found = _in_more_bits(model, pictures[overflown])
                mean[overflown], std[overflown] = (scale * each for each in found)
        return mean, std

    def picture_fingerprint(self) -> str:
        """Return the hash of the VAE's weights, so that a VAE chosen by hand or edited in place differs too."""
        model = shared.sd_model
        return fingerprint(model.first_stage_model, float(model.scale_factor), str(devices.dtype_vae))

    def text_fingerprint(self) -> str:
        """Return the hash of the text encoder's weights and of the settings and embeddings that change its output."""
        return fingerprint(shared.sd_model.cond_stage_model, *text_settings())

    def encode_texts(self, texts: Sequence[str]) -> Sequence[Conditioning]:
        """Return the conditionings of the texts, each as the host encodes it alone.

        Raises:
            TrainingError: one is not finite.
        """
        with torch.no_grad():
            return encoded_alone(texts)

    def text_encoder_loaded(self) -> AbstractContextManager[None]:
        """Return a context in which the text encoder stays on its device, so that many texts need only one move."""
        return needed(TEXT)

    def loaded_bytes(self) -> int:
        """Return the bytes that VAE and text encoder take on the GPU, which `unloaded` frees there."""
        model = shared.sd_model
        if getattr(model, "lowvram", False):
            return 0
        return bytes_on_gpu(getattr(model, VAE), getattr(model, TEXT))

    def unloaded(self) -> AbstractContextManager[None]:
        """Return a context in which VAE and text encoder are off the GPU, except while something needs one."""
        return unloaded()


def encoded_alone(texts: Sequence[str], is_checked: bool = True) -> list[Conditioning]:
    """Return the conditionings of the texts, each as the host encodes it alone.

    Raises:
        TrainingError: one is not finite, and that is checked.
    """
    found: dict[str, Conditioning] = {}
    # The host restores the mean of weighted texts over all texts that it encodes together ...
    plain = [text for text in texts if not _WEIGHTS.search(text)]
    with needed(TEXT), parts.applied():
        together = _conditionings(plain) if plain else []
        if together and len(together[0].text) == _PART_TOKENS:
            found = dict(zip(plain, together, strict=True))
        # ... and fills up short texts with empty parts if others are longer.
        found |= {text: _conditionings([text])[0] for text in dict.fromkeys(texts) if text not in found}
    for text, each in found.items():
        if is_checked and not each.is_finite():
            raise TrainingError(f"the text encoder gives no finite numbers for the caption {text!r}")
    return [found[text] for text in texts]


@contextmanager
def unloaded() -> Iterator[None]:
    """Keep both in main memory; `needed` brings one back for a while.

    A host that moves its parts by itself, for GPUs with little memory, keeps doing so.
    """
    model = shared.sd_model
    if getattr(model, "lowvram", False):
        yield
        return
    gone = [name for name in (VAE, TEXT) if bytes_on_gpu(getattr(model, name))]
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


def bytes_on_gpu(*modules: nn.Module) -> int:
    """Return the bytes of weights of modules that are not in main memory."""
    weights = (weight for module in modules for weight in module.parameters())
    return sum(weight.nbytes for weight in weights if weight.device.type not in ("cpu", "meta"))


def _conditionings(texts: list[str]) -> list[Conditioning]:
    with devices.autocast():
        return conditioning.encoded(shared.sd_model, texts)


def _posterior(model: Any, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the latents as the host's VAE gives them."""
    if not hasattr(model, "conditioner"):
        posterior = model.encode_first_stage(pictures)
        return posterior.mean, posterior.std
    # `sgm` draws from the posterior at once: what it makes that of is caught on its way.
    moments: list[Tensor] = []
    catching = model.first_stage_model.quant_conv.register_forward_hook(lambda *given: moments.append(given[-1]))
    try:
        with temporary.preserved_rng():
            model.encode_first_stage(pictures)
    finally:
        catching.remove()
    mean, log_variance = torch.cat(moments).chunk(2, dim=1)
    return mean, log_variance.clamp(*_LOG_VARIANCES).mul(0.5).exp()


def _in_more_bits(model: Any, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, with the VAE in bf16 where the host prefers that, else in fp32."""
    vae = model.first_stage_model
    dtype = torch.bfloat16 if getattr(shared.opts, "auto_vae_precision_bfloat16", False) else torch.float32
    _say(f"The VAE gives no finite numbers in fp16 here; such pictures are encoded in {str(dtype)[6:]}.")
    weights = [weight.detach().clone() for weight in vae.parameters()]  # bf16 rounds them
    try:
        vae.to(dtype)
        with devices.without_autocast():
            mean, std = _posterior(model, pictures.to(devices.device, dtype))
    finally:
        vae.to(devices.dtype_vae)
        for weight, before in zip(vae.parameters(), weights, strict=True):
            weight.copy_(before)
    return mean.float(), std.float()


@cache
def _say(sentence: str) -> None:
    _log.warning("%s", sentence)


def fingerprint(module: nn.Module, *more: Any) -> str:
    """Return the SHA-256 of all weights of `module`, and of the plain values `more`."""
    return digest(module.state_dict(), repr(more))


def text_settings() -> list[Any]:
    """Return plain values on which the encoding of a text depends besides the weights."""
    options = _TEXT_OPTIONS if not hasattr(shared.sd_model, "conditioner") else (*_TEXT_OPTIONS, *_XL_TEXT_OPTIONS)
    with parts.applied():
        values = [getattr(shared.opts, name, None) for name in options]
    return [*values, *_embeddings()]


def _embeddings() -> Iterator[tuple[str, str]]:
    """Yield name and checksum of the textual inversions that captions may use."""
    encoder = shared.sd_model.cond_stage_model
    hijack = getattr(next(iter(getattr(encoder, "embedders", ())), encoder), "hijack", None)
    database = getattr(hijack, "embedding_db", None)
    for name, embedding in sorted(getattr(database, "word_embeddings", {}).items()):
        if name in trained_words:
            continue
        # For SDXL there is one vector for each text encoder, of which the host has no checksum.
        is_several = isinstance(getattr(embedding, "vec", None), dict)
        yield name, digest(embedding.vec) if is_several else str(embedding.checksum())
