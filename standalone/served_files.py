"""The files that the page gives out: its own scripts and styles, finished pictures, and what gradio copied for it.

gradio's own route gives whatever lies below the folder in which the server was started; these routes stand before it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

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
#: What a browser may show or run; the rest it can only save. Not asked of the system, which may say anything.
_KINDS = {**PICTURES, ".css": "text/css", ".js": "text/javascript"}
_FORBIDDEN, _MISSING = 403, 404


class Served:
    """What may be given out.

    Args:
        files: these files.
        pictures: the pictures below these folders.
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
        """Return the file of a path as the page asks for it; None where it may not be given out."""
        try:
            path = Path(os.path.abspath(text))  # noqa: PTH100 - Path.resolve would look at the disk
            # The name comes first: on Windows, to look for a file can mean to ask another machine for it.
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
        if not path.is_file():
            return PlainTextResponse("There is no such file.", _MISSING)
        kind = _KINDS.get(path.suffix.lower())
        headers = {"X-Content-Type-Options": "nosniff"}
        if kind is None:
            return FileResponse(path, headers=headers, media_type="application/octet-stream", filename=path.name)
        return FileResponse(path, headers=headers, media_type=kind)

    def routes(self) -> list[BaseRoute]:
        """Return the routes, under gradio's addresses."""
        return [Route(start + "{path:path}", self.answer, methods=["GET", "HEAD"]) for start in ("/file=", "/file/")]


def copies_folder() -> Path:
    """Return the folder into which gradio copies what it gives to the page, and takes what the page gives."""
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir(), "gradio"))


def _is_among(path: Path, files: frozenset[Path], pictures: Sequence[Path], copies: Path) -> bool:
    if path in files or path.is_relative_to(copies):
        return True
    return path.suffix.lower() in PICTURES and any(path.is_relative_to(folder) for folder in pictures)
