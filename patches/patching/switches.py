"""The extension's part of the Settings tab, section Hypernetworks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import capabilities
from .patch import PatchSet

MASTER = "hnw_enabled"
KEPT = "hnw_networks_kept"
SHORTCUTS = "hnw_exact_shortcuts"
OWN_TAB = "hnw_own_tab"
TEXT_MODEL = "hnw_text_model"
GPUS = "hnw_gpus"
SOUND, NOTIFICATION = "hnw_end_sound", "hnw_end_notification"
#: The field of the infotext, which is also what the setting is called.
TEXT_MODEL_FIELD = "CLIP text model"
#: For whoever asks for something of ours meanwhile.
OFF = "Hypernetwork Workbench is switched off in Settings > Hypernetworks"
_DEFAULT_KEPT = 4
_SECTION = ("hypernetworks", "Hypernetworks")
#: The sets that have a setting of their own.
_OWN_SWITCHES = {"generation": SHORTCUTS}


def register(sets: Sequence[PatchSet], apply: Callable[[], None]) -> None:
    """Add options to the host's: a switch for each of `sets`; `apply` is called after a change."""
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
    own_tab = shared.OptionInfo(
        False, "Show the tabs of Hypernetwork Workbench outside of Train", section=_SECTION
    ).info("in a tab Hypernetworks of their own, after Reload UI")
    master = shared.OptionInfo(True, "Let Hypernetwork Workbench change the WebUI", section=_SECTION).info(
        "off: every change below is undone at once, and hypernetworks run through the WebUI's own code"
    )
    shared.opts.add_option(MASTER, master)
    for patch_set in sets:
        if patch_set.name not in _OWN_SWITCHES:
            info = shared.OptionInfo(True, f"Change: {patch_set.title}", section=_SECTION).info(_state(patch_set))
            shared.opts.add_option(switch(patch_set), info)
    shared.opts.add_option(KEPT, kept)
    shared.opts.add_option(SHORTCUTS, shortcuts)
    shared.opts.add_option(OWN_TAB, own_tab)
    _register_text_model()
    _register_gpus()
    _register_signs_of_the_end()
    for key in (MASTER, *map(switch, sets)):
        shared.opts.onchange(key, apply, call=False)


def _register_text_model() -> None:
    """Let another text encoder be chosen for pictures and runs, where the host has none for it in its own page."""
    from modules import shared  # noqa: PLC0415

    if capabilities.attention_has_hooks():
        return
    info = shared.OptionInfo("", TEXT_MODEL_FIELD, section=_SECTION).info(
        "a file or folder of a text encoder of the checkpoint's shape, or a checkpoint with one, for txt2img, img2img "
        "and training; a path, or a name in models/text_encoder or models/CLIP; empty: the checkpoint's own"
    )
    info.infotext = TEXT_MODEL_FIELD  # pasting a picture's infotext sets it for the next picture
    shared.opts.add_option(TEXT_MODEL, info)


def _register_gpus() -> None:
    """Let the number of GPUs of a run be chosen where there are several, and the host can be started without a page."""
    import gradio as gr  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from modules import shared  # noqa: PLC0415

    count = torch.cuda.device_count()
    if count > 1 and capabilities.starts_without_page():
        limits = {"minimum": 1, "maximum": count, "step": 1}
        gpus = shared.OptionInfo(1, "GPUs that a training run takes", gr.Slider, limits, section=_SECTION).info(
            "each other one loads the model once more, and takes its share of the pictures of every step"
        )
        shared.opts.add_option(GPUS, gpus)


def _register_signs_of_the_end() -> None:
    from modules import shared  # noqa: PLC0415

    sound = shared.OptionInfo(True, "Play a sound at the end of a run of Train Gamma", section=_SECTION).info(
        "the WebUI's notification sound where it has one, else two short tones"
    )
    notification = shared.OptionInfo(
        True, "Show a notification of the browser at the end of a run of Train Gamma", section=_SECTION
    ).info("while the page is not looked at; a button beside a run that goes on asks the browser to allow it")
    shared.opts.add_option(SOUND, sound)
    shared.opts.add_option(NOTIFICATION, notification)


def forget(sets: Sequence[PatchSet]) -> None:
    """Take the options out of the host's, which keep their values: nothing is left that could switch us on."""
    from modules import shared  # noqa: PLC0415

    for key in (MASTER, *map(switch, sets), KEPT, OWN_TAB, TEXT_MODEL, GPUS, SOUND, NOTIFICATION):
        shared.opts.data_labels.pop(key, None)


def switch(patch_set: PatchSet) -> str:
    """Return the key of the option that switches a patch set."""
    return _OWN_SWITCHES.get(patch_set.name, f"hnw_patch_{patch_set.name}")


def is_on() -> bool:
    """Tell whether the switch over all others is on."""
    return bool(_value(MASTER, True))


def allows(patch_set: PatchSet) -> bool:
    """Tell whether the settings want this patch set on."""
    return is_on() and bool(_value(switch(patch_set), True))


def networks_kept() -> int:
    """Return how many unused networks stay in memory."""
    return max(1, int(_value(KEPT, _DEFAULT_KEPT)))


def shortcuts_are_on() -> bool:
    """Tell whether the fast paths may be taken."""
    return bool(_value(SHORTCUTS, True))


def tabs_stand_apart() -> bool:
    """Tell whether our tabs are to stand in a tab of their own instead of in Train."""
    return bool(_value(OWN_TAB, False))


def _state(patch_set: PatchSet) -> str:
    if patch_set.problem:
        return f"not here: {patch_set.problem}"
    return "off gives the WebUI its own code back at once"


def _value(key: str, default: Any) -> Any:
    """Return an option, or `default`: without a page the host never asks for our options and has no values for them."""
    from modules import shared  # noqa: PLC0415

    return getattr(shared.opts, key, default)
