"""Requests wait until the page is whole: gradio answers before the host and the extensions have added their routes."""

from __future__ import annotations

import asyncio
import threading

from hypernetwork_workbench.hypernetworks.server.gate import App, Message, Receive, Send

#: What gradio itself asks while it starts the server.
_OF_THE_START = {("GET", "/startup-events"), ("HEAD", "/")}
_POLL_S = 0.02


class UntilWhole:
    """ASGI middleware that keeps requests waiting.

    Args:
        app: the application behind it.
        whole: set once every route is there.
    """

    def __init__(self, app: App, whole: threading.Event) -> None:
        self.app = app
        self._whole = whole

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request in the form of ASGI."""
        is_request = scope["type"] in ("http", "websocket")
        if is_request and (scope.get("method"), scope["path"]) not in _OF_THE_START:
            while not self._whole.is_set():
                await asyncio.sleep(_POLL_S)
        await self.app(scope, receive, send)
