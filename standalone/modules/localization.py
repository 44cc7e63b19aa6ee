"""Languages of the page: tables from an English text to another language, in the WebUI's form and places."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from modules import extensions, paths

log = logging.getLogger("workbench.host")

localizations: dict[str, list[str]] = {}
"""Name -> the files of that name; where two translate the same text, the later one counts."""
_FILES = "localizations/*.json"


def list_localizations() -> None:
    """Look for the tables again: the host's, then the extensions'."""
    localizations.clear()
    for path in [*sorted(Path(paths.standalone_path, "localizations").glob("*.json")), *extensions.files(_FILES)]:
        localizations.setdefault(path.stem, []).append(str(path))


def localization_js(current_localization_name: str) -> str:
    """Return the script that gives the page its table; an empty one without a language. A broken file is left out."""
    table: dict[str, str] = {}
    for file in localizations.get(current_localization_name, []):
        try:
            table.update(json.loads(Path(file).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            log.exception("The localization %s cannot be read", file)
    return f"window.localization = {json.dumps(table)}"
