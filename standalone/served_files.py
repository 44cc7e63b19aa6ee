"""The files that the server gives out: the page's scripts and styles, finished pictures, and gradio's copies.

gradio's own route gives out anything below the folder in which the server was started; these routes come before it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from hypernetwork_workbench.hypernetworks.base.outside import is_file
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

PICTURES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
#: Types that a browser may show or run; others it can only save. Fixed here, as the system's own table may differ.
_KINDS = {**PICTURES, ".css": "text/css", ".js": "text/javascript"}
_FORBIDDEN, _MISSING = 403, 404


class Served:
    """The files that may be given out.

    Args:
        files: these files.
        pictures: pictures below these folders.
        copies: all files below this folder.
    """

    def __init__(self, files: Iterable[Path], pictures: Sequence[Path], copies: Path) -> None:
        self._named = (frozenset(files), tuple(pictures), copies)
        self._real = (
            frozenset(file.resolve() for file in self._named[0]),
            tuple(folder.resolve() for folder in pictures),
            copies.resolve(),
        )

    def find(self, text: str) -> Path | None:
        """Return the file for a path in a request; None where it may not be given out."""
        try:
            path = Path(os.path.abspath(text))  # noqa: PTH100 - Path.resolve would look at the disk
            # The name is checked first: on Windows, looking for a file may mean asking another machine for it.
            if not _is_among(path, *self._named):
                return None
            path = path.resolve()
        except (OSError, ValueError, RuntimeError):
            return None  # a name that no file can have, or a circle of links
        return path if _is_among(path, *self._real) else None

    def answer(self, request: Request) -> Response:
        """Answer a request for a file."""
        path = self.find(request.path_params["path"])
        if path is None:
            return PlainTextResponse("This file is not given out.", _FORBIDDEN)
        if not is_file(path):
            return PlainTextResponse("There is no such file.", _MISSING)
        kind = _KINDS.get(path.suffix.lower())
        headers = {"X-Content-Type-Options": "nosniff"}
        if kind is None:
            return FileResponse(path, headers=headers, media_type="application/octet-stream", filename=path.name)
        return FileResponse(path, headers=headers, media_type=kind)

    def routes(self) -> list[BaseRoute]:
        """Return the routes, which replace gradio's own."""
        return [Route(start + "{path:path}", self.answer, methods=["GET", "HEAD"]) for start in ("/file=", "/file/")]


def copies_folder() -> Path:
    """Return the folder of gradio's copies for the page, and of uploads."""
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir(), "gradio"))


def _is_among(path: Path, files: frozenset[Path], pictures: Sequence[Path], copies: Path) -> bool:
    if path in files or path.is_relative_to(copies):
        return True
    return path.suffix.lower() in PICTURES and any(path.is_relative_to(folder) for folder in pictures)
