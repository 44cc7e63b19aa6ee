"""Networks as hooks of the transformer blocks of Forge and reForge, whose attention does not apply them itself.

Each block calls `transformer_options["patches"]["attn1_patch"]` in self-attention and `"attn2_patch"` on the text with
what `to_q`, `to_k` and `to_v` are about to get. Ours are among them for the length of one call of the U-Net, so that
nothing is left behind however it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from ..patching import capabilities
from .loaded import Loaded, transform_chain

#: The argument of the U-Net that carries hooks.
OPTIONS = "transformer_options"

Hook = Callable[[Tensor, Tensor, Tensor, Mapping[str, Any]], tuple[Tensor, Tensor, Tensor]]


def arguments() -> dict[str, Any]:
    """Return what a call of the U-Net takes to use the loaded networks; nothing where its attention asks for them."""
    from modules import shared  # noqa: PLC0415

    if not capabilities.attention_has_hooks():
        return {}
    return {OPTIONS: with_networks({}, list(shared.loaded_hypernetworks))}


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
        from .shortcuts import shortcuts  # noqa: PLC0415 - needs the running host

        if v_in is k_in and all(isinstance(network, Loaded) for network in networks):
            return q_in, *shortcuts.transform_hooked(networks, k_in, is_text)
        # Another extension gave keys and values different inputs, or has loaded networks of its own kind.
        return q_in, *transform_chain(networks, k_in, v_in)

    return transform_inputs
