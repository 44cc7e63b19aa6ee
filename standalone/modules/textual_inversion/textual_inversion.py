"""The prompt templates that training reads: one line per prompt, with [filewords] and [name] to fill in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from modules import paths, shared


class TextualInversionTemplate(NamedTuple):
    """A template file."""

    name: str
    path: str


textual_inversion_templates: dict[str, TextualInversionTemplate] = {}


def list_textual_inversion_templates() -> dict[str, TextualInversionTemplate]:
    """Read the folder of templates; when it is missing, make it with the host's own."""
    folder = Path(shared.cmd_opts.textual_inversion_templates_dir)
    if not folder.is_dir():
        shutil.copytree(Path(paths.standalone_path, "textual_inversion_templates"), folder)
    textual_inversion_templates.clear()
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        textual_inversion_templates[path.name] = TextualInversionTemplate(path.name, str(path))
    return textual_inversion_templates
