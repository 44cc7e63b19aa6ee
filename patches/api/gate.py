"""Keeps other pages from the HTTP API and from the handlers of our tabs; what else the host serves is the host's own.

gradio's queue takes calls of any page, and a call names its function inside. What the host lets in with its flags may
call ours too.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from modules import shared
from starlette.middleware import Middleware
from starlette.websockets import WebSocketDisconnect

from ...hypernetworks.server.gate import App, Gate, Message, Receive, Send, refuse
from ...hypernetworks.server.origins import (
    Authority,
    Foreign,
    Rules,
    is_address,
    parse_origin,
)
from ..patching import audience
from . import access
from .app import PREFIX

FLAG = "--cors-allow-origins"
_CALL = re.compile(r"/(?:(?:run|api|call)/(?P<name>[^/]+)|queue/join)/?")
_IN_QUEUE = "predict"  # as which the queue passes a call on
_POLICY = 1008


def register(demo: Any, app: FastAPI) -> None:
    """Put the gate before the host's server; the host calls it once for each server that it starts."""
    calls = Calls(demo.config if demo is not None else {})
    gate = Middleware(CallGate, rules=rules(demo), flag=FLAG, calls=calls, has_password=bool(access.credentials()))
    app.user_middleware.append(gate)  # behind all that the host has
    app.middleware_stack = None  # it is built anew, with this


def rules(demo: Any) -> Rules:
    """Return what the host lets in."""
    named = (getattr(shared.cmd_opts, "cors_allow_origins", None) or "").split(",")
    pattern = getattr(shared.cmd_opts, "cors_allow_origins_regex", None)
    origins = {origin for text in named if (origin := parse_origin(text))}

    def is_named(text: str) -> bool:
        is_listed = "*" in named or text in named or parse_origin(text) in origins
        return is_listed or bool(pattern and re.fullmatch(pattern, text))

    def is_own(name: Authority) -> bool:
        # A page can borrow a name, by leading it here after it was loaded, but no address.
        if name.host == "localhost" or is_address(name.host) or name.host in {origin.host for origin in origins}:
            return True
        shown = name.host if name.port is None else f"{name.host}:{name.port}"
        return is_named(f"https://{shown}") or is_named(f"http://{shown}")

    return Rules(is_own if audience.is_this_machine_only(demo) else None, is_named, behind_proxy=True)


class Calls:
    """Recognises calls of the functions that update our elements.

    Args:
        config: what gradio tells the page of its components and functions.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        ids = {one["id"]: one.get("props", {}).get("elem_id") or "" for one in config.get("components", ())}
        functions = config.get("dependencies", ())
        self._count = len(functions)
        self._numbers = set()
        self._names = set()
        for number, function in enumerate(functions):
            targets = [target[0] if isinstance(target, (list, tuple)) else target for target in function["targets"]]
            if any(ids.get(target, "").startswith("hnw_") for target in targets):
                self._numbers.add(function.get("id", number))
                self._names.add(function["api_name"] or None)

    def has(self, call: str | bytes, name: str = _IN_QUEUE) -> bool:
        """Tell whether a call is for one of ours; `name` is that of its address."""
        try:
            content = json.loads(call)
        except (ValueError, RecursionError):
            return False  # nor does gradio read it
        number = content.get("fn_index") if isinstance(content, dict) else None
        if number is None:
            return name in self._names
        if type(number) is not int:
            return True  # what gradio makes of it is no page's business
        return number in self._numbers or (number < 0 and number + self._count in self._numbers)


class CallGate(Gate):
    """Refuses requests of other pages to the HTTP API and to the functions of our tabs.

    Args:
        app: the ASGI application behind it.
        calls: the functions of our tabs.
        has_password: the HTTP API asks for one, which a page that only borrows a name does not have.
    """

    def __init__(self, app: App, calls: Calls, has_password: bool, **how: Any) -> None:
        super().__init__(app, **how)
        self._calls = calls
        self._has_password = has_password

    async def handle_foreign(self, found: Foreign, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request of another page: refuse it where it is for our functions, else pass it to the host."""
        path, call = scope["path"], _CALL.search(scope["path"])
        if f"{PREFIX}/" in path:
            if found.header == "host" and self._has_password:
                await self.app(scope, receive, send)
            else:
                await super().handle_foreign(found, scope, receive, send)
        elif call and scope["type"] == "websocket":
            await self._listen(found, scope, receive, send)
        elif call:
            messages, body = await _read(receive)
            if self._calls.has(body, call["name"] or _IN_QUEUE):
                await super().handle_foreign(found, scope, receive, send)
            else:
                await self.app(scope, _replay(messages, receive), send)
        else:
            await self.app(scope, receive, send)

    async def _listen(self, found: Foreign, scope: Message, receive: Receive, send: Send) -> None:
        """Let a page talk to the queue until it calls one of our functions."""
        is_over = False

        async def hear() -> Message:
            nonlocal is_over
            message = await receive()
            call = message.get("text") or message.get("bytes")
            if is_over or message["type"] != "websocket.receive" or not self._calls.has(call or ""):
                return message
            is_over = True
            self.log_refusal(found)
            await refuse(scope, send)
            talk.cancel()  # gradio would wait for ever for a guest that left while it was asked for its data
            return {"type": "websocket.disconnect", "code": _POLICY}

        async def say(message: Message) -> None:
            if not is_over:
                await send(message)

        talk = asyncio.ensure_future(self.app(scope, hear, say))
        try:
            await talk
        except (asyncio.CancelledError, WebSocketDisconnect):
            if not is_over:
                raise


async def _read(receive: Receive) -> tuple[list[Message], bytes]:
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages, b"".join(message.get("body", b"") for message in messages)


def _replay(messages: list[Message], receive: Receive) -> Receive:
    """Return a source that repeats the messages already read, and then goes on with those to come."""

    async def next_one() -> Message:
        return messages.pop(0) if messages else await receive()

    return next_one
