"""The forms that a network's file can have, and the dtypes of the weights in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class FileForm:
    """A form of file.

    Attributes:
        suffix: of the file name.
        is_portable: whether it is the form that every reader gets right.
    """

    suffix: str
    is_portable: bool = False


#: By the names that users choose from.
FORMS: Mapping[str, FileForm] = {
    ".pt": FileForm(".pt"),
    ".pt for every reader": FileForm(".pt", is_portable=True),
    ".safetensors": FileForm(".safetensors"),
}
SUFFIXES = tuple(dict.fromkeys(form.suffix for form in FORMS.values()))

#: By their names in torch.
DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
#: The same dtypes by the names that trainers use.
PRECISIONS: Mapping[str, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def weight_bytes(parameters: int) -> dict[str, int]:
    """Return the bytes that this number of weights takes, by dtype; a file adds some kB."""
    return {name: parameters * dtype.itemsize for name, dtype in DTYPES.items()}
