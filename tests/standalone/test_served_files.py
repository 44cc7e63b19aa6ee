"""Which files the page gives out: its own, pictures of the outputs and gradio's copies, by no other name."""

from __future__ import annotations

import ntpath
from pathlib import Path, PureWindowsPath

import pytest
from hypernetwork_workbench.standalone import served_files
from starlette.applications import Starlette
from starlette.testclient import TestClient


@pytest.fixture
def place(tmp_path):
    """Return a folder with all that lies around a page, each file holding its own name."""
    names = ["page/host.js", "page/look.css", "page/app.py", "page/.git/config", "page/.venv/x.py"]
    names += ["data/outputs/a.png", "data/outputs/deep/b.JPG", "data/outputs/job.toml", "data/outputs/net.pt"]
    names += ["data/outputs/log.csv", "data/outputs/page.html", "data/config.json", "data/models/net.png"]
    names += ["data/outputs2/a.png", "set/01.png", "set/01.txt", "copies/ab/c.png", "copies/ab/job.toml"]
    names += ["copies/ab/page.html", "copies/ab/drawing.svg", "secret.txt"]
    for name in names:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


@pytest.fixture
def client(place):
    files = [place / "page" / "host.js", place / "page" / "look.css"]
    served = served_files.Served(files, [place / "data" / "outputs"], place / "copies")
    with TestClient(Starlette(routes=served.routes())) as opened:
        yield opened


GIVEN = {
    "page/host.js": "text/javascript",
    "page/look.css": "text/css",
    "data/outputs/a.png": "image/png",
    "data/outputs/deep/b.JPG": "image/jpeg",
    "copies/ab/c.png": "image/png",
}


@pytest.mark.parametrize("start", ["/file=", "/file/"])
@pytest.mark.parametrize("name", GIVEN)
def test_what_belongs_to_the_page_is_given(client, place, name, start):
    answer = client.get(f"{start}{place / name}?123.4")
    assert (answer.status_code, answer.text) == (200, name)
    assert answer.headers["content-type"].partition(";")[0] == GIVEN[name]
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = client.head(f"{start}{place / name}")
    assert (head.status_code, head.text) == (200, "")


@pytest.mark.parametrize("name", ["copies/ab/job.toml", "copies/ab/page.html", "copies/ab/drawing.svg"])
def test_copies_that_a_browser_could_run_can_only_be_saved(client, place, name):
    answer = client.get(f"/file={place / name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


REFUSED = [
    "page/app.py",
    "page/.git/config",
    "page/.venv/x.py",
    "page/host.js/..",
    "page/host.js/../app.py",
    "page",
    "page/missing.js",
    "data/outputs/job.toml",
    "data/outputs/net.pt",
    "data/outputs/log.csv",
    "data/outputs/page.html",
    "data/outputs/../config.json",
    "data/outputs/../models/net.png",
    "data/outputs/./../../set/01.png",
    "data/outputs",
    "data/outputs2/a.png",
    "data/config.json",
    "data/models/net.png",
    "set/01.png",
    "set/01.txt",
    "copies/../secret.txt",
    "copies/ab/../../secret.txt",
    "copies2/x.png",
    "secret.txt",
    "secret.txt\0.png",
    "x" * 5000 + ".png",
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("start", ["/file=", "/file/"])
@pytest.mark.parametrize("name", REFUSED, ids=lambda name: ascii(name[:40]))
def test_all_else_is_refused(client, place, name, start, method):
    # Each letter as a number: the client would put the dots in order itself.
    coded = "".join(f"%{letter:02x}" for letter in f"{place}/{name}".encode())
    answer = client.request(method, f"{start}{coded}")
    assert answer.status_code == 403
    assert client.request(method, f"{start}{coded.replace('%', '%25')}").status_code == 403


@pytest.mark.parametrize(
    "name", ["README.md", "standalone/app.py", "", ".", "..", "/", "~", "/etc/passwd", "C:\\x.png"]
)
def test_names_from_the_folder_of_the_start_are_refused(client, name):
    assert client.get(f"/file={name}").status_code == 403


@pytest.mark.parametrize("url", ["http://evil.example/a.png", "https://evil.example", "//evil.example/a.png"])
def test_nobody_is_sent_elsewhere(client, url):
    answer = client.get(f"/file={url}", follow_redirects=False)
    assert answer.status_code == 403


def test_a_picture_that_is_gone_is_missing(client, place):
    assert client.get(f"/file={place / 'data' / 'outputs' / 'gone.png'}").status_code == 404
    assert client.get(f"/file={place / 'copies'}").status_code == 404
    assert client.get(f"/file={place / 'data' / 'outputs' / ('b' * 300)}.png").status_code == 404, (
        "no file has such a name"
    )


def _link(link: Path, target: Path) -> None:
    try:
        link.symlink_to(target)
    except OSError as error:
        pytest.skip(f"this system lets no test make a link: {error}")


def test_links_out_are_refused_and_links_inside_are_followed(client, place):
    outputs = place / "data" / "outputs"
    targets = {"set": place / "set" / "01.png", "secret": place / "secret.txt", "job": outputs / "job.toml"}
    for name, target in targets.items():
        _link(outputs / f"{name}.png", target)
        assert client.get(f"/file={outputs / name}.png").status_code == 403, name
    _link(outputs / "out", place / "set")
    assert client.get(f"/file={outputs / 'out' / '01.png'}").status_code == 403
    _link(place / "copies" / "out", place)
    assert client.get(f"/file={place / 'copies' / 'out' / 'secret.txt'}").status_code == 403
    _link(outputs / "round.png", outputs / "round.png")
    assert client.get(f"/file={outputs / 'round.png'}").status_code in (403, 404)
    _link(outputs / "inside.png", outputs / "a.png")
    assert client.get(f"/file={outputs / 'inside.png'}").text == "data/outputs/a.png"


def test_the_outputs_may_be_a_link_to_another_disk(place):
    _link(place / "linked", place / "data" / "outputs")
    served = served_files.Served([], [place / "linked"], place / "copies")
    assert served.find(str(place / "linked" / "a.png")) == (place / "data" / "outputs" / "a.png").resolve()
    assert served.find(str(place / "linked" / "job.toml")) is None


def test_the_disk_is_not_asked_for_what_lies_elsewhere(place, monkeypatch):
    """On Windows a path may name another machine, and asking for it would tell that machine who the user is."""
    served = served_files.Served([], [place / "data" / "outputs"], place / "copies")
    monkeypatch.setattr(Path, "resolve", lambda path: pytest.fail(f"{path} was looked for"))
    assert served.find(str(place / "set" / "01.png")) is None


@pytest.mark.parametrize(
    "name",
    [
        "\\\\evil.example\\share\\a.png",
        "//evil.example/share/a.png",
        "\\\\?\\C:\\data\\outputs\\..\\a.png",
        "\\\\.\\C:\\data\\outputs\\a.png",
        "C:a.png",
        "D:\\data\\outputs\\a.png",
        "C:\\data\\outputs\\..\\..\\a.png",
        "C:/data/outputs/../config.png",
        "C:\\data\\outputs2\\a.png",
        "C:\\data\\outputs\\job.toml::$DATA",
        "C:\\data\\outputs\\job.toml. ",
    ],
)
def test_on_windows_no_name_leads_out(name):
    """The first of the two looks, at the name alone, by the rules of Windows."""
    outputs, copies = PureWindowsPath("C:\\data\\outputs"), PureWindowsPath("C:\\tmp\\gradio")

    def is_given(text):
        path = PureWindowsPath(ntpath.normpath(ntpath.join("C:\\start", text)))
        return served_files._is_among(path, frozenset(), [outputs], copies)

    assert not is_given(name)
    assert is_given("c:\\DATA\\outputs\\a.PNG")
