"""Options of kohya's trainer without a counterpart here: values that change nothing pass, others are refused with why.

After `library/config_util.py` and `library/train_util.py` of kohya-ss/sd-scripts (February 2026).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..base import numbers
from ..base.errors import NumberError, SettingsError

_log = logging.getLogger(__name__)


def _is_zero(value: Any) -> bool:
    return _number(value) == 0


def _is_one(value: Any) -> bool:
    return _number(value) == 1


def _is_off(value: Any) -> bool:
    return not value or (isinstance(value, str) and value.strip().lower() in ("", "0", "false", "none", "no", "off"))


def _is_empty(value: Any) -> bool:
    return value in ({}, [], "")


def _always(_value: Any) -> bool:
    return True


def _number(value: Any) -> float:
    try:
        return numbers.read(value)
    except NumberError:
        return float("nan")


@dataclass(frozen=True)
class Unused:
    """An option that is not carried out here.

    Attributes:
        changes_nothing: tells for a value whether training is the same with it.
        reason: why other values are refused, as the rest of a sentence, and what to do.
    """

    changes_nothing: Callable[[Any], bool]
    reason: str = ""


#: Each in the tables in which kohya's trainer takes it, and below.
UNUSED: Mapping[str, Unused] = {
    "custom_attributes": Unused(_is_empty, "tells other models more than a caption; leave it out"),
    "resize_interpolation": Unused(
        lambda value: value in ("", "lanczos"),
        'cannot be chosen, as pictures are scaled by "lanczos" here; leave it out',
    ),
    "validation_split": Unused(_is_zero, "stands in the job, as train.validation_share; set it to 0 here"),
    # Only a share above 0 makes use of its seed.
    "validation_seed": Unused(_always),
    "network_multiplier": Unused(_is_one, "trains at another strength, which is not done here; set it to 1"),
    "prior_loss_weight": Unused(_is_one, "stands in the job, as data.regularisation_weight; leave it out here"),
    "conditioning_data_dir": Unused(
        _is_empty, 'names masks, which lie beside the pictures here as NAME-mask.png, with masks = "file" in the job'
    ),
    "debug_dataset": Unused(_is_off, "shows a dataset and does not train; set it to false"),
    # A file beside the pictures for a quicker start, which is not read here.
    "cache_info": Unused(_always),
    "max_token_length": Unused(_always),  # captions of any length are read in pieces of 75 tokens
}
#: What the options are called on kohya's command line.
OTHER_NAMES = {
    "train_batch_size": "batch_size",
    "dataset_repeats": "num_repeats",
    "train_data_dir": "image_dir in [[datasets.subsets]]",
    "image_directory": "image_dir in [[datasets.subsets]]",
}
_AT_REST: tuple[Any, ...] = (None, False, 0, 0.0, "", {}, [])


def without_unused(table: Mapping[str, Any], setting: str, place: str) -> dict[str, Any]:
    """Return the options of a table that are carried out here; what is null, as JSON has it, is not there.

    Args:
        setting: the setting that names the file, for errors.
        place: where the table stands, for errors.

    Raises:
        SettingsError: one that is not carried out has a value that would change something; says why.
    """
    used = {}
    for name, value in table.items():
        if value is None:
            continue
        unused = UNUSED.get(name)
        if unused is None:
            used[name] = value
        elif not unused.changes_nothing(value):
            raise SettingsError(setting, f"{place}: {name} {unused.reason}")
        elif value not in _AT_REST:
            _log.info("%s: %s is not used here; training is the same without it.", place, name)
    return used
