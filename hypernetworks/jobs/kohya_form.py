"""A configuration of kohya's trainer or a preset of its GUI, translated to the settings of a job as far as they go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..base import numbers
from ..base.errors import NumberError, SettingsError
from ..base.options import to_bool
from ..base.outside import shown
from ..data.buckets import BUCKETS, SQUARE
from ..data.kohya_unused import UNUSED
from ..data.source import DESCRIPTIONS, SOURCES
from ..texts.foreign import flat
from ..train.optim.losses import LOSSES
from ..train.optim.optimizers import KINDS
from ..train.optim.warmup_schedules import KINDS as CURVES
from ..train.settings.job import OTHER_NAMES
from ..train.settings.loss import ZERO_SNR

Values = dict[str, Any]
#: Files that both call by the same name.
_FILES = {name: f"data.{name}" for name in (*SOURCES, *DESCRIPTIONS)}
_SAME = (
    _FILES
    | OTHER_NAMES
    | {
        "seed": "train.seed",
        "caption_extension": "data.caption_extension",
        "caption_prefix": "data.caption_prefix",
        "caption_suffix": "data.caption_suffix",
        "min_snr_gamma": "loss.min_snr_gamma",
        "noise_offset": "loss.noise_offset",
        "adaptive_noise_scale": "loss.adaptive_noise_offset",
        "multires_noise_iterations": "loss.multires_iterations",
        "multires_noise_discount": "loss.multires_discount",
        "min_timestep": "loss.min_timestep",
    }
)
_PRECISIONS = {"no": "fp32", "fp16": "fp16", "bf16": "bf16"}
_SCHEDULES = {"constant": "steps", "constant_with_warmup": "constant"} | {
    name: name for name in CURVES if name != "constant"
}
_OPTIMIZERS = {name.lower(): name for name in KINDS}
_AT_REST: tuple[Any, ...] = (None, "", False, 0, 0.0, [], {}, "0", "None", "none")


def _resolution(value: Any) -> Values:
    parts = numbers.split(value) if isinstance(value, str) else value if isinstance(value, list) else [value]
    return {"data.width": parts[0], "data.height": parts[-1]}


def _one_of(address: str, known: Mapping[str, str]) -> Callable[[Any], Values | None]:
    return lambda value: {address: known[key]} if (key := str(value).lower()) in known else None


def _arguments(value: Any) -> Values:
    parts = value if isinstance(value, list) else str(value).split()
    return {"optimizer.arguments": ", ".join(map(str, parts))}


def _clip(value: Any) -> Values:
    return {"optimizer.clip": "norm", "optimizer.clip_limit": value} if numbers.read(value) > 0 else {}


def _epochs(address: str) -> Callable[[Any], Values]:
    return lambda value: {address: f"{numbers.read_whole(value)} epochs"}


def _highest_timestep(value: Any) -> Values:
    return {"loss.max_timestep": numbers.read_whole(value) - 1}  # theirs is the first that is not reached


#: Options that are off or on, which GUIs and scripts also write as a text, with what each of that is here.
_SWITCHES: dict[str, tuple[Values, Values]] = {
    "gradient_checkpointing": ({}, {"train.checkpointing": "all"}),
    "enable_bucket": ({"data.framing": SQUARE}, {"data.framing": BUCKETS}),
    "bucket_no_upscale": ({"data.upscale": True}, {"data.upscale": False}),
    "random_crop": ({}, {"data.crop": "random"}),
    # Off is what nobody has to say there, also of a v model whose kind the host knows.
    "v_parameterization": ({}, {"loss.prediction": "v"}),
    "zero_terminal_snr": ({}, {"loss.noise_schedule": ZERO_SNR}),
}
#: Options that are another value here; None where that value has no counterpart.
_OTHERWISE: dict[str, Callable[[Any], Values | None]] = {
    "resolution": _resolution,
    "max_resolution": _resolution,
    "lr_scheduler": _one_of("schedule.kind", _SCHEDULES),
    "optimizer_type": _one_of("optimizer.name", _OPTIMIZERS),
    "optimizer": _one_of("optimizer.name", _OPTIMIZERS),
    "optimizer_args": _arguments,
    "max_grad_norm": _clip,
    "loss_type": _one_of("loss.kind", {name: name for name in LOSSES}),
    "mixed_precision": _one_of("train.precision", _PRECISIONS),
    # Its folders are named with their repeats.
    "train_data_dir": lambda path: {"data.folder": path, "data.folder_repeats": True},
    "max_train_epochs": _epochs("train.max_steps"),
    "save_every_n_epochs": _epochs("output.save_every"),
    "sample_every_n_epochs": _epochs("preview.every"),
    "max_timestep": _highest_timestep,
    "sample_sampler": lambda _: None,  # named otherwise in the WebUI
}


def translate(tables: Mapping[str, Any]) -> tuple[Values, list[str]]:
    """Return values by `section.key`, and options that are not used here as `key = value`."""
    values: Values = {}
    given_by: dict[str, str] = {}
    left_out: list[str] = []
    # Lengths in epochs come last: kohya's trainer too takes them where both are given, except for copies.
    for name, value in sorted(flat(tables).items(), key=lambda option: "epochs" in option[0]):
        if value in (None, "", []):
            continue
        found = _of_option(name, value)
        if found is not None:
            left_out += dict.fromkeys(given_by[one] for one in found if values.get(one, found[one]) != found[one])
            values |= found
            given_by |= dict.fromkeys(found, f"{name} = {shown(value)}")
        elif value not in _AT_REST and not (name in UNUSED and UNUSED[name].changes_nothing(value)):
            left_out.append(f"{name} = {shown(value)}")
    return values, left_out


def _of_option(name: str, value: Any) -> Values | None:
    """Return the settings of an option; None where it has no counterpart."""
    try:
        if name in _SWITCHES:
            return _SWITCHES[name][to_bool(name, value)]
        if name in _OTHERWISE:
            return {} if value in _AT_REST else _OTHERWISE[name](value)
    except (NumberError, SettingsError):
        return None
    return {_SAME[name]: value} if name in _SAME and (value not in _AT_REST or name in ("seed",)) else None
