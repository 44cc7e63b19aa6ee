"""Puts the host's attention into `ldm`'s classes and takes it out again."""

from __future__ import annotations

from typing import Any

from hypernetwork_workbench.standalone.ldm_support import ldm

from modules import script_callbacks, sd_hijack_optimizations, shared
from modules.hypernetworks import hypernetwork

attention = ldm("modules.attention")
optimizers: list[sd_hijack_optimizations.SdOptimization] = []
current_optimizer: sd_hijack_optimizations.SdOptimization | None = None


def list_optimizers() -> None:
    """Collects the host's optimizations and the extensions', best first."""
    found = script_callbacks.list_optimizers_callback()
    sd_hijack_optimizations.list_optimizers(found)
    optimizers[:] = sorted((o for o in found if o.is_available()), key=lambda o: o.priority, reverse=True)


def apply_optimizations(option: str | None = None) -> str:
    """Applies the attention chosen in the settings, or the named one; returns its name."""
    global current_optimizer  # noqa: PLW0603 - the WebUI's name is a module variable
    undo_optimizations()
    if current_optimizer is not None:
        current_optimizer.undo()
        current_optimizer = None
    selection = option or shared.opts.cross_attention_optimization
    if selection == "None" or not optimizers:
        return ""
    current_optimizer = next((o for o in optimizers if o.title() == selection), optimizers[0])
    current_optimizer.apply()
    return current_optimizer.name


def undo_optimizations() -> None:
    """Leaves attention with the plain forward, the one that applies hypernetworks."""
    attention.CrossAttention.forward = hypernetwork.attention_CrossAttention_forward


class StableDiffusionModelHijack:
    """What the WebUI keeps about the hijacked model."""

    def __init__(self) -> None:
        self.optimization_method: str | None = None
        self.comments: list[str] = []
        self.extra_generation_params: dict[str, Any] = {}

    def apply_optimizations(self, option: str | None = None) -> None:
        """Applies the attention chosen in the settings, or the named one."""
        list_optimizers()
        self.optimization_method = apply_optimizations(option)

    def hijack(self, model: Any) -> None:
        """Prepares a loaded model: here only its attention."""
        self.apply_optimizations()

    def undo_hijack(self, model: Any) -> None:
        """Takes the optimizations back."""
        undo_optimizations()
        self.optimization_method = None

    def redo_hijack(self, model: Any) -> None:
        """Takes the preparations back and makes them again."""
        self.undo_hijack(model)
        self.hijack(model)

    def clear_comments(self) -> None:
        """Forgets what the last generation noted."""
        self.comments.clear()
        self.extra_generation_params.clear()


model_hijack = StableDiffusionModelHijack()
