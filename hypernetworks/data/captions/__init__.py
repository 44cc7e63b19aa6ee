"""Captions: where the text of a picture comes from, and what is done to it each time."""

from .metadata import CaptionMetadata, metadata_weight, read_metadata
from .rules import CaptionRules
from .source import (
    CLASS,
    FILE,
    METADATA,
    NAME,
    CaptionOrigin,
    CaptionSource,
    caption_origin,
    extensions,
    read_caption,
)
from .text import in_lines

__all__ = [
    "CLASS",
    "FILE",
    "METADATA",
    "NAME",
    "CaptionMetadata",
    "CaptionOrigin",
    "CaptionRules",
    "CaptionSource",
    "caption_origin",
    "extensions",
    "in_lines",
    "metadata_weight",
    "read_caption",
    "read_metadata",
]
