"""Who may call the HTTP API and with what kind of request, and the answers to those that are refused."""

from __future__ import annotations

import base64
import binascii
import importlib
import json
from collections.abc import Sequence
from secrets import compare_digest
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from modules import shared

from ...hypernetworks.base.encodings import decode
from ...hypernetworks.base.errors import SettingsError, WorkbenchError
from ...hypernetworks.base.unexpected_errors import UnexpectedError
from ...hypernetworks.texts.tables import parse_body
from ..patching import switches
from ..runs.run import RunBusyError

_MAX_BODY_BYTES = 1 << 20
_WRONG, _UNKNOWN, _MISSING, _BUSY, _TOO_LARGE, _NOT_JSON, _UNFIT = 400, 401, 404, 409, 413, 415, 422
_FAILED, _OFF = 500, 503


class RequestError(WorkbenchError):
    """A request that cannot be answered, whatever its settings are."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def not_found(sentence: str) -> RequestError:
    """Return the error for something that is not there."""
    return RequestError(_MISSING, sentence)


def credentials() -> list[tuple[str, str]]:
    """Return users with their passwords: those of `--api-auth`, else those of the page; none where all is open."""
    given = getattr(shared.cmd_opts, "api_auth", None)
    if given:
        pairs = [pair.partition(":") for pair in given.split(",")]
        return [(user, password) for user, _, password in pairs]
    if getattr(shared.cmd_opts, "gradio_auth", None) or getattr(shared.cmd_opts, "gradio_auth_path", None):
        page: Any = importlib.import_module("modules.initialize_util")  # a host with these flags has it
        return [(user, password) for user, password in page.get_gradio_auth_creds()]
    return []


def check_user(request: Request, known: Sequence[tuple[str, str]]) -> None:
    """Raise RequestError unless the request carries one of the `known` users and passwords; with none, all may."""
    if not known:
        return
    # FastAPI's HTTPBasic refuses every name and password with a letter that is not ASCII.
    kind, _, coded = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(coded.strip(), validate=True) if kind.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    # All are compared, each in a time that does not depend on how much of it was right.
    matches = [compare_digest(given, f"{user}:{password}".encode()) for user, password in known]
    if not any(matches):
        raise RequestError(_UNKNOWN, "wrong user or password")


def check_switch() -> None:
    """Raise RequestError while the extension is switched off."""
    if not switches.is_on():
        raise RequestError(_OFF, switches.OFF)


async def read_body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request; an empty body is an empty object.

    Raises:
        RequestError: it is too large, or no JSON object.
    """
    if request.method == "GET":
        return {}
    # A page of another site can make a browser post any form, but not this type.
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(_NOT_JSON, "the request must have the Content-Type application/json")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _MAX_BODY_BYTES:
            raise RequestError(_TOO_LARGE, f"the request is larger than {_MAX_BODY_BYTES} bytes")
    try:
        body = parse_body(decode(raw or b"{}"))
        json.dumps(body, ensure_ascii=False).encode()  # half a character fits into no name, path or file
    except (ValueError, RecursionError) as error:
        raise RequestError(_WRONG, f"the request is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise RequestError(_WRONG, "the request must be a JSON object")
    return body


def error_body(error: WorkbenchError) -> dict[str, Any]:
    """Return the JSON of an error: one sentence, the field where it is about one, and each of several errors."""
    if not isinstance(error, SettingsError):
        return {"error": str(error), "field": None}
    answer: dict[str, Any] = {"error": f"{error.field}: {error.reason}", "field": error.field}
    if len(error.errors) > 1:
        answer["errors"] = [{"field": one.field, "error": one.reason} for one in error.errors]
    return answer


def refusal(error: WorkbenchError) -> JSONResponse:
    """Return the answer to a request that failed, with the status that fits the error."""
    if isinstance(error, RequestError):
        headers = {"WWW-Authenticate": "Basic"} if error.status == _UNKNOWN else None
        return JSONResponse(error_body(error), error.status, headers)
    if isinstance(error, UnexpectedError):
        return JSONResponse(error_body(error), _FAILED)
    return JSONResponse(error_body(error), _BUSY if isinstance(error, RunBusyError) else _UNFIT)
