"""Another site in a second tab of the same browser: it gets nothing of the page, which goes on beside it."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from tests.browser import neighbours
from tests.browser import page as browser
from tests.browser.conftest import Server, free_port, serving
from tests.browser.page import Page

pytestmark = pytest.mark.story

EVIL, PROXIED = "evil.example", "draw.example"
STOLEN, OWN = "made by another site", "made beside another site"

#: Says "open" and what came over the line when it is closed; calls one function as gradio's page does.
QUEUE = """
const [address, call, done] = arguments;
const said = [], line = new WebSocket(address);
line.onopen = () => said.push("open");
line.onmessage = (event) => {
  const message = JSON.parse(event.data);
  said.push(message.msg);
  if (message.msg === "send_hash" || message.msg === "send_data") line.send(JSON.stringify(call));
};
line.onclose = () => done(said);
"""
#: Does so again and again.
AGAIN = f"const tried = [...arguments, () => 0]; setInterval(() => {{ {QUEUE.replace('arguments', 'tried')} }}, 300);"
#: Says "refused" where the browser gives the page nothing of the answer, else what it was given.
FETCH = """
const [address, how, done] = arguments;
if (how.file) {
  how.body = new FormData();
  how.body.append("files", new Blob(["stolen"]), "stolen.txt");
}
fetch(address, how).then((answer) => answer.text().then((text) => done([answer.type, answer.status, text])),
                         () => done("refused"));
"""
#: Says whether something was shown: a picture, a style, a script.
LOAD = """
const [kind, address, done] = arguments;
const element = document.createElement(kind);
element.onload = () => done("loaded");
element.onerror = () => done("refused");
if (kind === "link") element.rel = "stylesheet";
element[kind === "link" ? "href" : "src"] = address;
document.body.append(element);
"""
#: Sends a form into a frame, and waits for its answer.
FORM = """
const [address, text, done] = arguments;
const frame = document.createElement("iframe"), form = document.createElement("form");
frame.name = "frame" + Math.random();
document.body.append(frame, form);
Object.assign(form, {action: address, method: "post", enctype: "text/plain", target: frame.name});
const field = document.createElement("input");
Object.assign(field, {name: text.slice(0, -2), value: '"}'});
form.append(field);
frame.onload = () => done("answered");
form.submit();
"""
FRAME = """
const [address, done] = arguments;
const frame = document.createElement("iframe");
frame.onload = () => done("loaded");
frame.src = address;
document.body.append(frame);
"""


class Site:
    """A tab with a page of another site.

    Attributes:
        target: where the user's page is.
    """

    def __init__(self, driver: webdriver.Chrome, target: str) -> None:
        self._driver = driver
        self.target = target

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script that ends by calling its last argument; returns what it says."""
        return self._driver.execute_async_script(script, *arguments)

    def queue(self, call: Any) -> list[str]:
        """Call a function through the queue; returns what was heard."""
        return self.run(QUEUE, self.target.replace("http", "ws", 1) + "/queue/join", call)

    def fetch(self, path: str, **how: Any) -> Any:
        """Fetch something."""
        return self.run(FETCH, self.target + path, how)

    def statuses(self) -> set[int]:
        """Return the statuses of all answers of the target since the last time, those that a page cannot see too."""
        asked, found = set(), set()
        for entry in self._driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            what, about = message["method"].removeprefix("Network."), message["params"]
            if what == "requestWillBeSent" and about["request"]["url"].startswith(self.target):
                asked.add(about["requestId"])
            elif what == "responseReceivedExtraInfo" and about["requestId"] in asked:
                found.add(about["statusCode"])
            elif what == "webSocketHandshakeResponseReceived":
                found.add(about["response"]["status"])
            elif what == "webSocketFrameError":
                found.add(int(re.search(r"response code: (\d+)", about["errorMessage"])[1]))
        return found


@pytest.fixture(scope="module")
def proxy_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def guarded(chromium: None, proxy_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a page that knows of a proxy, and serves the HTTP API."""
    flags = ("--api", "--allow-origin", f"http://{PROXIED}:{proxy_port}")
    with serving(tmp_path_factory, *flags) as running:
        yield running


@pytest.fixture(scope="module")
def own(guarded: Server) -> Iterator[Page]:
    """Return the user's page, in the first tab."""
    driver = browser.open_browser([EVIL, PROXIED])
    try:
        yield Page(driver, guarded.address)
    finally:
        driver.quit()


@pytest.fixture(params=["another port", "another name", "a borrowed name"])
def site(request: pytest.FixtureRequest, own: Page, guarded: Server) -> Iterator[Site]:
    """Return another site in a second tab: the page's neighbour on the machine, one elsewhere, or one that had its
    name lead to this machine after it was loaded, so that the browser takes the page for its own."""
    port = int(guarded.address.rpartition(":")[2])
    driver, first = own.driver, own.driver.current_window_handle
    with neighbours.another_site() as elsewhere:
        places = {
            "another port": (f"http://127.0.0.1:{elsewhere}", guarded.address),
            "another name": (f"http://{EVIL}:{elsewhere}", guarded.address),
            "a borrowed name": (f"http://{EVIL}:{port}", f"http://{EVIL}:{port}"),
        }
        home, target = places[request.param]
        driver.switch_to.new_window("tab")
        driver.get(home)
        opened, other = Site(driver, target), driver.current_window_handle
        driver.get_log("performance")
        yield opened
        driver.switch_to.window(other)
        driver.close()
        driver.switch_to.window(first)


def functions(server: Server) -> tuple[list[Any], dict[int, Any]]:
    """Return the functions of the page and its components by their ids."""
    with urllib.request.urlopen(f"{server.address}/config", timeout=30) as answer:
        config = json.loads(answer.read())
    return config["dependencies"], {one["id"]: one for one in config["components"]}


def call_of(server: Server, element: str, **values: Any) -> dict[str, Any]:
    """Return the call that a press of this element makes, with these values in its fields."""
    called, components = functions(server)

    def id_of(component: int) -> str:
        return components[component]["props"].get("elem_id") or ""

    number = next(n for n, one in enumerate(called) if one["backend_fn"] and element in map(id_of, one["targets"]))
    inputs = called[number]["inputs"]
    data = [values.get(id_of(one), components[one]["props"].get("value")) for one in inputs]
    return {"fn_index": number, "data": data, "event_data": None, "session_hash": "other"}


def create(page: Page, name: str, server: Server) -> Path:
    """Make a network in the page as its user would; returns its file."""
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.wait_for_text("hnw_create_summary", "Parameters")  # until then the widths are not ticked
    page.fill("hnw_create_name", name)
    page.until("nothing to put right", lambda: "To be corrected" not in page.text("hnw_create_summary"))
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", f"Created {name}")
    return next(server.data.rglob(f"{name}.pt"))


def test_the_call_that_others_try_is_one_that_makes_a_network(own: Page, guarded: Server):
    """What the other sites below try does work from the page itself, or they would prove nothing."""
    said = Site(own.driver, guarded.address).queue(call_of(guarded, "hnw_create_button", hnw_create_name="real call"))
    assert said[0] == "open"
    assert said[-1] == "process_completed"
    assert any(guarded.data.rglob("real call.pt"))
    site = Site(own.driver, guarded.address)
    assert site.fetch("/upload", method="POST", file=True)[:2] == ["basic", 200]
    assert site.fetch("/hypernetwork-workbench/v1/list")[:2] == ["basic", 200]


def test_another_site_gets_nothing_over_the_queue(site: Site, guarded: Server):
    call = call_of(guarded, "hnw_create_button", hnw_create_name=STOLEN)
    look = call_of(guarded, "hnw_dataset_look_button", hnw_dataset_data_folder=str(guarded.data))
    assert site.queue(call) == []
    assert site.queue(look) == []
    assert site.statuses() == {403}
    assert not any(guarded.data.rglob(f"{STOLEN}*"))


def test_another_site_can_fetch_nothing_and_send_nothing(site: Site, guarded: Server):
    call = json.dumps(call_of(guarded, "hnw_create_save", hnw_create_name=STOLEN))
    made = json.dumps({"name": STOLEN, "widths": [8]})
    api = "/hypernetwork-workbench/v1"
    json_type, text = {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}
    for mode in ("cors", "no-cors"):
        answers = [
            site.fetch("/config", mode=mode),
            site.fetch("/upload", mode=mode, method="POST", file=True),
            site.fetch("/run/predict", mode=mode, method="POST", headers=json_type, body=call),
            site.fetch("/run/predict", mode=mode, method="POST", headers=text, body=call),
            site.fetch("/internal/interrupt", mode=mode, method="POST"),
            site.fetch(f"{api}/list", mode=mode),
            site.fetch(f"{api}/create", mode=mode, method="POST", headers=json_type, body=made),
            site.fetch("/file=README.md", mode=mode),
        ]
        for answer in answers:
            refused = answer == "refused" or answer[0] == "opaque" or answer[1] == 403
            assert refused, answer
            assert answer == "refused" or answer[0] != "opaque" or answer[2] == ""
    site.run(FORM, site.target + "/run/predict", call)
    assert site.statuses() == {403}
    assert not any(guarded.data.rglob(f"{STOLEN}*"))


def test_another_site_can_show_nothing_of_the_page(site: Site, guarded: Server):
    with urllib.request.urlopen(guarded.address, timeout=30) as answer:
        page = answer.read().decode()
    script = re.search(r"src=\"(file=[^\"]*host\.js[^\"]*)\"", page)[1]
    style = re.search(r"href=\"(file=[^\"]*style\.css[^\"]*)\"", page)[1]
    picture = guarded.data / "outputs" / "secret.png"
    picture.write_bytes(Path(neighbours.__file__).parents[2].joinpath("docs/images/sheet.png").read_bytes())
    for kind, path in (("script", script), ("link", style), ("img", f"file={picture}")):
        assert site.run(LOAD, kind, f"{site.target}/{path}") == "refused"
    site.run(FRAME, site.target)
    assert site.statuses() == {403}


def test_the_users_page_goes_on_beside_it(site: Site, own: Page, guarded: Server):
    driver, other = own.driver, own.driver.current_window_handle
    call = call_of(guarded, "hnw_create_button", hnw_create_name=STOLEN)
    tries = f"setInterval(() => {{ {QUEUE.replace('arguments', '[...tried, () => 0]')} }}, 300)"
    driver.execute_script(
        f"const tried = arguments; {tries}", site.target.replace("http", "ws", 1) + "/queue/join", call
    )
    driver.switch_to.window(driver.window_handles[0])
    name = f"{OWN} {len(list(guarded.data.rglob('*.pt')))}"
    assert create(own, name, guarded).exists()
    driver.switch_to.window(other)
    own.until("a refusal", lambda: 403 in site.statuses())
    assert not any(guarded.data.rglob(f"{STOLEN}*"))


def test_the_log_names_each_of_them_once(own: Page, guarded: Server):
    said = [line for line in guarded.log.read_text(encoding="utf-8").splitlines() if "was refused" in line]
    assert len(said) >= 2
    assert len(said) == len(set(said))
    assert all("--allow-origin" in line for line in said)


@pytest.mark.parametrize("keeps_host", [True, pytest.param(False, marks=pytest.mark.long)])
def test_the_page_works_under_the_address_of_a_proxy_that_was_named(
    own: Page, guarded: Server, proxy_port: int, keeps_host: bool
):
    driver, first = own.driver, own.driver.current_window_handle
    upstream = int(guarded.address.rpartition(":")[2])
    with neighbours.proxy(proxy_port, upstream, keeps_host):
        driver.switch_to.new_window("tab")
        page = Page(driver, f"http://{PROXIED}:{proxy_port}")
        create(page, f"made through a proxy {keeps_host}", guarded)
        assert page.own_errors() == []
        driver.close()
        driver.switch_to.window(first)


def test_the_users_page_made_no_error(own: Page):
    assert own.own_errors() == []
