"""Patch set: exact shortcuts for the length of each generation; they leave the model bit for bit as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..patching import Patch, PatchSet


def _make_process(original: Callable[..., Any]) -> Callable[..., Any]:
    def process_images(*args: Any, **kwargs: Any) -> Any:
        from ..model.shortcuts import shortcuts  # noqa: PLC0415 - needs the running host

        with shortcuts.generation():
            return original(*args, **kwargs)

    return process_images


def _make_reload(original: Callable[..., Any]) -> Callable[..., Any]:
    def reload_model_weights(*args: Any, **kwargs: Any) -> Any:
        from ..model.shortcuts import shortcuts  # noqa: PLC0415

        # A refiner changes the checkpoint in the middle, and may load it into the same layers.
        shortcuts.unfold()
        return original(*args, **kwargs)

    return reload_model_weights


patch_set = PatchSet(
    "generation",
    "Exact shortcuts while generating",
    [
        Patch("modules.processing:process_images_inner", _make_process, otherwise="modules.processing:process_images"),
        Patch("modules.sd_models:reload_model_weights", _make_reload),
    ],
)
