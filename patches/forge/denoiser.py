"""The U-Net of Forge and reForge with gradients, called as they call it for a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from modules import shared
from torch import Tensor, nn

from ...hypernetworks.base.errors import TrainingError
from ...hypernetworks.conditioning import Conditioning
from ...hypernetworks.kernels.devices import autocast_dtype
from ...hypernetworks.kernels.memory import Activations
from ...hypernetworks.network.hypernetwork import Hypernetwork, HypernetworkModule
from ...hypernetworks.ports import Computing
from .. import backend
from ..model import activation_memory, attention_layers, hooks, recomputing
from ..model.conditioning import check, for_model, vector_width
from ..model.host import HostDenoiser, check_path
from ..model.shortcuts import shortcuts
from . import schedules, weights

_REFINER = "SDXLRefiner"


def check_checkpoint() -> None:
    """Raise TrainingError where the loaded checkpoint, if there is one, cannot be trained on."""
    checkpoint = attention_layers.loaded_model()
    objects = getattr(checkpoint, "forge_objects_original", None)
    if objects is None:
        return
    if type(getattr(checkpoint, "model_config", None)).__name__ == _REFINER:
        raise TrainingError("SDXL's refiner only finishes pictures and cannot be trained on: load the base checkpoint")
    unet = objects.unet.model.diffusion_model
    stored = getattr(unet, "storage_dtype", None)
    if isinstance(stored, str):  # torch has names for the others
        raise TrainingError(
            f"training is not possible on weights quantised as {stored.upper()}; load the checkpoint in fp16, bf16, "
            "fp32 or fp8"
        )
    if not attention_layers.widths(unet):
        raise TrainingError(
            f"hypernetworks are for the U-Nets of SD1, SD2 and SDXL; this checkpoint has a {type(unet).__name__}"
        )
    check(checkpoint)
    schedules.prediction(objects.unet.model)


class ForgeDenoiser(HostDenoiser):
    """U-Net of the loaded checkpoint, which the host's memory manager brings and takes."""

    can_compile = False

    def __init__(self) -> None:
        check_checkpoint()
        patcher = backend.originals().unet
        model = patcher.model
        self.widths = attention_layers.widths(model.diffusion_model)
        self.vector_width = vector_width(shared.sd_model)
        self.device = torch.device(patcher.load_device)
        self.dtype = _computing_dtype(model)
        self.prediction = schedules.prediction(model)
        self.alphas_cumprod = schedules.signal(model).to(self.device)
        self._attention: Callable[[], AbstractContextManager[None]] = nullcontext
        self._expected: Activations | None = None
        self._computing = Computing()
        #: Autocast of whoever calls `predict`: networks compute in it, the U-Net in its own dtype.
        self._autocast: torch.dtype | None = None

    @contextmanager
    def training(
        self,
        network: Hypernetwork,
        computing: Computing = Computing(),  # noqa: B008 - it cannot change
    ) -> Iterator[None]:
        """Do as on other hosts, with the weights on the device and fit for gradients."""
        check_path()
        self._computing = computing
        self._load(again=True)  # others may have used it meanwhile
        with self._autocast_kept(network), self._on_copies(), super().training(network, computing):
            yield

    def offloaded_bytes(self) -> int:
        """Return the bytes of weights that are not on the device yet."""
        return sum(weight.nbytes for weight in self._unet.parameters() if weight.device.type != self.device.type)

    def storable_bytes(self) -> None:
        """Return None: Forge has its own ways to keep weights in fewer bits."""

    def activations(self, network: Hypernetwork, batch: tuple[int, int, int]) -> Activations | None:
        """Return what a step on a batch (pictures, width and height in pixels) keeps; None where that is unknown."""
        self._autocast = autocast_dtype(self.device)
        autocast = None if self._is_own(self._autocast) or self.device.type != "cuda" else self._autocast
        with self._on_copies():
            self._expected = activation_memory.count(self._unet, network, batch, self.device.type, autocast, self.dtype)
        return self._expected

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the prediction, shaped like `noisy` [batch, 4, height, width], in float32."""
        self._load()
        self._autocast = autocast_dtype(self.device)
        given = self._in_its_form(conditioning)
        with self._surroundings(), shortcuts.one_forward():
            predicted: Tensor = self._unet(noisy.to(self.dtype), timesteps.float(), **given, **hooks.arguments())
        return predicted.float()

    def _in_its_form(self, conditioning: Conditioning) -> dict[str, Tensor]:
        """Return the arguments of the U-Net that carry a conditioning."""
        given = for_model(shared.sd_model, conditioning, self.dtype)
        vector = {"y": given["vector"]} if "vector" in given else {}
        return {"context": conditioning.text.to(self.dtype), **vector}

    @property
    def _unet(self) -> Any:
        return backend.originals().unet.model.diffusion_model

    def _load(self, again: bool = False) -> None:
        """Bring the U-Net to the device unless it is there; a picture may have taken it away."""
        patcher = backend.originals().unet
        if again or not backend.is_settled(patcher):
            backend.load(patcher, self._expected.of(self._computing.checkpointing) if self._expected else 0)
            weights.make_usable(patcher.model)

    @contextmanager
    def _casting(self) -> Iterator[None]:
        """Compute without autocast, which the host does not use: it has the weights in the right dtype."""
        with torch.autocast(self.device.type, enabled=False) if self._is_own(self._autocast) else nullcontext():
            yield

    def _is_own(self, autocast: torch.dtype | None) -> bool:
        """Tell whether the U-Net computes without autocast, where its caller has this one.

        Elsewhere than on CUDA, autocast leaves norms with weights of 16 bits in the dtype of what they are given.
        """
        has_few_bits = self.dtype in (torch.float16, torch.bfloat16)
        return autocast in (None, self.dtype) or (has_few_bits and self.device.type != "cuda")

    def _on_copies(self) -> AbstractContextManager[None]:
        return weights.on_copies(recomputing.blocks(self._unet, "attention"))

    @contextmanager
    def _autocast_kept(self, network: Hypernetwork) -> Iterator[None]:
        """Let the networks compute in the autocast of the caller, which the U-Net is not to see."""
        modules = [module for module in network.modules() if isinstance(module, HypernetworkModule)]
        try:
            for module in modules:
                vars(module)["forward"] = partial(self._in_autocast, type(module).forward, module)
            yield
        finally:
            for module in modules:
                del vars(module)["forward"]

    def _in_autocast(self, forward: Callable[..., Tensor], module: nn.Module, *inputs: Any, **named: Any) -> Tensor:
        wanted = self._autocast
        with torch.autocast(self.device.type, wanted) if wanted else nullcontext():
            return forward(module, *inputs, **named)


def _computing_dtype(model: Any) -> torch.dtype:
    """Return the dtype that the host computes in, which weights that are stored in another are cast to."""
    found: torch.dtype = getattr(model, "computation_dtype", None) or model.manual_cast_dtype or model.get_dtype()
    return found
