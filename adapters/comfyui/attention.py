"""A chain of networks in the attention of a model of ComfyUI's, through its own patches of `attn1` and `attn2`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from ...hypernetworks.base.errors import AdapterError
from ...hypernetworks.compose.bound import Step
from ...hypernetworks.inference import Sides
from ...hypernetworks.network.hypernetwork import Hypernetwork
from ..chains import check_widths
from . import program

_NAMES = ("attn1", "attn2")


def apply(model: Any, step: Step, networks: Iterable[Hypernetwork]) -> Any:
    """Return a clone of `model` in whose attention a chain works after those that it has; `model` stays as it is.

    Args:
        model: ComfyUI's model patcher.
        step: the chain; an empty one changes nothing, bit for bit.
        networks: all that the user named, also those without effect.

    Raises:
        AdapterError: the model has no such attention, or a network is of another family.
    """
    check_widths(networks, _widths(model))
    changed = model.clone()
    if next(iter(step.networks()), None) is not None:
        shared = _Shared(step)
        changed.set_model_attn1_patch(_Patch(shared, is_text=False))
        changed.set_model_attn2_patch(_Patch(shared, is_text=True))
    return changed


def _widths(model: Any) -> set[int]:
    unet = getattr(getattr(model, "model", None), "diffusion_model", None)
    modules = unet.named_modules() if isinstance(unet, nn.Module) else ()
    found = {
        int(module.to_k.in_features)
        for name, module in modules
        if name.rpartition(".")[2] in _NAMES and hasattr(getattr(module, "to_k", None), "in_features")
    }
    if not found:
        raise AdapterError(
            f"{type(unet).__name__} has no attention layers that a hypernetwork changes: SD1, SD2 and SDXL have them"
        )
    return found


class _Shared:
    """A chain with what it keeps for speed; it is the same for both patches and for all clones of a model."""

    def __init__(self, step: Step) -> None:
        self.sides = Sides(step)
        self.models = [program.managed(network) for network in self.sides.networks]
        self._sigmas: Any = None

    def begin(self, options: dict[str, Any], x: Tensor) -> None:
        """Look, once a step, at what may have changed since: weights, and where the manager moved them."""
        sigmas = options.get("sigmas")
        if sigmas is not None and sigmas is self._sigmas:
            return
        self._sigmas = sigmas
        for network in self.sides.networks:
            if any(weight.device != x.device for weight in network.parameters()):
                network.to(x.device)
        self.sides.refresh()


class _Patch:
    """What ComfyUI calls with the inputs of `to_q`, `to_k` and `to_v` of a layer."""

    def __init__(self, shared: _Shared, is_text: bool) -> None:
        self._shared, self._is_text = shared, is_text

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        self._shared.begin(options, k)
        sides = self._shared.sides
        return q, sides(k, False, self._is_text), sides(v, True, self._is_text)

    def __deepcopy__(self, _memo: dict[int, Any]) -> _Patch:
        """Stay the same in all clones of a model, which would have copies of the networks else."""
        return self

    def models(self) -> list[Any]:
        """Return what ComfyUI is to load beside the model."""
        return self._shared.models

    def to(self, _place: Any) -> _Patch:
        """Stay where the manager has brought the networks; they compute in float32, as in the WebUI."""
        return self
