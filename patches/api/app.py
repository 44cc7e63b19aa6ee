"""The HTTP API under `/hypernetwork-workbench/v1`: on when the host's own is, and behind the same password."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from ...hypernetworks.base.errors import WorkbenchError
from ...hypernetworks.jobs import json_schema
from ...hypernetworks.merge import method_names
from ...hypernetworks.merge.saving import ResultSettings
from ...hypernetworks.merge.settings import LABELS, MergeSettings
from ...hypernetworks.queue import Queue
from ...hypernetworks.train.settings.job import CreateSettings
from ..patching.error_reports import report_unexpected
from ..sets.host_training import api_is_on
from . import access, queue_routes
from . import routes as api_routes

PREFIX = "/hypernetwork-workbench/v1"
_ACCEPTED = 202
_RUN = {"type": "string", "description": "Id of a run, as train gives it."}


@dataclass(frozen=True)
class Route:
    """A route with its function and its part of the OpenAPI document.

    Attributes:
        work: takes the body and the parameter, and returns the answer.
        body: schema of the request's JSON; None for a GET.
        parameter: name of the one parameter of a GET, and where it stands: "path" or "query".
    """

    path: str
    work: Callable[..., dict[str, Any]]
    body: dict[str, Any] | None = None
    parameter: tuple[str, str] | None = None
    status: int = 200


def routes() -> list[Route]:
    """Return all routes."""
    job, merge = json_schema.of_job(), json_schema.of_settings(MergeSettings, ResultSettings, required=("name",))
    merge["properties"]["method"].update(enum=list(method_names()), default=LABELS[MergeSettings.method].name)
    compose = json_schema.of_settings(ResultSettings, required=("name",))
    compose["properties"] |= {
        "text": {"type": "string", "description": "Such as A:0.8 + B:0.2 > C, or the text of a .hns file."},
        "one_file": {"type": "boolean", "default": False, "description": "As one network where that is exact."},
    }
    resumed = {**job, "properties": {"run": _RUN, **job["properties"]}}
    return [
        Route("/create", api_routes.create, json_schema.of_settings(CreateSettings, required=("name",))),
        Route("/train", api_routes.train, job, status=_ACCEPTED),
        Route("/continue", api_routes.resume, resumed, status=_ACCEPTED),
        Route("/interrupt", api_routes.interrupt, {"type": "object", "properties": {"run": _RUN}}),
        Route("/pause", api_routes.pause, {"type": "object", "properties": {}}),
        Route("/go-on", api_routes.go_on, {"type": "object", "properties": {}}),
        Route("/save", api_routes.save, {"type": "object", "properties": {}}),
        Route("/preview", api_routes.preview, {"type": "object", "properties": {"prompt": {"type": "string"}}}),
        Route("/status", api_routes.status),
        Route("/status/{run}", api_routes.status, parameter=("run", "path")),
        Route("/list", api_routes.listing),
        Route("/inspect", api_routes.inspect, parameter=("name", "query")),
        Route("/merge", api_routes.merge, merge),
        Route("/compose", api_routes.compose, compose),
        *_queue_routes(),
    ]


def _queue_routes() -> list[Route]:
    schemas = queue_routes.schemas()
    acts = {
        "cancel": (Queue.cancel, "Take a job back; one at work ends after its step, and saves."),
        "pause": (Queue.pause, "Hold a job; one at work saves, and makes room for the next."),
        "go-on": (Queue.go_on, "Let a job that is held wait for its turn again."),
        "retry": (Queue.retry, "Try a job again that failed or was taken back."),
    }
    return [
        Route("/queue", queue_routes.listing),
        Route("/queue/add", queue_routes.add, schemas["add"]),
        *(
            Route(f"/queue/{name}", queue_routes.act_of(act, what), schemas["job"])
            for name, (act, what) in acts.items()
        ),
        Route("/queue/move", queue_routes.move, schemas["move"]),
        Route("/queue/after", queue_routes.put_after, schemas["after"]),
        Route("/queue/remove", queue_routes.remove, schemas["job"]),
        Route("/queue/settings", queue_routes.settings, schemas["settings"]),
    ]


def register(_demo: Any, app: FastAPI) -> None:
    """Add the routes to the host's server where it serves an API at all."""
    if not api_is_on():
        return
    known = access.credentials()
    for route in routes():
        app.add_api_route(
            PREFIX + route.path,
            _endpoint(route, known),
            methods=["GET" if route.body is None else "POST"],
            summary=(route.work.__doc__ or "").strip(),
            tags=["hypernetwork-workbench"],
            status_code=route.status,
            name=f"hnw{route.path}",
            openapi_extra=_documented(route),
        )
    app.openapi_schema = None  # built again when asked for, with these routes


def _endpoint(route: Route, known: list[tuple[str, str]]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            with report_unexpected():
                access.check_user(request, known)
                access.check_switch()
                body = await access.read_body(request)
                query = _query(route, request)
                return JSONResponse(await run_in_threadpool(route.work, body, **query), route.status)
        except WorkbenchError as error:
            return access.refusal(error)

    return endpoint


def _query(route: Route, request: Request) -> dict[str, str]:
    if route.parameter is None:
        return {}
    name, place = route.parameter
    return {name: request.path_params[name] if place == "path" else request.query_params.get(name, "")}


def _documented(route: Route) -> dict[str, Any]:
    """Return the part of the OpenAPI document about the request."""
    described: dict[str, Any] = {}
    if route.body is not None:
        described["requestBody"] = {"content": {"application/json": {"schema": route.body}}}
    if route.parameter is not None:
        name, place = route.parameter
        described["parameters"] = [{"name": name, "in": place, "required": True, "schema": {"type": "string"}}]
    return described
