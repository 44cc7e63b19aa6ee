"""The k/v path on Forge and reForge: through the hooks of their own transformer blocks, see `model/hooks.py`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..model.hooks import OPTIONS, with_networks
from ..patching import Patch, UnsupportedHostError, capabilities


def _make_apply_model(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)
    if OPTIONS not in signature.parameters:
        raise UnsupportedHostError(f"the U-Net of this WebUI takes no {OPTIONS}")

    def apply_model(*args: Any, **kwargs: Any) -> Any:
        from modules import shared  # noqa: PLC0415

        networks = list(shared.loaded_hypernetworks)
        if not networks:
            return original(*args, **kwargs)
        call = signature.bind(*args, **kwargs)
        call.arguments[OPTIONS] = with_networks(call.arguments.get(OPTIONS) or {}, networks)
        return original(*call.args, **call.kwargs)

    return apply_model


patch = Patch(
    "backend.modules.k_model:KModel.apply_model",
    _make_apply_model,
    otherwise="ldm_patched.modules.model_base:BaseModel.apply_model",
    when=capabilities.attention_has_hooks,
)
