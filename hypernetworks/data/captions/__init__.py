"""Captions: where the text of a picture comes from, and what is done to it each time."""

from .beside import Neighbours
from .metadata import CaptionMetadata, metadata_weight, read_metadata
from .rules import ALL_LINES, FIRST_LINE, LINES, ONE_LINE, TAG_LINES, CaptionRules, separators
from .source import (
    CLASS,
    FILE,
    METADATA,
    NAME,
    Caption,
    CaptionOrigin,
    CaptionSource,
    caption_origin,
    extensions,
    find_caption,
    read_caption,
)
from .text import CaptionEncodingError, Foreign, doubt, judged, read_file

__all__ = [
    "ALL_LINES",
    "CLASS",
    "FILE",
    "FIRST_LINE",
    "LINES",
    "METADATA",
    "NAME",
    "ONE_LINE",
    "TAG_LINES",
    "Caption",
    "CaptionEncodingError",
    "CaptionMetadata",
    "CaptionOrigin",
    "CaptionRules",
    "CaptionSource",
    "Foreign",
    "Neighbours",
    "caption_origin",
    "doubt",
    "extensions",
    "find_caption",
    "judged",
    "metadata_weight",
    "read_caption",
    "read_file",
    "read_metadata",
    "separators",
]
