"""kohya's metadata: captions, tags and weights by picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ...base.options import setting
from ..captions import read_metadata
from ..source import CAPTIONS, description
from ..subsets import Subset

_FILE = setting(
    "",
    "Metadata file",
    "kohya's JSON of captions and tags by picture; takes precedence over caption files.",
    group=CAPTIONS,
    is_path=True,
)


@description("metadata_file", order=10, options={"metadata_file": _FILE})
def metadata_file(settings: Any, base: Subset) -> Subset:
    """Let the entries of the file count for the pictures that they name."""
    metadata = read_metadata(Path(settings.metadata_file), "data.metadata_file")
    return replace(base, source=replace(base.source, metadata=metadata))
