"""What a run could not write, or found changed: said once in the log, and again with the result."""

from __future__ import annotations

import logging
from collections.abc import Iterable

_log = logging.getLogger(__name__)


class Notes:
    """Sentences for the person whose run it is.

    Attributes:
        lines: the sentences, in the order of their first time.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self.lines = list(lines)

    def warn(self, sentence: str) -> None:
        """Log a sentence and keep it, unless it was said before."""
        if sentence not in self.lines:
            self.lines.append(sentence)
            _log.warning(sentence)
