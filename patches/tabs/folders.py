"""The browser of folders beside the fields for paths: what is on the server, in the folders that this page may see."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from modules import paths, shared

from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.data.pictures.formats import is_named_so
from ...hypernetworks.jobs.path_limits import inside
from ...hypernetworks.pages import form as pages
from ..patching import audience

#: Files that some setting names.
_FILES = {".toml", ".json", ".jsonl", ".csv", ".txt"}
_MOST = 500
_MOUNTS = ("/media", "/mnt", "/Volumes")
_DRIVES = "CDEFGHIJKLMNOPQRSTUVWXYZ"
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}


def add(id_: str) -> None:
    """Make the browser for the fields of a frame; the page's script opens it."""
    gr.HTML(pages.browser(), elem_id=f"{id_}_browser")
    wanted, answer = gr.Textbox(visible=False), gr.Textbox(visible=False)
    ask = gr.Button("Choose a folder or file", elem_id=f"{id_}_browse", elem_classes="hnw-hidden")
    asked = ask.click(look, [wanted], [answer], _js="hnwBrowseWanted", **_QUICK)
    asked.then(None, [answer], None, _js="hnwBrowseShow", **_QUICK)


def roots() -> list[Path]:
    """Return the folders that may be looked into with all below them.

    They are those of the host, of `--hnw-data-root` and of `--hnw-job`; where only this machine can open the page, its
    user's too.
    """
    data, job = Path(paths.data_path), getattr(shared.cmd_opts, "hnw_job", None)
    found = [data / "datasets", data, *map(Path, getattr(shared.cmd_opts, "hnw_data_root", None) or [])]
    found += [Path(job).parent] if job else []
    if audience.is_this_machine_only(getattr(shared, "demo", None)):
        found += [Path.home(), *map(Path, _MOUNTS if os.name != "nt" else (f"{letter}:/" for letter in _DRIVES))]
    return [root for root in dict.fromkeys(root.absolute() for root in found) if root.is_dir()]


def look(text: str) -> str:
    """Return what a folder holds, as JSON for the page's script: place, files and what to say of it.

    A file stands for its folder. What is no folder, or outside of `roots`, is answered with the list of these.
    """
    allowed = roots()
    try:
        place = Path(inside(text, "folder", allowed)) if text.strip() and allowed else None
    except SettingsError:
        place = None
    if place is not None and not place.is_dir():
        place = place.parent
    try:
        found = _top(allowed) if place is None else _inside(place, allowed)
    except OSError as error:
        note = f"This folder cannot be read ({error.strerror or error})."
        found = {**_top(allowed), "note": note}
    return json.dumps(found, ensure_ascii=False)


def _top(allowed: list[Path]) -> dict[str, Any]:
    listed = [{"name": str(root), "path": str(root)} for root in allowed]
    return {"place": "", "above": None, "folders": listed, "files": [], "pictures": 0, "note": ""}


def _inside(place: Path, allowed: list[Path]) -> dict[str, Any]:
    entries = sorted((one for one in place.iterdir() if not one.name.startswith(".")), key=lambda one: one.name.lower())
    pictures = [one for one in entries if is_named_so(one)]
    captioned = {one.stem for one in pictures}
    folders = [one for one in entries if one.is_dir() and _may_be_seen(one, allowed)]
    files = [one for one in entries if one.suffix.lower() in _FILES and one.stem not in captioned and one.is_file()]
    left = max(len(folders), len(files)) - _MOST
    return {
        "place": str(place),
        "above": str(place.parent) if _may_be_seen(place.parent, allowed) else "",
        "folders": list(_listed(folders)),
        "files": list(_listed(files)),
        "pictures": len(pictures),
        "note": f"{left} more are not shown; type the rest of the path." if left > 0 else "",
    }


def _listed(found: list[Path]) -> Iterator[dict[str, str]]:
    for one in found[:_MOST]:
        yield {"name": one.name, "path": str(one)}


def _may_be_seen(path: Path, allowed: list[Path]) -> bool:
    try:
        return bool(inside(str(path), "folder", allowed))
    except (SettingsError, OSError):
        return False
