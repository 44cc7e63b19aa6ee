"""The training settings of the original extension, its `*_train_.json`, translated to those of a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base import numbers
from ..base.errors import NumberError, SettingsError
from ..base.options import convert

#: Keys of the original's file, each with its `section.key`.
_SAME = {
    "learn_rate": "schedule.rate",
    "batch_size": "data.batch_size",
    "gradient_step": "train.gradient_accumulation",
    "training_width": "data.width",
    "training_height": "data.height",
    "steps": "train.max_steps",
    "beta_repeat_epoch": "schedule.cycle",
    "epoch_mult": "schedule.multiplier",
    "warmup": "schedule.warmup",
    "min_lr": "schedule.min_rate",
    "gamma_rate": "schedule.decay",
    "save_when_converge": "output.save_at_cycle_end",
    "create_when_converge": "preview.at_cycle_end",
    "shuffle_tags": "data.shuffle_tags",
    "tag_drop_out": "data.tag_dropout",
    "latent_sampling_method": "data.latents",
}
_ADAMW = ("adamw_weight_decay", "adamw_beta_1", "adamw_beta_2", "adamw_eps")
_ADAMW_DEFAULTS = ("0.01", "0.9", "0.99", "1e-8")
_SWITCHES = (
    "use_beta_scheduler",
    "use_beta_adamW_checkbox",
    "use_dadaptation",
    "show_gradient_clip_checkbox",
    "noise_training_scheduler_enabled",
    "use_weight",
)
_WITH_A_SWITCH = (
    *_ADAMW,
    "dadapt_growth_factor",
    "gradient_clip_opt",
    "optional_gradient_clip_value",
    "optional_gradient_norm_type",
    "noise_training_scheduler_repeat",
    "noise_training_scheduler_cycle",
)
#: Keys without a counterpart, and the values, as text, with which they change nothing.
_NO_COUNTERPART: dict[str, tuple[str, ...]] = {
    "latent_sampling_std": ("-1", "-1.0"),
    "template_file": (),
    "loss_opt": ("loss", "loss_simple"),
}
#: The name of the settings file itself.
_OF_THE_FILE = ("save_file_name",)
KEYS = frozenset({*_SAME, *_SWITCHES, *_WITH_A_SWITCH, *_NO_COUNTERPART, *_OF_THE_FILE})


def translate(entries: Mapping[str, Any]) -> tuple[dict[str, Any], list[str], list[SettingsError]]:
    """Return values by `section.key`, settings without a counterpart as `key = value`, and errors for wrong values."""
    values = {address: entries[key] for key, address in _SAME.items() if entries.get(key) not in (None, "")}
    errors: list[SettingsError] = []
    on = {key: _is_on(entries, key, errors) for key in _SWITCHES}
    left_out = [
        f"{key} = {entries[key]}"
        for key, at_rest in _NO_COUNTERPART.items()
        if str(entries.get(key) or "") not in ("", "0", "False", "None", *at_rest)
    ]
    if "use_beta_scheduler" in entries:
        values["schedule.kind"] = "cosine restarts" if on["use_beta_scheduler"] else "steps"
    if "use_weight" in entries:
        values["data.masks"] = "alpha" if on["use_weight"] else "off"
    values |= _optimizer(entries, on)
    values |= _clipping(entries, on["show_gradient_clip_checkbox"], left_out)
    if "noise_training_scheduler_enabled" in entries:
        cycle = entries.get("noise_training_scheduler_cycle") or 0
        values["loss.noise_cycle"] = cycle if on["noise_training_scheduler_enabled"] else "0"
        values["loss.noise_restarts"] = entries.get("noise_training_scheduler_repeat") or False
    errors += [SettingsError(key, "there is no such setting; it was left out") for key in entries if key not in KEYS]
    return values, left_out, errors


def _is_on(entries: Mapping[str, Any], key: str, errors: list[SettingsError]) -> bool:
    try:
        return bool(convert(key, entries.get(key) or False, bool))
    except SettingsError as error:
        errors.append(error)
        return False


def _optimizer(entries: Mapping[str, Any], on: Mapping[str, bool]) -> dict[str, Any]:
    if not {"use_dadaptation", "use_beta_adamW_checkbox"} & entries.keys():
        return {}
    options = []
    if on["use_beta_adamW_checkbox"]:
        given = [entries.get(key) or default for key, default in zip(_ADAMW, _ADAMW_DEFAULTS, strict=True)]
        decay, beta_1, beta_2, eps = given
        options.append(f"weight_decay={decay}, betas=({beta_1}, {beta_2}), eps={eps}")
    if on["use_dadaptation"]:
        options.append("weight_decouple=True")
        growth = entries.get("dadapt_growth_factor", -1)
        if _number(growth) > 0:
            options.append(f"growth_rate={growth}")
    name = "DAdaptAdam" if on["use_dadaptation"] else "AdamW"
    return {"optimizer.name": name, "optimizer.arguments": ", ".join(options)}


def _clipping(entries: Mapping[str, Any], is_on: bool, left_out: list[str]) -> dict[str, Any]:
    if "show_gradient_clip_checkbox" not in entries:
        return {}
    kind = str(entries.get("gradient_clip_opt") or "None") if is_on else "None"
    values = {"optimizer.clip": {"none": "none", "limit": "value"}.get(kind.lower(), kind.lower())}
    if kind != "None" and entries.get("optional_gradient_clip_value") not in (None, ""):
        values["optimizer.clip_limit"] = entries["optional_gradient_clip_value"]
    norm = entries.get("optional_gradient_norm_type", 2)
    if kind.lower() == "norm" and _number(norm) != 2:  # noqa: PLR2004 (the Euclidean norm, the only one here)
        left_out.append(f"optional_gradient_norm_type = {norm}")
    return values


def _number(value: Any) -> float:
    """Return a number, or NaN."""
    try:
        return numbers.read(value)
    except NumberError:
        return float("nan")
