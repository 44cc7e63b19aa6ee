"""The door before a server with routes, WebSockets and an application mounted inside."""

from __future__ import annotations

import logging

import pytest
from hypernetwork_workbench.hypernetworks.server import gate, origins
from hypernetwork_workbench.hypernetworks.server.gate import Gate
from hypernetwork_workbench.hypernetworks.server.origins import Foreign, Rules
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

HERE = "http://127.0.0.1:7860"
SOCKET = "ws://127.0.0.1:7860"  # the test client takes no base for it
EVIL = {"Origin": "http://evil.example"}
RULES = Rules(lambda name: origins.is_loopback(name.host), lambda text: text == "https://draw.example")


@pytest.fixture
def seen():
    """Return what reached the server."""
    return []


@pytest.fixture
def client(seen):
    def answer(request):
        seen.append(request.url.path)
        return PlainTextResponse("secret")

    async def talk(websocket):
        seen.append(websocket.url.path)
        await websocket.accept()
        await websocket.send_text("secret")
        await websocket.close()

    routes = [Route("/", answer, methods=["GET", "POST"]), WebSocketRoute("/talk", talk)]
    inner = Starlette(routes=routes)
    app = Gate(Starlette(routes=[*routes, Mount("/inner", inner)]), RULES, "--let-in", [(b"x-frame", b"none")])
    with TestClient(app, base_url=HERE) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/", "/inner/", "/missing"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
def test_other_pages_get_403_and_nothing_hears_of_it(client, seen, path, method):
    answer = client.request(method, path, headers=EVIL)
    assert answer.status_code == 403
    assert "secret" not in answer.text
    assert "access-control-allow-origin" not in answer.headers
    assert seen == []


@pytest.mark.parametrize("path", ["/talk", "/inner/talk"])
def test_the_websocket_of_another_page_is_refused_before_it_is_open(client, seen, path):
    for headers in (EVIL, {"Host": "evil.example"}):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(SOCKET + path, headers=dict(headers)):
            pytest.fail("it was opened")
    assert seen == []


def test_the_page_itself_passes_and_its_answers_carry_the_headers(client):
    for headers in ({}, {"Origin": HERE}, {"Origin": "https://draw.example"}):
        answer = client.post("/", headers=headers)
        assert (answer.status_code, answer.text, answer.headers["x-frame"]) == (200, "secret", "none")
        with client.websocket_connect(SOCKET + "/inner/talk", headers=dict(headers)) as opened:
            assert opened.receive_text() == "secret"


def test_the_log_says_once_for_each_origin_what_would_let_it_in(client, caplog):
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        client.get("/", headers=EVIL)
        client.get("/", headers={"Host": "evil.example:80"})
    client.get("/", headers={"Origin": "http://other.example"})
    assert [record.message.rpartition("start it with ")[2] for record in caplog.records] == [
        "--let-in http://evil.example.",
        "--let-in http://evil.example:80.",
        "--let-in http://other.example.",
    ]


def test_the_log_does_not_grow_without_end(client, caplog):
    for number in range(gate._MAX_LOGGED + 20):
        client.get("/", headers={"Origin": f"http://{number}.example"})
    assert len(caplog.records) == gate._MAX_LOGGED


@pytest.mark.parametrize("header", ["origin", "host"])
@pytest.mark.parametrize("text", ["null", "", "a\nERROR: forged", "http://a\x1b[31m", "x" * 5000, "ü"])
def test_what_cannot_be_an_address_is_shown_on_one_short_line(header, text):
    said = gate.refusal_sentence(Foreign(header, text), "--let-in")
    assert said.isprintable()
    assert said.isascii()
    assert len(said) < 300
    assert "--let-in" in said
