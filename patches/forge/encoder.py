"""VAE and text encoder of Forge and reForge: their output, and where they are while only the U-Net works."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from modules import shared
from torch import Tensor

from ...hypernetworks.conditioning import Conditioning
from ...hypernetworks.kernels.tensors import raw_bytes
from .. import backend, parts
from ..model.encoders import HostEncoder, bytes_on_gpu, fingerprint, text_settings

#: Limits of the logarithm of the variance, as in the VAE's own posterior.
_LOG_VARIANCES = (-30.0, 20.0)


class ForgeEncoder(HostEncoder):
    """VAE and text encoder of the loaded checkpoint, which the host's memory manager brings and takes."""

    def encode_posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the latents, each [batch, 4, height / 8, width / 8], scaled."""
        vae = backend.originals().vae
        model = vae.first_stage_model
        with backend.encoders_needed(), torch.inference_mode():
            backend.load(vae.patcher, int(vae.memory_used_encode(pictures.shape, vae.vae_dtype)))
            moments = model.encoder(pictures.to(vae.device, vae.vae_dtype))
            if getattr(model, "quant_conv", None) is not None:
                moments = model.quant_conv(moments)
            mean, log_variance = moments.float().chunk(2, dim=1)
            deviation = (0.5 * log_variance.clamp(*_LOG_VARIANCES)).exp()
            scaled = _into_latents(mean), deviation * self._scale()
        return scaled[0].clone(), scaled[1].clone()

    def picture_fingerprint(self) -> str:
        """Return the hash of the VAE's weights, so that a VAE chosen by hand differs too."""
        vae = backend.originals().vae
        return fingerprint(vae.first_stage_model, self._scale(), str(vae.vae_dtype))

    def text_fingerprint(self) -> str:
        """Return the hash of the text encoder's weights and of the settings and embeddings that change its output."""
        settings = [*text_settings(), *_embeddings()]
        clip = backend.originals().clip
        with backend.encoders_needed():
            # The last picture's LoRAs are still in the weights, until the text encoder is loaded without them.
            backend.load(clip.patcher)
            return fingerprint(clip.cond_stage_model, *settings)

    def encode_texts(self, texts: Sequence[str]) -> Sequence[Conditioning]:
        """Return the conditionings of the texts, each as the host encodes it alone; raises what others' do."""
        with backend.without_changes(), parts.applied():
            if hasattr(shared.sd_model, "set_clip_skip"):  # the host sets it for each picture
                shared.sd_model.set_clip_skip(int(shared.opts.CLIP_stop_at_last_layers))
            # Copies, because the host makes them in torch's inference mode.
            return [conditioning.map(torch.clone) for conditioning in super().encode_texts(texts)]

    def text_encoder_loaded(self) -> AbstractContextManager[None]:
        """Return a context in which the text encoder stays on its device once it is there."""
        return backend.encoders_needed()

    def loaded_bytes(self) -> int:
        """Return the bytes that VAE and text encoder take on the GPU, which `unloaded` frees there."""
        objects = backend.originals()
        return bytes_on_gpu(objects.vae.first_stage_model, objects.clip.cond_stage_model)

    def unloaded(self) -> AbstractContextManager[None]:
        """Return a context in which VAE and text encoder are off the GPU, except while something needs one."""
        return backend.encoders_away()

    @staticmethod
    def _scale() -> float:
        one, zero = (_into_latents(torch.full((1, 1, 1, 1), value)) for value in (1.0, 0.0))
        return float(one - zero)


def _into_latents(numbers: Tensor) -> Tensor:
    """Return what the U-Net takes for an output of the VAE."""
    objects = backend.originals()
    own = getattr(objects.vae.first_stage_model, "process_in", None)
    scaled: Tensor = own(numbers) if own else objects.unet.model.process_latent_in(numbers)
    return scaled


def _embeddings() -> Iterator[tuple[str, str]]:
    """Yield name and checksum of the textual inversions of Forge's text engines."""
    for name, engine in sorted(vars(shared.sd_model).items()):
        database: Any = getattr(engine, "embeddings", None)
        for word, embedding in sorted(getattr(database, "word_embeddings", {}).items()):
            vectors = embedding.vec.values() if isinstance(embedding.vec, dict) else [embedding.vec]
            for vector in vectors:
                yield f"{name} {word}", hashlib.sha256(raw_bytes(vector)).hexdigest()
