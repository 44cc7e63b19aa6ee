"""The extension's part of the Settings tab, section Hypernetworks."""

from __future__ import annotations

from typing import Any

KEPT = "hnw_networks_kept"
SHORTCUTS = "hnw_exact_shortcuts"
_DEFAULT_KEPT = 4
_SECTION = ("hypernetworks", "Hypernetworks")


def register() -> None:
    """Adds the options to the host's."""
    import gradio as gr  # noqa: PLC0415
    from modules import shared  # noqa: PLC0415

    kept = shared.OptionInfo(
        _DEFAULT_KEPT,
        "Hypernetworks kept in memory",
        gr.Slider,
        {"minimum": 1, "maximum": 32, "step": 1},
        section=_SECTION,
    ).info("those used last; the ones in use are always kept, the others wait outside of the GPU's memory")
    shortcuts = shared.OptionInfo(True, "Use exact shortcuts while generating", section=_SECTION).info(
        "less work for the same picture up to rounding; switch off to compare or to find a conflict"
    )
    shared.opts.add_option(KEPT, kept)
    shared.opts.add_option(SHORTCUTS, shortcuts)


def networks_kept() -> int:
    """How many networks stay in memory."""
    return max(1, int(_value(KEPT, _DEFAULT_KEPT)))


def shortcuts_are_on() -> bool:
    """Whether the fast paths may be taken."""
    return bool(_value(SHORTCUTS, True))


def _value(key: str, default: Any) -> Any:
    """Without a page the host never asks for our options, so that it has no value for them."""
    from modules import shared  # noqa: PLC0415

    return getattr(shared.opts, key, default)
