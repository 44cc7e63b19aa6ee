"""Taggers, which caption pictures: how they are set, and the port that each of them is offered through."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields

from PIL import Image

from ...base.errors import SettingsError
from ...base.options import Group, Settings, setting
from ...base.registry import rule

KEEP, BEFORE, AFTER, REPLACE = "keep it", "put the new one before it", "append the new one", "replace it"
PROBABLE, LISTED = "the most probable first", "as the tagger lists them"
#: Folds of the form, each for the taggers that take its settings.
TAGS, FILE = Group("wd14_tags", "Tags of WD14"), Group("wd14_file", "WD14 from a file")
SENTENCE = Group("blip", "BLIP")


@dataclass(frozen=True)
class TaggerSettings(Settings):
    """What a tagger is asked for, and how its captions are combined with those there are."""

    existing: str = setting(
        KEEP,
        "Existing captions",
        "What to do if the caption file of a picture already has text.",
        choices=(KEEP, BEFORE, AFTER, REPLACE),
    )
    prefix: str = setting(
        "", "Text before each", "Stands before each new caption, with the blanks that you type.", keeps_blanks=True
    )
    model: str = setting(
        "",
        "Model of the tagger",
        "The .onnx file, or its folder; the file selected_tags.csv lies beside it.",
        group=FILE,
        is_path=True,
    )
    character_threshold: float = setting(
        0.85,
        "Threshold for characters",
        "The least probability of a tag that names a character.",
        group=FILE,
        minimum=0.0,
        maximum=1.0,
    )
    threshold: float = setting(
        0.35, "Threshold", "The least probability of a tag.", group=TAGS, minimum=0.0, maximum=1.0
    )
    tag_order: str = setting(
        PROBABLE, "Order", "In which order tags are written.", group=TAGS, choices=(PROBABLE, LISTED)
    )
    leave_out: str = setting(
        "", "Tags to leave out", "Separated by commas, with blanks or underscores.", group=TAGS, starts_row=True
    )
    spaces: bool = setting(
        True, "Blanks for underscores", "Writes “long hair” for “long_hair”; faces such as ^_^ stay.", group=TAGS
    )
    escape: bool = setting(
        True, "Escape brackets", "Writes \\( and \\), since plain brackets are read as emphasis.", group=TAGS
    )
    beams: int = setting(
        0,
        "Beams",
        "Texts that are tried side by side; 0 as the WebUI's settings say.",
        group=SENTENCE,
        minimum=0,
        maximum=64,
    )
    min_length: int = setting(
        0, "Minimum length", "In tokens; 0 as the WebUI's settings say.", group=SENTENCE, minimum=0, maximum=500
    )
    max_length: int = setting(
        0, "Maximum length", "In tokens; 0 as the WebUI's settings say.", group=SENTENCE, minimum=0, maximum=500
    )

    @rule("min_length", "max_length")
    def _lengths_are_in_order(self) -> None:
        if 0 < self.max_length < self.min_length:
            raise SettingsError("max_length", "must be at least the minimum length, or 0")


#: Returns a description of an RGB picture.
Describe = Callable[[Image.Image], str]


def _unchecked(_settings: TaggerSettings) -> None:
    """Find nothing wrong."""


@dataclass(frozen=True)
class Tagger:
    """A tagger that can be used here.

    Attributes:
        open: loads it, and keeps it loaded while the context is open. Raises DatasetError or an error of its library.
        uses: the folds of the settings that it takes.
        check: raises SettingsError where it cannot work with the settings; it is called before anything is loaded.
    """

    open: Callable[[TaggerSettings], AbstractContextManager[Describe]]
    uses: Collection[Group] = ()
    check: Callable[[TaggerSettings], None] = _unchecked

    def unused(self, settings: TaggerSettings) -> list[str]:
        """Return the labels of the settings that were entered and change nothing with this tagger."""
        defaults = {field.name: field.default for field in fields(settings)}
        return [
            option.label
            for name, _, option in TaggerSettings.options()
            if option.group and option.group not in self.uses and getattr(settings, name) != defaults[name]
        ]
