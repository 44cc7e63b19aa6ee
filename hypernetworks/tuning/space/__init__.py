"""What a study tries: its settings, and lists and ranges of other settings."""

from .parameters import Choices, Parameter, Point, Range, Space
from .reading import parse
from .settings import TuneSettings, take_table

__all__ = ["Choices", "Parameter", "Point", "Range", "Space", "TuneSettings", "parse", "take_table"]
