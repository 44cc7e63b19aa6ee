"""What the HTTP API refuses is said with the names of fields and values, never with what only a page has."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.merge import method_names
from hypernetwork_workbench.hypernetworks.pages.sentences import in_page_words

from tests import sources
from tests.patches.api.test_api import JOB, address, client, datasets, serve, wait  # noqa: F401  (fixtures)
from tests.patches.test_on_host import save_network

#: What one does in a page, and where.
OF_A_PAGE = re.compile(
    r"\b(?:press|tick|ticked|untick|click|button)\b|\bthe tab\b|Train Gamma|(?:Create Beta|Inspect|Merge) Hypernetwork"
    r"|Refresh list|Replace an existing file|“Overwrite”",
    re.IGNORECASE,
)
#: Forms, which speak of themselves; files that only a page or the command line loads; pages of other websites.
OF_FORMS = ("pages", "jobs/create_entry.py", "jobs/create_files.py", "jobs/train_entry.py", "jobs/train_files.py")
OF_FILES = ("texts/foreign.py", "filetypes/pages.py", "files/convert.py", "data/survey")
#: Whose texts label the fields of a form, or go to the log.
DECLARATIONS = {"setting", "Option", "Group", "Preset", "debug", "info", "warning", "exception"}
#: What the routes call beside the core.
CALLED = ("api", "tabs/inspect/work.py", "tabs/merge/work.py", "tabs/merge/compositions.py", "model/lookup.py")


def hidden(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is no part of an error."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
    if name in DECLARATIONS:
        yield from ast.walk(node)


def texts(path: Path, only_raised: bool) -> Iterator[str]:
    """Yield the texts of a file, or those in its `raise` statements."""
    tree = sources.tree(path)
    left_out = {id(part) for node in ast.walk(tree) for part in hidden(node)}
    roots = [node for node in ast.walk(tree) if isinstance(node, ast.Raise)] if only_raised else [tree]
    for node in itertools.chain.from_iterable(map(ast.walk, roots)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield node.value


def below(path: Path, places: tuple[str, ...]) -> bool:
    return any(path.as_posix() == place or path.as_posix().startswith(f"{place}/") for place in places)


def refusals() -> Iterator[tuple[str, str]]:
    """Yield every text that a refusal of the API may hold, with its file."""
    for path in sources.paths():
        room, _, rest = path.relative_to(sources.ROOT).as_posix().partition("/")
        is_core = room == "hypernetworks" and not below(Path(rest), (*OF_FORMS, *OF_FILES))
        if is_core or (room == "patches" and below(Path(rest), CALLED)):
            yield from ((f"{room}/{rest}", text) for text in texts(path, only_raised=room == "patches"))


def test_no_error_below_the_api_names_what_only_a_page_has():
    found = list(refusals())
    assert len(found) > 1_000
    assert [(file, text) for file, text in found if OF_A_PAGE.search(text)] == []


def test_what_a_page_says_instead_is_found_to_be_of_a_page():
    reason = "the file n.pt exists already; choose another name, or set overwrite"
    assert not OF_A_PAGE.search(reason)
    assert OF_A_PAGE.search(in_page_words(reason, {"overwrite": "Overwrite"}))
    assert in_page_words(reason, {}) == reason


@pytest.fixture
def networks(patched):
    for seed, name in enumerate("AB"):
        save_network(patched, name, seed=seed)


@pytest.mark.parametrize(
    ("path", "body", "field", "reason"),
    [
        ("/create", {"name": "A", "widths": 8}, "name", "A.pt exists already; choose another name, or set overwrite"),
        ("/create", {"name": "x", "widths": ""}, None, None),
        ("/create", {"name": "x", "widths": 8, "activation": "glu"}, "activation", None),
        ("/create", {"name": "x", "widths": 8, "upsample_linear": True}, "upsample_linear", "needs skip_connection"),
        ("/train", {**JOB, "network": {"file": "C"}}, "network.file", "there is no network C"),
        ("/train", {"network": {"widths": 8}, "output": {"name": "A"}}, "data.folder", None),
        ("/continue", {"network": {"file": "C"}, "data": {"folder": "night"}}, "network.file", "there is no network C"),
        ("/continue", {"run": "x"}, None, None),
        ("/interrupt", {}, None, "no such run is going on"),
        *((route, {}, None, "no run is going on") for route in ("/pause", "/go-on", "/save", "/preview")),
        ("/preview", {"words": "x"}, "words", "there is no such setting; known are prompt"),
        (
            "/merge",
            {"network_1": "A", "network_2": "B", "name": "A"},
            "name",
            "the file A.pt exists already; choose another name, or set overwrite",
        ),
        ("/merge", {"network_1": "A", "name": "x"}, "network_2", "choose a network"),
        ("/merge", {"network_1": "A", "network_2": "C", "name": "x"}, "network_2", "there is no network C"),
        (
            "/merge",
            {"network_1": "A", "network_2": "B", "method": "middle", "name": "x"},
            "method",
            f"must be one of {', '.join(method_names())}, not 'middle'",
        ),
        ("/merge", {"network_1": "A", "network_2": "B", "method": "add_difference", "name": "x"}, "method", None),
        (
            "/compose",
            {"text": "A + B", "name": "A", "one_file": True},
            "name",
            "the file A.pt exists already; choose another name, or set overwrite",
        ),
        ("/compose", {"text": "A + C", "name": "x"}, "text", None),
        ("/compose", {"text": "A + B", "name": "x", "form": ".ckpt"}, "form", None),
    ],
)
@pytest.mark.usefixtures("networks", "datasets")
def test_each_route_refuses_with_names_of_fields_and_values(client, path, body, field, reason):  # noqa: F811
    answer = client.post(path, json=body)
    if field is None and reason is None and answer.status_code == 200:
        return  # the model gives the widths
    assert 400 <= answer.status_code < 500, answer.text
    told = answer.json()
    assert told["field"] == field
    if reason is not None:
        assert told["error"] == (f"{field}: {reason}" if field else reason)
    assert not any(OF_A_PAGE.search(str(value)) for value in (told["error"], *told.get("errors", ())))


@pytest.mark.usefixtures("networks")
def test_a_network_that_is_not_there_is_not_described(client):  # noqa: F811
    answer = client.get("/inspect", params={"name": "C"})
    assert (answer.status_code, answer.json()) == (422, {"error": "name: there is no network C", "field": "name"})


@pytest.mark.usefixtures("networks")
def test_a_run_that_fails_later_says_it_in_the_same_words(client, patched, datasets):  # noqa: F811
    place = patched.module("shared").cmd_opts.hypernetwork_dir
    job = {**JOB, "network": {}, "output": {"name": "A", "sheet": False}}
    problem = wait(client, client.post("/train", json=job).json()["run"])["problem"]
    assert problem == {
        "error": f"output.name: A.pt exists already in {place}; choose another name, or set output.overwrite",
        "field": "output.name",
    }
    folder = datasets / "old"
    folder.mkdir(exist_ok=True)
    (datasets / "night" / "0.png").rename(folder / "0.png")
    (folder / "0.txt").write_bytes("夜の街、星空の下の川と月".encode("cp932"))
    job = {**JOB, "network": {"file": "A"}, "data": {**JOB["data"], "folder": "old"}}
    problem = wait(client, client.post("/train", json=job).json()["run"])["problem"]
    assert "save it as UTF-8" in problem["error"]
    assert not OF_A_PAGE.search(problem["error"])
