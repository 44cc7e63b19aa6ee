"""Settings of previews and results."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...base.errors import SettingsError
from ...base.intervals import parse_interval
from ...base.names import check_name
from ...base.options import Group, Settings, setting
from ...base.outside import shown
from ...base.registry import rule
from ...network.file_forms import PRECISIONS, SUFFIXES
from ...ports import SIDE_STEP_PX

PREVIEWS = Group("previews", "Previews")
OUTPUT = Group("output", "Saving and logs")
ABOUT = Group("about", "About the file")
#: Stands behind the name of a run that has made way for a later one of its name.
EARLIER = "-earlier"
_MADE_WAY = re.compile(rf"({EARLIER}(-\d+)?)+$", re.ASCII)
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


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
    file_form: str = setting(
        ".pt",
        "File form",
        ".safetensors tells model sites what it is, and is read by this extension only.",
        group=OUTPUT,
        starts_row=True,
        choices=SUFFIXES,
    )
    precision: str = setting(
        "fp32",
        "Weights as",
        "fp16 and bf16 halve the file; Continue goes on with all digits, which the state keeps.",
        group=OUTPUT,
        choices=PRECISIONS,
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

    log_project: str = setting(
        "",
        "Log project",
        "Project of wandb, where empty is hypernetworks, and folder of TensorBoard.",
        group=OUTPUT,
        starts_row=True,
    )
    log_run: str = setting("", "Log run", "What the run is called in these logs. Empty: its name.", group=OUTPUT)
    log_prefix: str = setting("", "Log prefix", "Put before the name of the run.", group=OUTPUT)
    log_dir: str = setting(
        "",
        "Log folder",
        "Where TensorBoard and wandb write, for all runs. Empty: the folder of the run.",
        group=OUTPUT,
        is_path=True,
    )
    huggingface_repo: str = setting(
        "",
        "Upload to Hugging Face",
        "A repository such as user/night, which gets each saved network and embedding, with the login of this "
        "computer.",
        group=OUTPUT,
        starts_row=True,
    )
    huggingface_private: bool = setting(
        True, "Private repository", "A new repository is seen by its owner alone.", group=OUTPUT
    )

    title: str = setting("", "Title", "Shown by model sites; empty: the name.", group=ABOUT)
    author: str = setting("", "Author", "Who made it.", group=ABOUT)
    license: str = setting("", "Licence", "Such as CC-BY-4.0.", group=ABOUT)
    description: str = setting("", "Description", "What it is.", group=ABOUT, starts_row=True, lines=2)
    tags: str = setting(
        "", "Tags of the file", "Words by which sites find it, with commas.", group=ABOUT, starts_row=True
    )
    trigger_phrase: str = setting("", "Trigger words", "Words of a prompt that it was trained with.", group=ABOUT)

    @property
    def first_name(self) -> str:
        """The name that the run was begun with, which its captions still have for `[name]`."""
        return _MADE_WAY.sub("", self.name) or self.name

    @rule("name")
    def _name_fits(self) -> None:
        check_name(self.name)

    @rule("log_project", "log_run", "log_prefix", each=True)
    def _is_name_of_folder(self, name: str) -> None:
        if getattr(self, name):
            check_name(getattr(self, name), name)

    @rule("huggingface_repo")
    def _is_repository(self) -> None:
        if self.huggingface_repo and not _REPOSITORY.fullmatch(self.huggingface_repo):
            raise SettingsError("huggingface_repo", f"must be such as user/night, not {shown(self.huggingface_repo)}")

    @property
    def run_name(self) -> str:
        """What the run is called in the logs of other packages."""
        return f"{self.log_prefix}{self.log_run or self.name}"

    @rule("save_every")
    def _save_every_is_length(self) -> None:
        parse_interval("save_every", self.save_every, 1)
