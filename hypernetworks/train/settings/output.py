"""Settings of previews and results."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.errors import SettingsError
from ...base.intervals import parse_interval
from ...base.names import check_name
from ...base.options import Group, Settings, setting
from ...base.registry import rule
from ...ports import SIDE_STEP_PX

PREVIEWS = Group("previews", "Previews")
OUTPUT = Group("output", "Saving and logs")


@dataclass(frozen=True)
class PreviewSettings(Settings):
    """Pictures made while training."""

    every: str = setting("0", "Preview every", "Steps between previews, or a length such as 2 epochs; 0 makes none.")
    prompt: str = setting("", "Preview prompt", "Empty: the first caption of the dataset.")

    negative_prompt: str = setting("", "Preview negative prompt", "What previews should not show.", group=PREVIEWS)
    prompt_file: str = setting(
        "",
        "Preview prompt file",
        "One prompt per line, with --n --w --h --d --l --s --ss as in kohya's scripts, or a line as the WebUI's "
        "prompts from file have it; a .toml or .json as in kohya's scripts.",
        group=PREVIEWS,
        is_path=True,
    )
    sampler: str = setting(
        "Euler a", "Preview sampler", "Name of a sampler of the host.", group=PREVIEWS, starts_row=True
    )
    sampling_steps: int = setting(
        20, "Preview sampling steps", "Sampling steps of a preview.", group=PREVIEWS, minimum=1, maximum=150
    )
    cfg_scale: float = setting(
        7.0, "Preview CFG scale", "How closely previews follow the prompt.", group=PREVIEWS, minimum=1.0, maximum=30.0
    )
    preview_seed: int = setting(
        1,
        "Preview seed",
        "The same for all previews, so that they can be compared.",
        group=PREVIEWS,
        starts_row=True,
        minimum=0,
        maximum=2**32 - 1,
    )
    width: int = setting(
        0,
        "Preview width",
        "In pixels, a multiple of 8; 0 uses that of the pictures.",
        group=PREVIEWS,
        minimum=0,
        maximum=2048,
    )
    height: int = setting(
        0,
        "Preview height",
        "In pixels, a multiple of 8; 0 uses that of the pictures.",
        group=PREVIEWS,
        minimum=0,
        maximum=2048,
    )
    at_cycle_end: bool = setting(
        False,
        "Preview at cycle ends",
        "Also at the end of each cosine cycle, where the rate is lowest.",
        group=PREVIEWS,
        starts_row=True,
    )

    @rule("every")
    def _every_is_length(self) -> None:
        parse_interval("every", self.every, 1)

    @rule("width", "height", each=True)
    def _fits_vae(self, name: str) -> None:
        if getattr(self, name) % SIDE_STEP_PX:
            raise SettingsError(name, f"must be a multiple of {SIDE_STEP_PX}, not {getattr(self, name)}")


@dataclass(frozen=True)
class OutputSettings(Settings):
    """Settings of the results."""

    name: str = setting("", "Name", "Name of the trained network and of its file.", group=OUTPUT)
    overwrite: bool = setting(False, "Overwrite", "A finished run may replace the file of this name.", group=OUTPUT)
    dir: str = setting(
        "",
        "Output folder",
        "Empty: the WebUI's folders for hypernetworks and for logs.",
        group=OUTPUT,
        starts_row=True,
        is_path=True,
    )
    save_every: str = setting(
        "0",
        "Save every",
        "Steps between numbered copies, or a length such as 5 epochs; 0 saves only at the end.",
        group=OUTPUT,
        starts_row=True,
    )
    keep_last: int = setting(
        0, "Numbered copies to keep", "Older ones are deleted; 0 keeps all.", group=OUTPUT, minimum=0, maximum=10_000
    )
    save_at_cycle_end: bool = setting(
        False,
        "Save at cycle ends",
        "Also a numbered copy at the end of each cosine cycle.",
        group=OUTPUT,
        starts_row=True,
    )
    save_best: bool = setting(False, "Save the best", "Keeps the copy with the lowest validation loss.", group=OUTPUT)
    save_state: bool = setting(
        True,
        "Save the state",
        "Saves the optimizer and all else that Continue needs next to each saved network.",
        group=OUTPUT,
    )
    state_minutes: float = setting(
        5.0,
        "Minutes between states",
        "So often the state is saved by itself too, so that a power cut costs minutes; 0 saves it with networks alone.",
        group=OUTPUT,
        minimum=0.0,
        maximum=1440.0,
    )
    resume_changed: bool = setting(
        False,
        "Continue with changes",
        "Continues also where pictures, captions or settings have changed so much that the result is another.",
        group=OUTPUT,
    )
    sheet: bool = setting(
        True,
        "Before and after",
        "Makes a sheet of pictures at strength 0, 0.5 and 1 at the end.",
        group=OUTPUT,
        starts_row=True,
    )
    tensorboard: bool = setting(False, "TensorBoard", "Writes losses, rate and previews for TensorBoard.", group=OUTPUT)
    wandb: bool = setting(
        False, "Weights & Biases", "Logs to wandb, where it is installed and logged in.", group=OUTPUT
    )

    @rule("name")
    def _name_fits(self) -> None:
        check_name(self.name)

    @rule("save_every")
    def _save_every_is_length(self) -> None:
        parse_interval("save_every", self.save_every, 1)
