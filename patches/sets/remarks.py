"""Patch set: what the page says under a picture, such as what was not used, is in the HTTP API and with grids too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..patching import Patch, PatchSet


def _make_js(original: Callable[..., Any]) -> Callable[..., Any]:
    def js(self: Any) -> str:
        # The host tells the comments in its page alone; this is what its HTTP API answers.
        text = original(self)
        comments = str(getattr(self, "comments", None) or "").splitlines()
        return json.dumps({**json.loads(text), "comments": comments}) if comments else text

    return js


def _make_run(original: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: Any, p: Any, *args: Any) -> Any:
        processed = original(self, p, *args)
        comments = getattr(p, "comments", None)
        if processed is not None and isinstance(comments, dict):
            # Of a grid, the host shows the comments of the first picture alone; its copies of `p` share them all.
            processed.comments = "".join(f"{comment}\n" for comment in comments)
        return processed

    return run


patch_set = PatchSet(
    "remarks",
    "What was not used is told in the HTTP API and with grids",
    [
        Patch("modules.processing:Processed.js", _make_js),
        Patch("modules.scripts:ScriptRunner.run", _make_run),
    ],
    mends=True,
)
