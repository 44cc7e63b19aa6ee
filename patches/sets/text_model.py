"""Patch set: pictures are made with the CLIP text model that the settings name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from ..patching import Patch, PatchSet, UnsupportedHostError, capabilities


class OwnEncoders:
    """A part that only hosts have whose text encoders run as they are; the engines of Forge load them by themselves."""

    is_installed = is_needed = True

    def install(self) -> None:
        """Do nothing where the host is none of these.

        Raises:
            UnsupportedHostError: it is.
        """
        if capabilities.attention_has_hooks():
            raise UnsupportedHostError("this WebUI chooses text encoders in its own page, beside the checkpoint")

    def uninstall(self) -> None:
        """Keep no weights of a file in memory, where any were read."""
        pictures = sys.modules.get(f"{__package__.rpartition('.')[0]}.parts.pictures")
        if pictures is not None:
            pictures.forget()


def _make_process(original: Callable[..., Any]) -> Callable[..., Any]:
    def process_images(p: Any, *args: Any, **kwargs: Any) -> Any:
        from ..parts import pictures  # noqa: PLC0415 - needs the running host

        with pictures.made(p):
            return original(p, *args, **kwargs)

    return process_images


def _make_reload(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def reload_model_weights(*args: Any, **kwargs: Any) -> Any:
        from ..parts import pictures  # noqa: PLC0415

        given = signature.bind_partial(*args, **kwargs).arguments
        with pictures.changing_checkpoint(given.get("info"), given.get("forced_reload", False)):
            return original(*args, **kwargs)

    return reload_model_weights


patch_set = PatchSet(
    "text_model",
    "CLIP text model of the settings",
    [
        OwnEncoders(),
        Patch("modules.processing:process_images_inner", _make_process, otherwise="modules.processing:process_images"),
        Patch("modules.sd_models:reload_model_weights", _make_reload),
    ],
    mends=True,
)
