"""How kohya's trainer names optimizers, schedules, saved files and logs, translated to the settings of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..base import numbers
from ..base.errors import NumberError, SettingsError
from ..train.optim.optimizers import KINDS, check_name
from ..train.optim.torch_schedules import check_kind
from ..train.optim.warmup_schedules import KINDS as CURVES

Values = dict[str, Any]

SAME = {
    "lr_scheduler_num_cycles": "schedule.cycles",
    "lr_scheduler_power": "schedule.power",
    "lr_decay_steps": "schedule.decay_steps",
    "log_prefix": "output.log_prefix",
    "logging_dir": "output.log_dir",
    "log_tracker_name": "output.log_project",
    "wandb_run_name": "output.log_run",
    "metadata_title": "output.title",
    "metadata_author": "output.author",
    "metadata_description": "output.description",
    "metadata_license": "output.license",
    "metadata_tags": "output.tags",
    "huggingface_repo_id": "output.huggingface_repo",
}
#: Options that are off or on, with what each of that is here.
SWITCHES: dict[str, tuple[Values, Values]] = {
    "save_state": ({}, {"output.save_state": True}),
    "use_8bit_adam": ({}, {"optimizer.name": "AdamW8bit"}),
    "use_lion_optimizer": ({}, {"optimizer.name": "Lion"}),
    "xformers": ({}, {"train.attention": "xformers"}),
    "torch_compile": ({}, {"train.compile_unet": True}),
    "fp8_base": ({}, {"train.unet_storage": "fp8"}),
    "fp8_base_unet": ({}, {"train.unet_storage": "fp8"}),
}
_8BIT = "bitsandbytes.optim"
_OPTIMIZERS = {name.lower(): name for name in KINDS} | {
    "dadaptation": "DAdaptAdamPreprint",
    "adamwschedulefree": "ScheduleFreeAdamW",
    "sgdschedulefree": "ScheduleFreeSGD",
    "radamschedulefree": "ScheduleFreeRAdam",
    "pagedadamw": f"{_8BIT}.PagedAdamW",
    "pagedadamw8bit": f"{_8BIT}.PagedAdamW8bit",
    "pagedadamw32bit": f"{_8BIT}.PagedAdamW32bit",
    "pagedlion8bit": f"{_8BIT}.PagedLion8bit",
    "pagedademamix8bit": f"{_8BIT}.PagedAdEMAMix8bit",
}
_SCHEDULES = {
    **{name: name for name in CURVES},
    "constant": "steps",
    "constant_with_warmup": "constant",
    "cosine_with_min_lr": "cosine",
    "piecewise_constant": "piecewise",
    "warmup_stable_decay": "warmup_stable_decay",
}
_PRECISIONS = {"float": "fp32", "fp32": "fp32", "fp16": "fp16", "bf16": "bf16"}
_FORMS = {"safetensors": ".safetensors", "pt": ".pt", "ckpt": ".pt"}
_LOGS = {
    "tensorboard": {"output.tensorboard": True},
    "wandb": {"output.wandb": True},
    "all": {"output.tensorboard": True, "output.wandb": True},
}


def _optimizer(value: Any) -> Values | None:
    name = _OPTIMIZERS.get(str(value).lower(), str(value))
    return {"optimizer.name": name} if _is_right(check_name, name) else None


def _schedule(value: Any) -> Values | None:
    name = _SCHEDULES.get(str(value).lower())
    return {"schedule.kind": name} if name else None


def _class(value: Any) -> Values | None:
    name = str(value)
    return {"schedule.kind": name} if _is_right(check_kind, name) else None


def _is_right(check: Callable[[str, str], None], name: str) -> bool:
    try:
        check("", name)
    except SettingsError:
        return False
    return True


def _pairs(address: str) -> Callable[[Any], Values]:
    """Return what gives a list or text of `key=value` as the text of a setting."""
    return lambda value: {address: ", ".join(map(str, value if isinstance(value, list) else str(value).split()))}


def _one_of(address: str, known: Mapping[str, Any]) -> Callable[[Any], Values | None]:
    return lambda value: {address: known[key]} if (key := str(value).lower()) in known else None


def _clip(value: Any) -> Values:
    return {"optimizer.clip": "norm", "optimizer.clip_limit": value} if numbers.read(value) > 0 else {}


#: Options that are another value here; None where that value has no counterpart.
OTHERWISE: dict[str, Callable[[Any], Values | None]] = {
    "optimizer_type": _optimizer,
    "optimizer": _optimizer,
    "optimizer_args": _pairs("optimizer.arguments"),
    "max_grad_norm": _clip,
    "lr_scheduler": _schedule,
    "lr_scheduler_type": _class,
    "lr_scheduler_args": _pairs("schedule.arguments"),
    "lr_scheduler_min_lr_ratio": lambda value: {"schedule.min_rate": value},  # `finish` makes a rate of it
    "mixed_precision": _one_of("train.precision", {"no": "fp32", "fp16": "fp16", "bf16": "bf16"}),
    "save_precision": _one_of("output.precision", _PRECISIONS),
    "save_model_as": _one_of("output.file_form", _FORMS),
    "log_with": lambda value: _LOGS.get(str(value).lower()),
    "huggingface_repo_visibility": lambda value: {"output.huggingface_private": value != "public"},
}


def finish(values: Values, given_by: Mapping[str, str]) -> list[str]:
    """Put right what depends on several options; return those that are not used after all, as `key = value`."""
    left_out = []
    if values.get("optimizer.name") == "AdaFactor":
        _as_of_transformers(values)
    if values.get("schedule.kind") == "piecewise":
        rules = str(values.pop("schedule.arguments", ""))
        if rules.startswith("step_rules="):
            values["schedule.step_rules"] = rules.removeprefix("step_rules=").strip("\"' ")
    for address in ("schedule.warmup", "schedule.decay_steps"):
        share = _number(values.get(address))
        if 0 < share < 1:  # a share of the run
            steps = _number(values.get("train.max_steps"))
            if steps == steps:  # noqa: PLR0124 - not NaN
                values[address] = round(share * steps)
            else:
                left_out.append(given_by[address])
                del values[address]
    if "schedule.min_rate" in values:
        rate = _number(values["schedule.min_rate"]) * _number(values.get("schedule.rate"))
        values["schedule.min_rate"] = rate
        if rate != rate:  # noqa: PLR0124
            left_out.append(given_by["schedule.min_rate"])
            del values["schedule.min_rate"]
    return left_out


def _as_of_transformers(values: Values) -> None:
    """Write out what kohya's AdaFactor, that of transformers, does where nothing is said."""
    text = str(values.get("optimizer.arguments", ""))
    missing = [f"{name}=True" for name in ("relative_step", "scale_parameter") if name not in text]
    values["optimizer.arguments"] = ", ".join(filter(None, [*missing, text]))


def _number(value: Any) -> float:
    try:
        return numbers.read(value)
    except NumberError:
        return float("nan")
