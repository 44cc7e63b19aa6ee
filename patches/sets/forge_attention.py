"""The k/v path on Forge and reForge: through the hooks of their own transformer blocks.

Their attention does not apply hypernetworks. But each block calls `transformer_options["patches"]["attn1_patch"]`
in self-attention and `"attn2_patch"` on the text with what `to_q`, `to_k` and `to_v` are about to get. Ours are among
them for the length of one call of the U-Net, so that nothing is left behind however a generation ends.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from ..model.loaded import Loaded, transform_chain
from ..patching import Patch, UnsupportedHostError, capabilities

_OPTIONS = "transformer_options"

Hook = Callable[[Tensor, Tensor, Tensor, Mapping[str, Any]], tuple[Tensor, Tensor, Tensor]]


def _make_apply_model(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)
    if _OPTIONS not in signature.parameters:
        raise UnsupportedHostError(f"the U-Net of this WebUI takes no {_OPTIONS}")

    def apply_model(*args: Any, **kwargs: Any) -> Any:
        from modules import shared  # noqa: PLC0415

        networks = list(shared.loaded_hypernetworks)
        if not networks:
            return original(*args, **kwargs)
        call = signature.bind(*args, **kwargs)
        call.arguments[_OPTIONS] = with_networks(call.arguments.get(_OPTIONS) or {}, networks)
        return original(*call.args, **call.kwargs)

    return apply_model


def with_networks(options: Mapping[str, Any], networks: Sequence[Any]) -> dict[str, Any]:
    """Return the options of a call of the U-Net with `networks` as the last change of its attention inputs."""
    patches = dict(options.get("patches", {}))
    for name, is_text in (("attn1_patch", False), ("attn2_patch", True)):
        patches[name] = [*patches.get(name, ()), _hook(networks, is_text)]
    return {**options, "patches": patches}


def _hook(networks: Sequence[Any], is_text: bool) -> Hook:
    def transform_inputs(
        q_in: Tensor, k_in: Tensor, v_in: Tensor, _options: Mapping[str, Any]
    ) -> tuple[Tensor, Tensor, Tensor]:
        from ..model.shortcuts import shortcuts  # noqa: PLC0415 - needs the running host

        if v_in is k_in and all(isinstance(network, Loaded) for network in networks):
            return q_in, *shortcuts.transform_hooked(networks, k_in, is_text)
        # Another extension gave keys and values different inputs, or has loaded networks of its own kind.
        return q_in, *transform_chain(networks, k_in, v_in)

    return transform_inputs


patch = Patch(
    "backend.modules.k_model:KModel.apply_model",
    _make_apply_model,
    otherwise="ldm_patched.modules.model_base:BaseModel.apply_model",
    when=capabilities.attention_has_hooks,
)
