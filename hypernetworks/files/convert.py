"""Converts a network's file to another form or dtype, under a new name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch

from .. import files
from ..base.disk import link_in_the_way
from ..base.errors import SettingsError
from ..base.names import check_name
from ..base.options import Settings, setting
from ..base.registry import rule
from ..network.file_forms import DTYPES, FORMS
from .format import Document

_KEEP = "as in the file"


@dataclass(frozen=True)
class ConversionSettings(Settings):
    """What to write, and under which name."""

    name: str = setting("", "New name", "File name without the ending; it is written beside the chosen file.")
    form: str = setting(
        ".pt",
        "File form",
        "“For every reader” is without dropout, so that ComfyUI and sdkit read it right too; .safetensors is read by "
        "this extension only.",
        choices=tuple(FORMS),
    )
    dtype: str = setting(_KEEP, "Weights as", "The 16-bit types halve the file.", choices=(_KEEP, *DTYPES))
    overwrite: bool = setting(False, "Replace an existing file", "Ticked, a file of the new name is replaced.")

    @rule("name")
    def _name_fits(self) -> None:
        check_name(self.name)


def convert(source: Path, settings: ConversionSettings) -> Path:
    """Write the network of `source` in another form next to it, and return the path of the new file.

    Raises:
        SettingsError: a file of the new name exists and may not be replaced; names the field.
        HypernetworkFileError: the network cannot be read, has no such form, does not fit into the dtype, or the disk
            refuses the file.
    """
    form = FORMS[settings.form]
    target = source.with_name(settings.name + form.suffix)
    if link := link_in_the_way(target):
        raise SettingsError("name", link)
    if target.exists() and not settings.overwrite:
        raise SettingsError("name", f"{target.name} exists already; choose another name, or set overwrite")
    document = files.read_document(source)
    network = files.load(source)
    # Programs that know loaded networks by the name inside the file would confuse the copy with its source.
    network.metadata = dataclasses.replace(network.metadata, name=settings.name)
    files.save(network, target, form.is_portable, DTYPES.get(settings.dtype) or _own_dtype(document))
    return target


def _own_dtype(document: Document) -> torch.dtype:
    """Return the dtype that all weights share, where a file may be saved in it; else float32."""
    dtypes = {tensor.dtype for tensor in document.tensors()}
    return dtypes.pop() if len(dtypes) == 1 and dtypes <= set(DTYPES.values()) else torch.float32
