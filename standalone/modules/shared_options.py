"""The host's own few settings; extensions add theirs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules import shared_items
from modules.options import OptionInfo, options_section


def _networks() -> dict[str, Any]:
    return {"choices": ["None", *shared_items.hypernetwork_names()]}


def _samplers() -> dict[str, Any]:
    return {"choices": shared_items.list_samplers()}


def _strength() -> dict[str, Any]:
    return {"minimum": 0.0, "maximum": 2.0, "step": 0.05}


def templates() -> dict[str, OptionInfo]:
    """Fresh option descriptions."""
    saving = {
        "samples_save": OptionInfo(True, "Always save all generated images"),
        "enable_pnginfo": OptionInfo(True, "Write the infotext into PNG files"),
    }
    models = {
        "sd_model_checkpoint": OptionInfo(
            None,
            "Stable Diffusion checkpoint",
            gr.Dropdown,
            lambda: {"choices": shared_items.checkpoint_names()},
            refresh=shared_items.refresh_checkpoints,
        ),
        "cross_attention_optimization": OptionInfo(
            "Automatic",
            "Cross attention optimization",
            gr.Dropdown,
            {"choices": ["Automatic", "sdp - scaled dot product", "None"]},
        ),
    }
    extra = {
        "sd_hypernetwork": OptionInfo(
            "None", "Add hypernetwork to prompt", gr.Dropdown, _networks, refresh=shared_items.reload_hypernetworks
        ),
        "extra_networks_default_multiplier": OptionInfo(
            1.0, "Default multiplier for extra networks", gr.Slider, _strength()
        ),
    }
    training = {
        "save_optimizer_state": OptionInfo(False, "Save the optimizer's state beside a hypernetwork"),
        "training_xattention_optimizations": OptionInfo(False, "Use cross attention optimizations while training"),
        "print_hypernet_extra": OptionInfo(False, "Log the details of each hypernetwork that is loaded"),
        "unload_models_when_training": OptionInfo(False, "Move VAE and CLIP to RAM when training if possible"),
    }
    previews = {
        "live_previews_enable": OptionInfo(True, "Show live previews of the created image"),
        "show_progress_every_n_steps": OptionInfo(
            5, "Live preview every N sampling steps", gr.Slider, {"minimum": 1, "maximum": 32, "step": 1}
        ),
    }
    infotext = {
        "add_model_hash_to_info": OptionInfo(True, "Add the model's hash to the infotext"),
        "add_model_name_to_info": OptionInfo(True, "Add the model's name to the infotext"),
    }
    return {
        **options_section(("saving-images", "Saving images"), saving),
        **options_section(("sd", "Stable Diffusion"), models),
        **options_section(("extra_networks", "Extra networks"), extra),
        **options_section(("training", "Training"), training),
        **options_section(("ui", "Live previews"), previews),
        **options_section(("infotext", "Infotext"), infotext),
    }
