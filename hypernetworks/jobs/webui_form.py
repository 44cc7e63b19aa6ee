"""The WebUI's own tabs Train and Create hypernetwork, translated to our settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..base import numbers
from ..base.errors import NumberError, ScheduleError, SettingsError, WorkbenchError
from ..pages.sentences import in_page_words
from ..train.optim import schedules

#: Each argument of the WebUI's function with our setting and the label in its form.
_TRAINING = (
    ("hypernetwork_name", "network.file", "Hypernetwork"),
    ("learn_rate", "schedule.rate", "Hypernetwork Learning rate"),
    ("clip_grad_mode", "optimizer.clip", "Gradient Clipping"),
    ("clip_grad_value", "optimizer.clip_limit", "Gradient clip value"),
    ("batch_size", "data.batch_size", "Batch size"),
    ("gradient_step", "train.gradient_accumulation", "Gradient accumulation steps"),
    ("data_root", "data.folder", "Dataset directory"),
    ("log_directory", "output.dir", "Log directory"),
    ("template_filename", "data.template_file", "Prompt template"),
    ("training_width", "data.width", "Width"),
    ("training_height", "data.height", "Height"),
    ("steps", "train.max_steps", "Max steps"),
    ("create_image_every", "preview.every", "Save an image to log directory every N steps"),
    ("save_hypernetwork_every", "output.save_every", "Save a copy to log directory every N steps"),
    ("tag_drop_out", "data.tag_dropout", "Drop out tags when creating prompts"),
    ("latent_sampling_method", "data.latents", "Choose latent sampling method"),
    ("preview_prompt", "preview.prompt", "Prompt"),
    ("preview_steps", "preview.sampling_steps", "Sampling steps"),
    ("preview_sampler_name", "preview.sampler", "Sampling method"),
    ("preview_cfg_scale", "preview.cfg_scale", "CFG Scale"),
    ("preview_seed", "preview.preview_seed", "Seed"),
    ("preview_width", "preview.width", "Width of txt2img"),
    ("preview_height", "preview.height", "Height of txt2img"),
)
_CREATION = (
    ("name", "name", "Name"),
    ("enable_sizes", "widths", "Modules"),
    ("overwrite_old", "overwrite", "Overwrite Old Hypernetwork"),
    ("layer_structure", "layer_structure", "Enter hypernetwork layer structure"),
    ("activation_func", "activation", "Select activation function of hypernetwork"),
    ("weight_init", "weight_init", "Select Layer weights initialization"),
    ("add_layer_norm", "layer_norm", "Add layer normalization"),
    ("dropout_structure", "dropout_structure", "Enter hypernetwork Dropout structure"),
)
_ARGUMENTS = {address: argument for argument, address, _ in (*_TRAINING, *_CREATION)}
_LABELS = {address: label for _, address, label in (*_TRAINING, *_CREATION)}
#: Arguments that the WebUI's functions must have; otherwise they are unknown versions.
TRAINING_ARGUMENTS = tuple(argument for argument, _, _ in _TRAINING if not argument.startswith("preview_"))
CREATION_ARGUMENTS = tuple(argument for argument, _, _ in _CREATION)
_CLIPS = {"disabled": "none", "": "none"}
#: Largest side, in pixels, up to which pictures keep their size.
_LARGEST_PX = 2048


@dataclass(frozen=True)
class WebuiSettings:
    """What the WebUI's function takes from its settings and files.

    Attributes:
        template: path of the prompt template; None where no template has that name.
        trained: steps that the network was trained for before, from which the WebUI counts on.
        filename_regex, filename_join: the WebUI's settings for captions made of file names.
        save_state, tensorboard: the WebUI's settings for the optimizer's state and for TensorBoard.
    """

    template: str | None
    trained: int = 0
    filename_regex: str = ""
    filename_join: str = ""
    save_state: bool = False
    tensorboard: bool = False


def training_tables(entered: Mapping[str, Any], webui: WebuiSettings) -> dict[str, dict[str, Any]]:
    """Return the tables of a job for the arguments of the WebUI's `train_hypernetwork`, without previews.

    Raises:
        SettingsError: the template is missing, or the steps are done already; names our setting.
    """
    if webui.template is None:
        raise SettingsError("data.template_file", f"there is no prompt template {entered['template_filename']!r}")
    steps = _steps(entered["steps"], webui.trained)
    is_as_is = bool(entered.get("varsize"))
    clip = str(entered.get("clip_grad_mode") or "")
    width, height = entered["training_width"], entered["training_height"]
    limit = {} if clip in _CLIPS else {"clip_limit": _rest(entered["clip_grad_value"], webui.trained, steps, False)}
    return {
        "network": {"file": entered["hypernetwork_name"]},
        "data": {
            "folder": entered["data_root"] or "",
            "width": _LARGEST_PX if is_as_is else width,
            "height": _LARGEST_PX if is_as_is else height,
            "framing": "keep every size" if is_as_is else "square",
            "batch_size": entered["batch_size"],
            "template_file": webui.template,
            "shuffle_tags": bool(entered.get("shuffle_tags")),
            "tag_dropout": entered.get("tag_drop_out") or 0,
            "latents": entered.get("latent_sampling_method") or "once",
            "masks": "alpha" if entered.get("use_weight") else "off",
            "filename_regex": webui.filename_regex,
            "filename_join": webui.filename_join,
        },
        "optimizer": {"clip": _CLIPS.get(clip, clip), **limit},
        "schedule": {"rate": _rest(entered["learn_rate"], webui.trained, steps, True)},
        # A run that continues from the file must not get the noise of the previous run again.
        "train": {
            "max_steps": steps - webui.trained,
            "gradient_accumulation": entered["gradient_step"],
            "seed": webui.trained,
        },
        "preview": {"every": str(entered.get("create_image_every") or 0), "width": width, "height": height},
        "output": {
            "name": "",
            "overwrite": False,
            "save_every": str(entered.get("save_hypernetwork_every") or 0),
            "save_state": webui.save_state,
            "tensorboard": webui.tensorboard,
            "sheet": False,
        },
    }


def creation_values(entered: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of `CreateSettings` for the arguments of the WebUI's `create_hypernetwork`.

    Raises:
        SettingsError: no width is chosen.
    """
    if not entered["enable_sizes"]:
        raise SettingsError("widths", "needs at least one")
    dropout = entered.get("dropout_structure") if entered.get("use_dropout") else None
    return {
        "name": entered["name"] or "",
        "widths": list(entered["enable_sizes"]),
        "overwrite": bool(entered["overwrite_old"]),
        "layer_structure": entered.get("layer_structure") or (1, 2, 1),
        "activation": entered.get("activation_func") or "linear",
        "weight_init": entered.get("weight_init") or "Normal",
        "layer_norm": bool(entered.get("add_layer_norm")),
        "dropout_structure": () if dropout is None else dropout,
    }


def in_labels(error: WorkbenchError) -> list[str]:
    """Return a sentence for each error, with the label that the field has in the WebUI's form."""
    lines = [f"{_LABELS.get(one.field, one.field)}: {in_page_words(one.reason, _LABELS)}" for one in _settings(error)]
    return lines or [str(error)]


def in_arguments(error: WorkbenchError) -> str:
    """Return the sentences with the names of the arguments, in one line."""
    lines = [
        f"{_ARGUMENTS.get(one.field, one.field)}: {one.reason.replace(', or set overwrite', ', or set overwrite_old')}"
        for one in _settings(error)
    ]
    return "; ".join(lines) or str(error)


def _settings(error: WorkbenchError) -> Sequence[SettingsError]:
    return error.errors if isinstance(error, SettingsError) else ()


def _steps(value: Any, trained: int) -> int:
    """Return the step at which training ends; like the WebUI it is counted from the network's first step."""
    try:
        steps = numbers.read_whole(value)
    except NumberError:
        reason = numbers.comma_reason(value) or f"must be a whole number, not {value!r}"
        raise SettingsError("train.max_steps", reason) from None
    if steps <= trained:
        reason = f"the network was trained for {trained} steps already, and this is the step to train up to"
        raise SettingsError("train.max_steps", reason if trained else f"must be at least 1, not {steps}")
    return steps


def _rest(value: Any, trained: int, steps: int, is_rate: bool) -> str:
    """Return rates or limits with their end steps counted from the present step of the network, or a wrong text."""
    text = str(value if value is not None else "")
    try:
        pieces = schedules.parse(text, steps).pieces
    except ScheduleError:
        return text
    left = [(number, end - trained) for number, end in pieces if end > trained]
    if not left and is_rate:
        raise SettingsError("schedule.rate", f"ends at step {pieces[-1][1]}, and the network is at step {trained}")
    if not trained or not left:
        return text if not trained else f"{pieces[-1][0]!r}"
    return ",".join(f"{number!r}:{end}" for number, end in left)
