"""The text of a caption file."""

from __future__ import annotations

from pathlib import Path

from ...base.errors import DatasetError
from ...base.outside import UnfitTextError, read_text, reason_of

#: Ten times what people write; longer ones would be cut into text for the encoder for minutes.
MAX_BYTES = 40_000


def read_file(path: Path) -> str:
    """Return the text of a caption file.

    Raises:
        DatasetError: it cannot be read; names it.
    """
    try:
        return read_text(path, MAX_BYTES)
    except (OSError, UnfitTextError) as error:
        raise DatasetError(f"{path.name}: the caption cannot be read as UTF-8 text ({reason_of(error)})") from error
