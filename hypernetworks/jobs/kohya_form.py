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
from ..train.settings.job import OTHER_NAMES
from ..train.settings.loss import ZERO_SNR
from ..train.tracking.sampler_names import OF_KOHYA
from . import kohya_learning
from .kohya_learning import Values

#: Files that both call by the same name.
_FILES = {name: f"data.{name}" for name in (*SOURCES, *DESCRIPTIONS)}
_SAME = (
    _FILES
    | OTHER_NAMES
    | kohya_learning.SAME
    | {
        "seed": "train.seed",
        "caption_extension": "data.caption_extension",
        "caption_prefix": "data.caption_prefix",
        "caption_suffix": "data.caption_suffix",
        "face_crop_aug_range": "data.face_range",
        "min_snr_gamma": "loss.min_snr_gamma",
        "noise_offset": "loss.noise_offset",
        "adaptive_noise_scale": "loss.adaptive_noise_offset",
        "multires_noise_iterations": "loss.multires_iterations",
        "multires_noise_discount": "loss.multires_discount",
        "min_timestep": "loss.min_timestep",
    }
)
_CLASS = "lr_scheduler_type"
#: Ends of names whose values are for no eyes; a login is that of the computer.
_SECRETS = ("token", "api_key", "password")
_AT_REST: tuple[Any, ...] = (None, "", False, 0, 0.0, [], {}, "0", "None", "none")


def _resolution(value: Any) -> Values:
    parts = numbers.split(value) if isinstance(value, str) else value if isinstance(value, list) else [value]
    return {"data.width": parts[0], "data.height": parts[-1]}


def _one_of(address: str, known: Mapping[str, str]) -> Callable[[Any], Values | None]:
    return lambda value: {address: known[key]} if (key := str(value).lower()) in known else None


def _epochs(address: str) -> Callable[[Any], Values]:
    return lambda value: {address: f"{numbers.read_whole(value)} epochs"}


def _highest_timestep(value: Any) -> Values:
    return {"loss.max_timestep": numbers.read_whole(value) - 1}  # theirs is the first that is not reached


def _sampler(value: Any) -> Values | None:
    """Return the WebUI's sampler; None where it has none like it."""
    name = OF_KOHYA.get(str(value).lower())
    return {"preview.sampler": name} if name else None


#: Options that are off or on, which GUIs and scripts also write as a text, with what each of that is here.
_SWITCHES: dict[str, tuple[Values, Values]] = {
    **kohya_learning.SWITCHES,
    "gradient_checkpointing": ({}, {"train.checkpointing": "all"}),
    "enable_bucket": ({"data.framing": SQUARE}, {"data.framing": BUCKETS}),
    "bucket_no_upscale": ({"data.upscale": True}, {"data.upscale": False}),
    "color_aug": ({}, {"data.vary_colours": True}),
    "random_crop": ({}, {"data.crop": "random"}),
    # Off is what nobody has to say there, also of a v model whose kind the host knows.
    "v_parameterization": ({}, {"loss.prediction": "v"}),
    "zero_terminal_snr": ({}, {"loss.noise_schedule": ZERO_SNR}),
}
#: Options that are another value here; None where that value has no counterpart.
_OTHERWISE: dict[str, Callable[[Any], Values | None]] = {
    **kohya_learning.OTHERWISE,
    "resolution": _resolution,
    "max_resolution": _resolution,
    "loss_type": _one_of("loss.kind", {name: name for name in LOSSES}),
    # Its folders are named with their repeats.
    "train_data_dir": lambda path: {"data.folder": path, "data.folder_repeats": True},
    "max_train_epochs": _epochs("train.max_steps"),
    "save_every_n_epochs": _epochs("output.save_every"),
    "sample_every_n_epochs": _epochs("preview.every"),
    "max_timestep": _highest_timestep,
    "sample_sampler": _sampler,
    "token_warmup_min": lambda value: {} if numbers.read(value) == 1 else None,  # it is 1 where nobody says so
}


def translate(tables: Mapping[str, Any]) -> tuple[Values, list[str]]:
    """Return values by `section.key`, and options that are not used here as `key = value`; a secret as `key` alone."""
    values: Values = {}
    given_by: dict[str, str] = {}
    left_out: list[str] = []
    # Lengths in epochs come last: kohya's trainer too takes them where both are given, except for copies; and a class.
    for name, value in sorted(flat(tables).items(), key=lambda option: "epochs" in option[0] or option[0] == _CLASS):
        if value in (None, "", []):
            continue
        found = _of_option(name, value)
        if found is not None:
            left_out += dict.fromkeys(given_by[one] for one in found if values.get(one, found[one]) != found[one])
            values |= found
            given_by |= dict.fromkeys(found, f"{name} = {shown(value)}")
        elif value not in _AT_REST and not (name in UNUSED and UNUSED[name].changes_nothing(value)):
            left_out.append(name if name.lower().endswith(_SECRETS) else f"{name} = {shown(value)}")
    return values, left_out + kohya_learning.finish(values, given_by)


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
