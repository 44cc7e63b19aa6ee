"""Who may call our part of the real WebUI: its own page and whom its flags let in, over its own queue and routes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.real_host import webui, workplace
from tests.real_host.webui import WebUI

API = "/hypernetwork-workbench/v1"
EVIL, FRIEND = "http://evil.example", "https://friend.example"
#: Elements whose functions need nothing: ours, and one of the host.
OURS, HOST_S = "hnw_inspect_refresh", "refresh_sd_model_checkpoint"


def port(host: WebUI) -> int:
    return int(host.address.rpartition(":")[2])


def answer(host: WebUI, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    """Return status and body."""
    line = http.client.HTTPConnection("127.0.0.1", port(host), timeout=60)
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    line.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body), sent)
    got = line.getresponse()
    read = got.status, got.read()
    line.close()
    return read


def number(host: WebUI, element: str) -> int:
    """Return the number of the function that this element starts."""
    config = json.loads(answer(host, "/config")[1])
    id_ = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == element)
    return next(n for n, one in enumerate(config["dependencies"]) if id_ in one["targets"] and one["backend_fn"])


def queue(host: WebUI, element: str, origin: str, name: str | None = None) -> bool | None:
    """Press a button through the queue; tells whether it succeeded, None where the line was closed."""
    line, wanted = websocket.WebSocket(), number(host, element)
    try:
        line.connect(f"ws://127.0.0.1:{port(host)}/queue/join", timeout=60, origin=origin, host=name)
        while True:
            message = json.loads(line.recv())
            call = {"session_hash": "a", "fn_index": wanted, "data": []}
            if message["msg"] in ("send_hash", "send_data"):
                line.send(json.dumps(call))
            elif message["msg"] == "process_completed":
                return bool(message["success"])
    except (websocket.WebSocketException, ValueError):
        return None
    finally:
        line.shutdown()


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUI]:
    """Return a WebUI that is told whom to let in."""
    folder = workplace.make(tmp_path_factory.mktemp("known"))
    workplace.add_extension(folder)
    with webui.running(folder, "--cors-allow-origins", FRIEND) as running:
        yield running


def test_the_own_page_uses_everything(host: WebUI):
    for own in (host.address, f"http://localhost:{port(host)}"):
        assert queue(host, OURS, own) is True
        assert queue(host, HOST_S, own) is True
        assert answer(host, f"{API}/list", Origin=own)[0] == 200


def test_another_page_uses_nothing_of_ours(host: WebUI):
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {"Host": "evil.example", "Origin": EVIL}):
        assert queue(host, OURS, headers["Origin"], headers.get("Host")) is None
        assert answer(host, f"{API}/list", **headers)[0] == 403
        assert answer(host, f"{API}/create", {"name": "taken"}, **headers)[0] == 403
        assert answer(host, "/run/predict", {"fn_index": number(host, OURS), "data": []}, **headers)[0] == 403
    assert f"start it with --cors-allow-origins {EVIL}." in host.log
    assert "Traceback" not in host.log.partition(EVIL)[2]


def test_the_hosts_own_functions_are_the_hosts_business(host: WebUI):
    assert queue(host, HOST_S, EVIL) is True
    assert answer(host, "/sdapi/v1/options", Origin=EVIL)[0] == 200
    assert answer(host, "/", Origin=EVIL)[0] == 200


def test_a_proxy_in_front_changes_nothing(host: WebUI):
    assert answer(host, f"{API}/list", Origin="https://sd.example", X_Forwarded_Host="sd.example")[0] == 200
    proxied = {"Host": "sd.example", "Origin": "https://sd.example", "Sec_Fetch_Site": "same-origin"}
    assert answer(host, f"{API}/list", **proxied)[0] == 200


def test_whom_the_hosts_flag_lets_in_may_use_ours(known: WebUI):
    assert queue(known, OURS, FRIEND) is True
    assert queue(known, OURS, FRIEND, "friend.example") is True
    assert answer(known, f"{API}/list", Origin=FRIEND)[0] == 200
    assert queue(known, OURS, EVIL) is None


def test_the_extension_adds_nothing_to_the_files_that_are_served(host: WebUI, tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"x")
    for path in (tmp_path / "a.png", "/etc/passwd"):
        assert answer(host, f"/file={path}")[0] == 403
