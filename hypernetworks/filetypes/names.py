"""The names in a file of weights, which tell what model it belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Texts that torch puts beside the names.
_TORCHS = {"storage", "cpu", "protocol_version", "little_endian", "type_sizes", "short", "int", "long", "_metadata"}
_NETWORK = re.compile(r"^(?:\d+\.[kv]\..*|linear\.\d+\.weight|linear[12]\.weight|layer_structure)$", re.MULTILINE)


@dataclass(frozen=True)
class Names:
    """Names in a file of weights, in their order.

    Attributes:
        texts: of tensors and all other texts.
        called: of what a pickle asks for; empty for other files.
        has_tensors: whether the file describes any.
    """

    texts: tuple[str, ...]
    called: tuple[str, ...]
    has_tensors: bool

    @property
    def keys(self) -> tuple[str, ...]:
        """The texts that are names of the content, not of torch's."""
        return tuple(text for text in self.texts if text not in _TORCHS and not text.isdigit() and "cuda" not in text)

    @property
    def is_network(self) -> bool:
        """Whether they are those of a hypernetwork, sound or not."""
        return _NETWORK.search("\n".join(self.texts)) is not None
