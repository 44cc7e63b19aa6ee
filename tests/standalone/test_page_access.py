"""Who may use the page, asked of the page itself with gradio's routes and the host's."""

from __future__ import annotations

import socket
import warnings

import httpx
import psutil
import pytest
from hypernetwork_workbench.hypernetworks.server import origins
from hypernetwork_workbench.standalone import page_access
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

PROXY = "https://draw.example"
EVIL = {"Origin": "http://evil.example"}


@pytest.fixture(scope="module")
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def demo(host, port):
    """Return the page, served, with a proxy named."""
    from hypernetwork_workbench.standalone import app

    options = host.module("shared").cmd_opts
    before = dict(vars(options))
    vars(options).update(port=port, allow_origin=[PROXY], api=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        running = app.launch(host)
    yield running
    running.close(verbose=False)
    vars(options).clear()
    vars(options).update(before)


@pytest.fixture
def client(demo, port):
    return TestClient(demo.server_app, base_url=f"http://127.0.0.1:{port}")


def test_no_route_answers_another_page(client, demo):
    paths = {getattr(route, "path", "") for route in demo.server_app.routes}
    assert {"/", "/upload", "/run/{api_name}", "/file={path_or_url:path}", "/internal/progress"} <= paths
    for path in paths:
        for method in ("GET", "POST", "HEAD", "OPTIONS"):
            for headers in (EVIL, {"Host": "evil.example"}, {"Origin": "null"}):
                answer = client.request(method, path, headers=headers)
                assert (path, method, answer.status_code) == (path, method, 403)
                assert "access-control-allow-origin" not in answer.headers


def test_the_own_page_is_answered(client, demo, port):
    for headers in ({}, {"Origin": f"http://localhost:{port}"}, {"Origin": PROXY}, {"Host": "draw.example"}):
        answer = client.get("/config", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == f"frame-ancestors 'self' {PROXY}"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        sent = client.post("/upload", files={"files": ("a.txt", b"x")}, headers=headers)
        assert sent.status_code == 200
        assert client.get(f"/file={sent.json()[0]}", headers=headers).content == b"x"


def test_the_queue_is_opened_for_the_own_page_alone(client, port):
    address = f"ws://127.0.0.1:{port}/queue/join"
    for headers in ({}, {"Origin": f"http://127.0.0.1:{port}"}, {"Origin": PROXY}):
        greetings = []
        # gradio ends so when its guest leaves early.
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(address, headers=dict(headers)) as opened:
            greetings.append(opened.receive_json())
        assert greetings == [{"msg": "send_hash"}]
    for headers in (EVIL, {"Host": "evil.example"}, {"Origin": f"http://127.0.0.1:{port + 1}"}, {"Origin": "null"}):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(address, headers=dict(headers)):
            pytest.fail("it was opened")


def test_the_server_itself_refuses_so_too(demo, port):
    """Not the test client: uvicorn's own reading of requests."""
    for path in ("/config", "/queue/status", "/run/predict"):
        assert httpx.get(f"http://127.0.0.1:{port}{path}", headers=EVIL, trust_env=False).status_code == 403
    for hosts, status in (([], 403), (["evil.example"], 403), ([f"localhost:{port}"], 200), (["localhost"] * 2, 403)):
        with socket.create_connection(("127.0.0.1", port), timeout=120) as line:
            asked = ["GET /config HTTP/1.0", *(f"Host: {host}" for host in hosts), "", ""]
            line.sendall("\r\n".join(asked).encode())
            assert line.makefile("rb").readline().split()[1] in (str(status).encode(), b"400" if status == 403 else b"")


def test_nothing_of_the_folder_of_the_start_is_given(client, host):
    from hypernetwork_workbench.standalone.host import ROOT

    extensions = host.module("ui_gradio_extensions")
    for path in extensions.page_files():
        assert client.get(f"/file={path}").status_code == 200
    config = host.module("shared").config_filename
    for name in (
        "README.md",
        "launch.py",
        "standalone/app.py",
        "examples/demo.toml",
        "examples/night/01-red-triangle.png",
    ):
        assert ROOT.joinpath(name).exists()
        for asked in (name, ROOT / name):
            assert client.get(f"/file={asked}").status_code == 403, asked
            assert client.get(f"/file/{asked}").status_code == 403, asked
    for asked in (".venv/pyvenv.cfg", ".git", "/etc/passwd", "~/.bashrc", config, host.data_dir):
        assert client.get(f"/file={asked}").status_code == 403, asked


@pytest.mark.parametrize("start", ["/static/", "/assets/", "/theme/", "/proxy=", "/stream/", "/component_server/"])
@pytest.mark.parametrize("name", ["../../../README.md", "..%2f..%2f..%2fREADME.md", "%2fetc%2fpasswd", "..%5c..%5cx"])
def test_no_other_route_of_gradio_leads_to_files(client, start, name):
    assert client.get(start + name).status_code in (400, 403, 404)


def allowed(rules, name):
    return rules.hosts(origins.parse_authority(name))


def test_by_itself_the_page_has_the_names_of_the_machine_only():
    own = {one.address for several in psutil.net_if_addrs().values() for one in several if one.family == socket.AF_INET}
    rules = page_access.rules("127.0.0.1", [])
    assert allowed(rules, "127.0.0.1")
    assert allowed(rules, "localhost")
    assert allowed(rules, "[::1]")
    for name in {*own, "0.0.0.0", "evil.example", "10.9.8.7"} - {"127.0.0.1"}:
        assert not allowed(rules, name)


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])
def test_served_to_other_machines_it_has_the_addresses_of_the_machine_too(everywhere, monkeypatch):
    address = type("Address", (), {"family": socket.AF_INET, "address": "192.168.7.8"})
    local = type("Address", (), {"family": socket.AF_INET6, "address": "fe80::7%eth0"})
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": [address, local]})
    rules = page_access.rules(everywhere, [])
    for name in (
        "192.168.7.8",
        "192.168.7.8:7860",
        "[fe80::7]",
        "localhost",
        f"[{everywhere}]".strip("[]" * ("." in everywhere)),
    ):
        assert allowed(rules, name), name
    for name in ("192.168.7.9", "pc.local", "evil.example"):
        assert not allowed(rules, name), name
    only = page_access.rules("192.168.7.8", [])
    assert allowed(only, "192.168.7.8")
    assert not allowed(only, "[fe80::7]")


def test_a_named_origin_is_an_address_of_the_page():
    rules = page_access.rules("127.0.0.1", [PROXY, "http://PC:7860"])
    assert allowed(rules, "draw.example")
    assert allowed(rules, "pc:7860")
    assert rules.origins("https://Draw.Example:443")
    assert not rules.origins("http://draw.example")
    assert not rules.origins("null")
