"""What a study tries: its settings, and lists and ranges of other settings."""

from .parameters import Choices, Parameter, Point, Range, Space
from .paths import anchor, place_paths
from .reading import parse
from .settings import TuneSettings, take_table

__all__ = [
    "Choices",
    "Parameter",
    "Point",
    "Range",
    "Space",
    "TuneSettings",
    "anchor",
    "parse",
    "place_paths",
    "take_table",
]
