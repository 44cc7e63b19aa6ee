"""What a line of a prompt file can set: the names of kohya's scripts and of the WebUI, and their values."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...base import numbers
from ...base.errors import NumberError
from ...base.outside import shown
from ...ports import SIDE_STEP_PX
from . import sampler_names

_MOST_CHARACTERS = 20_000


class PromptError(ValueError):
    """A line of a prompt file is wrong; the message is the reason, without the place."""


@dataclass(frozen=True)
class Setting:
    """A value of a picture.

    Attributes:
        field: its name in `PictureRequest`.
        names: how files call it: the letters of kohya's lines, the keys of kohya's other files, the WebUI's flags.
        read: reads a number; None for a text.
        minimum, maximum: limits of a number.
        step: what a number must be a multiple of; 0 for any.
    """

    field: str
    names: tuple[str, ...]
    read: Callable[[Any], float] | None = None
    minimum: float = 0
    maximum: float = 0
    step: int = 0

    def take(self, name: str, value: Any) -> Any:
        """Return the value for `PictureRequest`; raises PromptError, naming it as `name`."""
        if self.read is None:
            if not isinstance(value, str):
                raise PromptError(f"{name} must be a text, not {shown(value)}")
            text = value.strip()
            return _of_kohya(name, text) if self.field == "sampler" else text
        try:
            number = self.read(value.rstrip(" \t,，、;；") if isinstance(value, str) else value)
        except NumberError:
            found = shown(_stripped(value))
            needed = f"{name} needs a number, not {found}" if value != "" else f"{name} needs a number"
            raise PromptError(numbers.comma_reason(value) or needed) from None
        if number > self.maximum:
            raise PromptError(f"{name} must be at most {self.maximum}")
        if number < self.minimum:
            raise PromptError(f"{name} must be at least {self.minimum}")
        if self.step and number % self.step:
            raise PromptError(f"{name} must be a multiple of {self.step}")
        return number


PROMPT = Setting("prompt", ("prompt",))
_SETTINGS = (
    PROMPT,
    Setting("negative_prompt", ("n", "negative_prompt")),
    Setting("width_px", ("w", "width"), numbers.read_whole, 8, 4096, SIDE_STEP_PX),
    Setting("height_px", ("h", "height"), numbers.read_whole, 8, 4096, SIDE_STEP_PX),
    Setting("seed", ("d", "seed"), numbers.read_whole, 0, 2**32 - 1),
    Setting("cfg_scale", ("l", "scale", "cfg_scale"), numbers.read, 1, 100),
    Setting("steps", ("s", "sample_steps", "steps"), numbers.read_whole, 1, 1000),
    Setting("sampler", ("ss", "sample_sampler", "sampler_name")),
)
_BY_NAME = {name: setting for setting in _SETTINGS for name in setting.names}

_OTHER_MODELS = "as it is for models of another kind"
_SAVING = "as previews are saved in their own way"
_ONE_PICTURE = "as a preview has one picture for each prompt"
#: What changes nothing in a preview, and why.
IDLE = {
    **dict.fromkeys(("g", "guidance_scale", "fs", "flow_shift", "ctr", "cfg_trunc_ratio"), _OTHER_MODELS),
    **dict.fromkeys(("rcfg", "renorm_cfg", "cn", "controlnet_image"), _OTHER_MODELS),
    **dict.fromkeys(("outpath_samples", "outpath_grids", "do_not_save_samples", "do_not_save_grid"), _SAVING),
    **dict.fromkeys(("prompt_for_display", "enum"), _SAVING),
    **dict.fromkeys(("n_iter", "batch_size"), _ONE_PICTURE),
    "sd_model": "as a preview is made with the model of the run",
}
#: The flags of kohya's lines; the WebUI's are all longer.
KOHYA_FLAGS = frozenset(("n", "w", "h", "d", "l", "s", "ss", "g", "fs", "ctr", "rcfg", "cn"))
#: What a preview cannot do, with the values that ask for nothing.
REFUSED = {
    "styles": ("", "none", "[]"),
    "subseed": ("-1", "0"),
    "subseed_strength": ("0", "0.0"),
    "seed_resize_from_h": ("-1", "0"),
    "seed_resize_from_w": ("-1", "0"),
    "restore_faces": ("false",),
    "tiling": ("false",),
}
_INSTEAD = {"sampler_index": "sampler_name"}


def plain_name(typed: str) -> str:
    """Return the name of a setting as the tables have it, for one in any case and in full-width letters."""
    return unicodedata.normalize("NFKC", typed).lower()


def is_known(name: str) -> bool:
    """Tell whether a plain name is that of something that a prompt file may have."""
    return name in _BY_NAME or name in IDLE or name in REFUSED or name in _INSTEAD


def takes_number(name: str) -> bool:
    """Tell whether a plain name is that of a number."""
    return name in _BY_NAME and _BY_NAME[name].read is not None


def take(values: list[tuple[str, Any]], mark: str) -> tuple[dict[str, Any], list[str]]:
    """Return the values of a picture by the names in `PictureRequest`, and a remark on each that changes nothing.

    Args:
        values: names as typed, with their values.
        mark: stands before a name in a sentence, such as `--`.

    Raises:
        PromptError: a name is unknown or there twice, or a value is wrong; the first that is.
    """
    found: dict[str, Any] = {}
    remarks = []
    for typed, value in values:
        name, shown_name = plain_name(typed), f"{mark}{typed}"
        if name in IDLE:
            remarks.append(f"{shown_name} changes nothing in a preview, {IDLE[name]}")
        elif name in REFUSED:
            if _stripped(str(value)).lower() not in REFUSED[name]:
                raise PromptError(f"{shown_name} is not possible in a preview; leave it out")
        elif name in _INSTEAD:
            other = f"{mark}{_INSTEAD[name]}"
            raise PromptError(f"{shown_name} is not possible in a preview; write {other} with a name")
        elif name not in _BY_NAME:
            raise PromptError(f"there is no flag {shown_name}" if mark else f"there is no setting {shown_name}")
        elif _BY_NAME[name].field in found:
            raise PromptError(f"{shown_name} is there twice")
        elif value is not None:
            found[_BY_NAME[name].field] = _BY_NAME[name].take(shown_name, value)
    if any(isinstance(value, str) and len(value) > _MOST_CHARACTERS for value in found.values()):
        raise PromptError(f"a text is longer than {_MOST_CHARACTERS:,} characters")
    return found, remarks


def _of_kohya(name: str, sampler: str) -> str:
    """Return the WebUI's name of a sampler that kohya's scripts call otherwise; any other name as it is."""
    if not sampler:
        raise PromptError(f"{name} needs the name of a sampler")
    if sampler.lower() not in sampler_names.OF_KOHYA:
        return sampler
    ours = sampler_names.OF_KOHYA[sampler.lower()]
    if ours is None:
        raise PromptError(f"{name}: the WebUI has no sampler like kohya's {sampler}; name one of the WebUI's")
    return ours


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value
