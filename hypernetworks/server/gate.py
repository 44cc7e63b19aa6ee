"""The gate of a web server: requests of other pages, or to other names, are refused before anything sees them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from .origins import Foreign, Rules, foreign, parse_authority, parse_origin

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)
_FORBIDDEN = 403
_POLICY = 1008
_MAX_LOGGED = 100
_MAX_SHOWN = 100
_ANSWER = b"This request was made by another page, or sent to another name, and is refused. The log says which.\n"


class Gate:
    """ASGI middleware that lets a page's own requests pass.

    Args:
        app: the application behind it.
        rules: what belongs to the page.
        flag: the command-line flag that names what else may pass.
        headers: added to every answer.
    """

    def __init__(self, app: App, rules: Rules, flag: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.app = app
        self._rules = rules
        self._flag = flag
        self._headers = list(headers)
        self._logged: set[Foreign] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request in the form of ASGI."""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        found = foreign(scope, self._rules) if scope["type"] in ("http", "websocket") else None
        if found is None:
            await self.app(scope, receive, answer if self._headers else send)
        else:
            await self.handle_foreign(found, scope, receive, send)

    async def handle_foreign(self, found: Foreign, scope: Message, _receive: Receive, send: Send) -> None:
        """Refuse a request that is not the page's own with status 403, a WebSocket before it opens."""
        self.log_refusal(found)
        await refuse(scope, send)

    def log_refusal(self, found: Foreign) -> None:
        """Log what was refused, once for each origin and name."""
        if found not in self._logged and len(self._logged) < _MAX_LOGGED:
            self._logged.add(found)
            _log.warning("%s", refusal_sentence(found, self._flag))


def refusal_sentence(found: Foreign, flag: str) -> str:
    """Return the sentence about a refused request for the log, with the flag that would let it pass."""
    if found.header == "host" and parse_authority(found.text):
        it = f"http://{found.text}"
        return f"A request to {it} was refused; if that is an address of this page, start it with {flag} {it}."
    if found.header == "origin" and parse_origin(found.text):
        it = found.text
        return f"A request of the page {it} was refused; if that page may use this one, start it with {flag} {it}."
    what = "to another name" if found.header == "host" else "of a page that hides its address"
    shown = ascii(found.text[:_MAX_SHOWN])
    return f"A request {what} ({shown}) was refused; {flag} names the addresses that may use this page."


async def refuse(scope: Message, send: Send) -> None:
    """Answer a request with status 403; close a WebSocket."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY, "reason": ""})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(_ANSWER)).encode())]
    await send({"type": "http.response.start", "status": _FORBIDDEN, "headers": headers})
    await send({"type": "http.response.body", "body": _ANSWER})
