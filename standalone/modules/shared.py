"""What all parts of the host and its extensions share: command line, settings, the running job, the networks."""

from __future__ import annotations

import importlib
import logging
import queue
import time
from typing import Any

import gradio as gr
from PIL import Image

from modules import shared_cmd_options
from modules.options import OptionInfo, Options

log = logging.getLogger("workbench.host")
cmd_opts = shared_cmd_options.cmd_opts


def _module(name: str) -> Any:
    """Return a module that itself imports this one."""
    return importlib.import_module(f"modules.{name}")


def reload_hypernetworks() -> None:
    """Read the folder of hypernetworks again."""
    global hypernetworks  # noqa: PLW0603 - the WebUI's name is a module variable
    hypernetworks = _module("hypernetworks.hypernetwork").list_hypernetworks(cmd_opts.hypernetwork_dir)


def refresh_checkpoints() -> None:
    """Look for checkpoints again."""
    _module("sd_models").list_models()


def refresh_vaes() -> None:
    """Look for VAEs again."""
    _module("sd_vae").refresh_vae_list()


def _vaes() -> dict[str, Any]:
    return {"choices": ["None", *_module("sd_vae").vae_dict]}


def _checkpoints() -> dict[str, Any]:
    return {"choices": list(_module("sd_models").checkpoints_list)}


def _networks() -> dict[str, Any]:
    return {"choices": ["None", *hypernetworks]}


def _languages() -> dict[str, Any]:
    return {"choices": ["None", *_module("localization").localizations]}


def options_templates() -> dict[str, OptionInfo]:
    """Return fresh descriptions of the host's own few settings; extensions add theirs."""
    saving, models = ("saving-images", "Saving images"), ("sd", "Stable Diffusion")
    extra, previews, infotext = ("extra_networks", "Extra networks"), ("ui", "Live previews"), ("infotext", "Infotext")
    attention = {"choices": ["Automatic", "sdp - scaled dot product", "None"]}
    strength = {"minimum": 0.0, "maximum": 2.0, "step": 0.05}
    steps = {"minimum": 1, "maximum": 32, "step": 1}
    layers = {"minimum": 1, "maximum": 12, "step": 1}
    emphases = {"choices": ["None", "Ignore", "Original", "No norm"]}
    return {
        "localization": OptionInfo(
            "None", "Localization", gr.Dropdown, _languages, section=("localization", "Language")
        ).info("shown after Reload UI"),
        "samples_save": OptionInfo(True, "Always save all generated images", section=saving),
        "enable_pnginfo": OptionInfo(True, "Write the infotext into PNG files", section=saving),
        "sd_model_checkpoint": OptionInfo(
            None, "Stable Diffusion checkpoint", gr.Dropdown, _checkpoints, section=models, refresh=refresh_checkpoints
        ),
        "cross_attention_optimization": OptionInfo(
            "Automatic", "Cross attention optimization", gr.Dropdown, attention, section=models
        ),
        "CLIP_stop_at_last_layers": OptionInfo(1, "Clip skip", gr.Slider, layers, section=models).info(
            "1 takes the text encoder's last layer, 2 the one before it"
        ),
        "emphasis": OptionInfo("Original", "Emphasis mode", gr.Radio, emphases, section=models).info(
            "what (words:1.2) of a prompt do; None reads brackets as they stand, Ignore drops the weights, No norm "
            "weighs without keeping the mean"
        ),
        "sd_vae": OptionInfo("None", "SD VAE", gr.Dropdown, _vaes, section=models, refresh=refresh_vaes).info(
            "files in models/VAE; None is the checkpoint's own"
        ),
        "sd_hypernetwork": OptionInfo(
            "None", "Add hypernetwork to prompt", gr.Dropdown, _networks, section=extra, refresh=reload_hypernetworks
        ),
        "extra_networks_default_multiplier": OptionInfo(
            1.0, "Default multiplier for extra networks", gr.Slider, strength, section=extra
        ),
        "live_previews_enable": OptionInfo(True, "Show live previews of the created image", section=previews),
        "show_progress_every_n_steps": OptionInfo(
            5, "Live preview every N sampling steps", gr.Slider, steps, section=previews
        ),
        "add_model_hash_to_info": OptionInfo(True, "Add the model's hash to the infotext", section=infotext),
        "add_model_name_to_info": OptionInfo(True, "Add the model's name to the infotext", section=infotext),
    }


class State:
    """The running job; fields and methods as the WebUI's."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.begin()
        self.job_count = 0

    def begin(self, job: str | None = None) -> None:
        """Start a job: forget everything about the last one."""
        self.interrupted = False
        self.job = job or ""
        self.job_no, self.job_count = 0, -1
        self.sampling_step = self.sampling_steps = self.current_image_sampling_step = self.id_live_preview = 0
        self.time_start = time.time()
        self.current_latent: Any = None
        self.current_image: Image.Image | None = None
        self.textinfo: str | None = None

    def end(self) -> None:
        """End the job."""
        log.info("Job %s took %.1f seconds", self.job, time.time() - self.time_start)
        self.job, self.job_count = "", 0

    def nextjob(self) -> None:
        """Note that one of `job_count` parts is done."""
        self.job_no += 1
        self.sampling_step = self.current_image_sampling_step = 0

    def interrupt(self) -> None:
        """Ask the running job to stop."""
        self.interrupted = True

    def request_restart(self) -> None:
        """Ask the running job to stop and the page to be built anew."""
        self.interrupt()
        self._commands.put("restart")

    def wait_for_server_command(self, timeout: float | None = None) -> str | None:
        """Return what the server's main loop should do next; None after `timeout` seconds."""
        try:
            return self._commands.get(timeout=timeout)
        except queue.Empty:
            return None

    def set_current_image(self) -> None:
        """Make a preview of the latent if enough steps went by since the last one."""
        latent, step = self.current_latent, self.sampling_step
        if latent is not None and step - self.current_image_sampling_step >= opts.show_progress_every_n_steps:
            self.assign_current_image(_module("sd_samplers").decode_latents(latent[:1])[0])
            self.current_image_sampling_step = step

    def assign_current_image(self, image: Image.Image) -> None:
        """Show a picture as the live preview."""
        self.current_image = image
        self.id_live_preview += 1


opts = Options(options_templates())
state = State()

hypernetworks: dict[str, str] = {}
"""Name -> path of every hypernetwork found."""
loaded_hypernetworks: list[Any] = []
"""The hypernetworks in use, in order. The list is changed in place: attention code holds on to it."""

demo: Any = None
settings_components: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    if name == "config_filename":
        return cmd_opts.ui_settings_file
    if name == "sd_model":
        # Not a plain attribute until a model is there: whoever asks first loads it or waits for it.
        return _module("sd_models").get_model()
    raise AttributeError(name)
