"""A hub on this machine: the few routes that the package huggingface_hub needs to make a repository and send a file."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub:
    """What a hub has been told.

    Attributes:
        made: the repositories, with whether each is private.
        files: what was sent, by repository and path.
        tokens: the tokens that came with it.
        refuses: whether it answers everything with 403.
    """

    def __init__(self) -> None:
        self.made: dict[str, bool] = {}
        self.files: dict[tuple[str, str], bytes] = {}
        self.tokens: set[str] = set()
        self.refuses = False

    def answer(self, path: str, body: bytes, address: str) -> dict[str, Any]:
        """Return the answer to a request."""
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.made[name] = asked["private"]
            return {"url": f"{address}/{name}"}
        repo = path.removeprefix("/api/models/").rsplit("/", 2)[0]
        if "/preupload/" in path:
            asked = json.loads(body)
            return {
                "files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked["files"]]
            }
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.files[repo, line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        return {"commitUrl": f"{address}/{repo}/commit/{'a' * 40}", "commitOid": "a" * 40}


@contextmanager
def running(monkeypatch: Any) -> Iterator[Hub]:
    """Yield a hub that the package takes for the real one, with a login."""
    from huggingface_hub import constants

    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            hub.tokens.add(self.headers.get("Authorization", ""))
            content = json.dumps({"error": "no"} if hub.refuses else hub.answer(self.path, body, address)).encode()
            self.send_response(403 if hub.refuses else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
