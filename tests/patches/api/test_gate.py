"""The gate before our part of a host that lets every page call: gradio with a tab of the host and one of ours."""

from __future__ import annotations

import gc
import json
import logging
import socket

import gradio as gr
import httpx
import pytest
import websocket
from gradio.routes import App
from starlette.middleware.cors import CORSMiddleware
from starlette.testclient import TestClient

# gradio's server runs in this process; it was written for older libraries, and its queue leaves its own line open.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

PREFIX = "/hypernetwork-workbench/v1"
EVIL = "http://evil.example"
PASSWORD = {"Authorization": "Basic dXNlcjp3b3Jk"}
HOST_S, OURS, HOST_QUICK, OURS_QUICK, OURS_NAMED = range(5)


def page(calls):
    def function(name):
        def called(text):
            calls.append(name)
            return f"{name} has {text}"

        return called

    with gr.Blocks(analytics_enabled=False) as demo:
        text = gr.Textbox(elem_id="txt2img_prompt")
        gr.Button(elem_id="txt2img_generate").click(function("host"), text, text)
        gr.Button(elem_id="hnw_look").click(function("ours"), text, text)
        gr.Button(elem_id="txt2img_quick").click(function("host"), text, text, queue=False)
        gr.Button(elem_id="hnw_quick").click(function("ours"), text, text, queue=False)
        gr.Button(elem_id="hnw_named").click(function("ours"), text, text, queue=False, api_name="look")
    return demo


class Host:
    """A gradio app with the gate, its flags those of `options`; served where the queue is to run."""

    def __init__(self, options, is_served=False, **flags):
        from hypernetwork_workbench.patches.api import app as api
        from hypernetwork_workbench.patches.api import gate

        vars(options).update(flags)
        self.calls = []
        self.demo = page(self.calls).queue()
        self.port = 7860
        if is_served:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            app, _, _ = self.demo.launch(server_port=self.port, prevent_thread_lock=True, quiet=True)
            # gradio leaves open what its queue calls itself by, which would be found in some test of another file.
            app.add_event_handler("shutdown", self._close_queue)
        else:
            app = App.create_app(self.demo)
        app.user_middleware = [one for one in app.user_middleware if one.cls is not CORSMiddleware]
        gate.register(self.demo, app)
        api.register(self.demo, app)
        address = f"http://127.0.0.1:{self.port}"
        self.client = (
            httpx.Client(base_url=address, trust_env=False, timeout=120)
            if is_served
            else TestClient(app, base_url=address, raise_server_exceptions=False)
        )

    async def _close_queue(self):
        await self.demo._queue.queue_client.aclose()

    def answer(self, path, body=None, method=None, **headers):
        """Return status and text."""
        headers = {"Content-Type": "application/json"} | {name.replace("_", "-"): headers[name] for name in headers}
        method = method or ("GET" if body is None else "POST")
        content = json.dumps(body) if isinstance(body, dict) else body
        answer = self.client.request(method, path, content=content, headers=headers)
        return answer.status_code, answer.text

    def call(self, number, path="/run/predict", **headers):
        return self.answer(path, {"fn_index": number, "data": ["x"], "session_hash": "a"}, **headers)

    def queue(self, number, then=None, **headers):
        """Call through the queue, as gradio's page does; returns the last message, None where it was closed."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        host, origin = headers.pop("Host", None), headers.pop("Origin", None)
        line = websocket.WebSocket()
        try:
            line.connect(
                f"ws://127.0.0.1:{self.port}/queue/join",
                timeout=120,
                host=host,
                origin=origin,
                suppress_origin=origin is None,
                header=headers,
            )
            while True:
                message = json.loads(line.recv())
                if message["msg"] == "send_hash":
                    line.send(json.dumps({"session_hash": "a", "fn_index": number}))
                elif message["msg"] == "send_data":
                    said = {"session_hash": "a", "fn_index": number if then is None else then, "data": ["x"]}
                    line.send(json.dumps(said))
                elif message["msg"] == "process_completed":
                    return message["output"]["data"][0]
        except (websocket.WebSocketException, ValueError):
            return None
        finally:
            line.shutdown()


@pytest.fixture
def start(host):
    """Return what starts a host under given flags."""
    options = host.module("shared").cmd_opts
    before, running = dict(vars(options)), []
    for name in ("server_name", "allow_origin", "cors_allow_origins"):
        vars(options).pop(name, None)

    def started(**flags):
        running.append(Host(options, **flags))
        return running[-1]

    yield started
    for one in running:
        one.client.close()
        if one.demo.is_running:
            one.demo.close(verbose=False)
        vars(one).clear()
    gc.collect()  # a connection that is left goes here
    vars(options).clear()
    vars(options).update(before)


@pytest.fixture
def local(start):
    return start(is_served=True)


def test_the_own_page_calls_everything(local):
    own = {"Origin": f"http://localhost:{local.port}"}
    for headers in ({}, own):
        assert local.queue(OURS, **headers) == "ours has x"
        assert local.queue(HOST_S, **headers) == "host has x"
        assert local.call(OURS_QUICK, **headers)[0] == 200
        assert local.answer(f"{PREFIX}/list", **headers)[0] == 200


def test_another_page_calls_nothing_of_ours_and_the_host_as_ever(local, caplog):
    caplog.set_level(logging.WARNING)
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {"Origin": f"http://127.0.0.1:{local.port + 1}"}):
        assert local.queue(OURS, **headers) is None
        assert local.call(OURS_QUICK, **headers)[0] == 403
        assert local.answer(f"{PREFIX}/list", **headers)[0] == 403
        assert local.answer(f"{PREFIX}/create", {"name": "a"}, **headers)[0] == 403
        assert local.answer(f"{PREFIX}/create", method="OPTIONS", **headers)[0] == 403
        assert local.calls == []
        assert local.queue(HOST_S, **headers) == "host has x"
        assert local.call(HOST_QUICK, **headers)[0] == 200
        assert local.answer("/config", **headers)[0] == 200
        local.calls.clear()
    messages = [record.message for record in caplog.records]
    assert len(messages) == 3
    assert messages[0].endswith(f"start it with --cors-allow-origins {EVIL}.")


def test_no_way_round_by_how_a_call_is_written(local):
    evil = {"Origin": EVIL}
    assert local.queue(HOST_S, then=OURS, **evil) is None
    assert local.queue(HOST_S, then=str(OURS), **evil) is None
    assert local.queue(HOST_S, then=OURS - 5, **evil) is None
    for number in (OURS_QUICK, str(OURS_QUICK), float(OURS_QUICK), OURS_QUICK - 5, True, [OURS_QUICK]):
        for path in ("/run/predict", "/run/predict/", "/api/predict", "/api/x", "/run/look"):
            assert local.call(number, path, **evil)[0] == 403, (number, path)
    for path in ("/run/look", "/api/look/"):
        assert local.answer(path, {"data": ["x"]}, **evil)[0] == 403
    body = json.dumps({"fn_index": OURS_QUICK, "data": ["x"]})
    doubled = body.replace("{", '{"fn_index": 0, ', 1)
    for sent in (body.encode("utf-16"), doubled, body.replace("fn_index", "fn\\u005findex")):
        assert local.answer("/run/predict", sent, **evil)[0] == 403
    assert local.answer("/run/predict", body, Content_Type="text/plain", **evil)[0] == 403
    assert local.calls == []
    assert local.answer("/run/predict", "{", **evil)[0] == 422
    assert local.answer("/run/predict", {"fn_index": 99, "data": []}, **evil)[0] != 403


def test_a_page_that_borrows_a_name_calls_nothing_of_ours(local):
    name = f"evil.example:{local.port}"
    for headers in ({"Host": name}, {"Host": name, "Origin": f"http://{name}"}):
        assert local.queue(OURS, **headers) is None
        assert local.call(OURS_QUICK, **headers)[0] == 403
        assert local.answer(f"{PREFIX}/list", **headers)[0] == 403
        assert local.calls == []
        assert local.call(HOST_QUICK, **headers)[0] == 200
        local.calls.clear()
    assert local.call(OURS_QUICK, Host="192.168.1.5:7860")[0] == 200


FLAGS = {
    "listed": ({"cors_allow_origins": f"https://a.example,{EVIL}"}, {"Origin": EVIL}),
    "listed_and_borrowed": ({"cors_allow_origins": EVIL}, {"Host": "evil.example"}),
    "all": ({"cors_allow_origins": "*"}, {"Origin": "https://b.example", "Host": "c.example"}),
    "no_address_listed": ({"cors_allow_origins": "null"}, {"Origin": "null"}),
    "pattern": ({"cors_allow_origins_regex": r"https?://\w+\.example(:\d+)?"}, {"Origin": EVIL}),
    "pattern_and_name": ({"cors_allow_origins_regex": r"https://\w+\.example:9"}, {"Host": "evil.example:9"}),
    "listen": ({"listen": True}, {"Host": "pc.home:7860", "Origin": "http://pc.home:7860"}),
    "server_name": ({"server_name": "0.0.0.0"}, {"Host": "pc.home", "Origin": "http://pc.home"}),
    "share": ({"share": True}, {"Host": "ab.gradio.live", "Origin": "https://ab.gradio.live"}),
    "ngrok": ({"ngrok": "token"}, {"Host": "ab.ngrok.app", "Origin": "https://ab.ngrok.app"}),
    "tunnel": ({"cloudflared": True}, {"Host": "ab.trycloudflare.com", "Origin": "https://ab.trycloudflare.com"}),
    "subpath": ({"subpath": "sd"}, {"Host": "sd.example", "Origin": "https://sd.example"}),
    "password": ({"gradio_auth_path": "x"}, {"Host": "sd.example", "Origin": "https://sd.example"}),
    "proxy_changes_host": ({}, {"Origin": "https://sd.example", "X-Forwarded-Host": "sd.example"}),
}


@pytest.mark.parametrize(("flags", "headers"), FLAGS.values(), ids=FLAGS)
def test_what_the_host_lets_in_may_call_ours(start, monkeypatch, flags, headers):
    from hypernetwork_workbench.patches.api import access

    monkeypatch.setattr(access, "credentials", list)
    open_ = start(**flags)
    assert open_.call(OURS_QUICK, **headers)[0] == 200
    assert open_.answer(f"{PREFIX}/list", **headers)[0] == 200


@pytest.mark.parametrize("flags", [{"listen": True}, {"share": True}, {"subpath": "sd"}, {"gradio_auth_path": "x"}])
def test_what_is_served_to_more_than_the_machine_keeps_other_pages_out(start, monkeypatch, flags):
    from hypernetwork_workbench.patches.api import access

    monkeypatch.setattr(access, "credentials", list)
    open_ = start(**flags)
    assert open_.call(OURS_QUICK, Origin=EVIL, Host="sd.example")[0] == 403
    assert open_.answer(f"{PREFIX}/list", Origin=EVIL)[0] == 403
    assert open_.calls == []


def test_a_program_with_the_password_may_use_any_name_for_the_api_alone(start):
    closed = start(api_auth="user:word")
    assert closed.answer(f"{PREFIX}/list", Host="sd.example", **PASSWORD)[0] == 200
    assert closed.answer(f"{PREFIX}/list", Host="sd.example")[0] == 401
    assert closed.answer(f"{PREFIX}/list", Origin=EVIL, **PASSWORD)[0] == 403
    assert closed.call(OURS_QUICK, Host="sd.example")[0] == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1", "[::1]", "", None])
def test_a_server_of_the_machine_alone_is_known_by_its_name(start, name):
    assert start(server_name=name).call(OURS_QUICK, Host="evil.example")[0] == 403


def test_a_host_without_a_page_is_guarded_too(start):
    from fastapi import FastAPI
    from hypernetwork_workbench.patches.api import app as api
    from hypernetwork_workbench.patches.api import gate

    app = FastAPI()
    gate.register(None, app)
    api.register(None, app)
    client = TestClient(app, base_url="http://127.0.0.1:7861")
    assert client.get(f"{PREFIX}/list").status_code == 200
    assert client.get(f"{PREFIX}/list", headers={"Origin": EVIL}).status_code == 403
    assert client.get(f"{PREFIX}/list", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/openapi.json", headers={"Origin": EVIL}).status_code == 200


def test_the_functions_of_a_newer_gradio_are_known_too():
    """Where functions have ids, their targets events, and each its own name."""
    from hypernetwork_workbench.patches.api.gate import Calls

    components = [{"id": 7, "props": {"elem_id": "hnw_look"}}, {"id": 8, "props": {}}, {"id": 9}]
    functions = [
        {"id": 30, "targets": [[7, "click"]], "api_name": "look"},
        {"id": 31, "targets": [[8, "click"]], "api_name": "generate"},
        {"id": 32, "targets": [[None, "load"]], "api_name": False},
    ]
    calls = Calls({"components": components, "dependencies": functions})
    assert calls.has('{"fn_index": 30}')
    assert not calls.has('{"fn_index": 31}')
    assert not calls.has(b'{"fn_index": 32}')
    assert calls.has("{}", "look")
    assert not calls.has("{}", "generate")
    assert not calls.has("[]")
