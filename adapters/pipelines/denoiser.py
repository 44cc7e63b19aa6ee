"""The port `Denoiser` on the U-Net of a pipeline of diffusers."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ...hypernetworks.conditioning import Conditioning
from ...hypernetworks.kernels import attention as attention_kernels
from ...hypernetworks.kernels.memory import Activations
from ...hypernetworks.network.hypernetwork import Hypernetwork
from ...hypernetworks.ports import Computing
from ..unet_layers import Layer, check, layers_of
from .libraries import kind
from .parts import Parts
from .recomputing import checkpointed, frozen, lean

#: What stands in for the attention of a U-Net while it trains, by the choice in the settings.
_PROCESSORS = {"auto": "AttnProcessor2_0", "SDPA": "AttnProcessor2_0", "xformers": "XFormersAttnProcessor"}
_OF_PROCESSORS = "models.attention_processor"


class Training:
    """The network that trains in the attention of a U-Net; the text goes through it once a forward."""

    def __init__(self) -> None:
        self.network: Hypernetwork | None = None
        self._text: tuple[Tensor, Tensor, Tensor] | None = None

    @contextmanager
    def attached(self, layers: tuple[Layer, ...], network: Hypernetwork) -> Iterator[None]:
        """Let `network` transform the inputs of all layers, in training mode."""
        before, was_training, hooks = self.network, network.training, []
        try:
            self.network = network.train()
            for layer in layers:
                for name in ("to_k", "to_v"):
                    hook = functools.partial(self._transform, name == "to_v")
                    hooks.append(getattr(layer.attention, name).register_forward_pre_hook(hook))
            yield
        finally:
            for each in hooks:
                each.remove()
            network.train(was_training)
            self.network, self._text = before, None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let the U-Net be without the network for a while."""
        network, self.network = self.network, None
        try:
            yield
        finally:
            self.network = network

    def begin(self, text: Tensor) -> None:
        """Transform the text before any block runs, so that none computes it again in the backward pass."""
        self._text = None if self.network is None else (text, *self.network.transform(text))

    def _transform(self, for_v: bool, _projection: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        network, x = self.network, inputs[0]
        if network is None or x.shape[-1] not in network.widths:
            return None
        if self._text is not None and x is self._text[0]:
            return (self._text[1 + for_v], *inputs[1:])
        return (network.pair(x.shape[-1])[for_v](x), *inputs[1:])


class PipelineDenoiser:
    """U-Net of a pipeline, moved to `device`; while a network trains in it, it is frozen, and then as it was."""

    can_compile = False

    def __init__(self, parts: Parts, device: torch.device) -> None:
        self._unet = parts.unet.to(device)
        self._layers = layers_of(self._unet)
        texts, others = ({layer.width for layer in self._layers if layer.is_text is side} for side in (True, False))
        self.widths = (*sorted(texts), *sorted(others - texts))
        self.vector_width = int(parts.texts[-1][1].config.projection_dim) if len(parts.texts) > 1 else 0
        self.device = device
        self.dtype: torch.dtype = self._unet.dtype
        self.prediction = parts.prediction
        self.alphas_cumprod = parts.alphas_cumprod.to(device)
        #: Shared with copies of this port that are taken for another prediction.
        self.trained = Training()

    def offloaded_bytes(self) -> int:
        """Return 0: the U-Net is on the device from the start."""
        return 0

    def storable_bytes(self) -> None:
        """Return None: the weights are those of the pipeline."""

    @contextmanager
    def training(
        self,
        network: Hypernetwork,
        computing: Computing = Computing(),  # noqa: B008 - it cannot change
    ) -> Iterator[None]:
        """Freeze the U-Net and let `network` alone, at strength 1, transform its attention inputs.

        Raises:
            SettingsError: the chosen attention is not available.
            AdapterError: the attention of the U-Net cannot take a network.
        """
        attention_kernels.kernel(computing.attention, self.device)
        with ExitStack() as stack:
            stack.enter_context(_with_processor(self._unet, _PROCESSORS.get(computing.attention)))
            for layer in self._layers:
                check(layer)
            stack.enter_context(frozen(self._unet))
            stack.enter_context(self.trained.attached(self._layers, network))
            stack.enter_context(lean(self._unet, self.device.type))
            stack.enter_context(checkpointed(self._unet, computing.checkpointing, self._casting))
            stack.enter_context(torch.enable_grad())
            yield

    def activations(self, network: Hypernetwork, batch: tuple[int, int, int]) -> Activations | None:
        """Return None: what a step keeps is not counted here."""
        return None

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the prediction, shaped like `noisy` [batch, 4, height, width]."""
        text, added = conditioning.text.to(self.dtype), {}
        if conditioning.vector is not None and conditioning.sizes is not None:
            vector, sizes = conditioning.vector.to(self.dtype), conditioning.sizes.float()
            added = {"added_cond_kwargs": {"text_embeds": vector, "time_ids": sizes}}
        with self._casting():
            self.trained.begin(text)
            return self._unet(noisy.to(self.dtype), timesteps, encoder_hidden_states=text, **added).sample

    def _casting(self) -> AbstractContextManager[Any]:
        """Return the context in which a U-Net in fewer bits and a network in float32 compute together."""
        is_mixed = self.device.type == "cuda" and self.dtype != torch.float32
        return torch.autocast("cuda") if is_mixed else nullcontext()


@contextmanager
def _with_processor(unet: Any, name: str | None) -> Iterator[None]:
    """Let all attention layers run on a processor of diffusers; None leaves those that they have."""
    if name is None:
        yield
        return
    before = dict(unet.attn_processors)
    try:
        unet.set_attn_processor(kind(f"diffusers.{_OF_PROCESSORS}", name)())
        yield
    finally:
        unet.set_attn_processor(before)
