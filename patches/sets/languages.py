"""Patch set: with any Japanese or Chinese localization chosen, the page has our texts in that language too.

The WebUI joins all files of the chosen name, the later ones over the earlier, and knows nothing of languages: a
user of `zh-Hans (Stable)` would not get our `zh_CN`, and our `zh_CN` could stand over the user's own. With this
set our file is read first, under whatever name the user's has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..patching import Patch, PatchSet

FOLDER = Path(__file__).resolve().parents[2] / "localizations"
#: First letters of the names of a language's localizations, in lower case, and our file for them.
_FILES = {"ja": "ja_JP.json", "zh": "zh_CN.json"}


def file_for(name: Any) -> Path | None:
    """Return our file for a localization, by its name in the settings; None for other languages."""
    start = str(name).lower()[:2]
    return FOLDER / _FILES[start] if start in _FILES else None


def _make_table(original: Callable[..., str]) -> Callable[..., str]:
    def localization_js(current_localization_name: str) -> str:
        ours = file_for(current_localization_name)
        if ours is None:
            return original(current_localization_name)
        with _read_first(ours, current_localization_name):
            return original(current_localization_name)

    return localization_js


@contextmanager
def _read_first(ours: Path, name: str) -> Iterator[None]:
    """Let our file be read once, before all others of this name."""
    from modules.localization import localizations  # noqa: PLC0415 - the host's list

    listed = localizations.get(name)
    if not isinstance(listed, list):  # the WebUI before 1.7 reads only one file: the user's
        yield
        return
    localizations[name] = [str(ours), *(file for file in listed if not _is(file, ours))]
    try:
        yield
    finally:
        localizations[name] = listed


def _is(file: str, ours: Path) -> bool:
    try:
        return Path(file).samefile(ours)
    except OSError:
        return False


patch_set = PatchSet(
    "languages",
    "Texts of this extension in Japanese and Chinese",
    [Patch("modules.localization:localization_js", _make_table)],
    mends=True,
)
