"""The HTTP API on the embedded host's server, asked by an HTTP client."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
import warnings
from pathlib import Path

import httpx
import jsonschema
import pytest
from hypernetwork_workbench.hypernetworks import files
from PIL import Image

from tests.patches.test_on_host import save_network

PREFIX = "/hypernetwork-workbench/v1"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def serve(host):
    """Serve the page with our routes under given flags; gives the address."""
    from hypernetwork_workbench.patches.api import app as api
    from hypernetwork_workbench.standalone import app

    shared, callbacks = host.module("shared"), host.module("script_callbacks")
    running = []
    flags = dict(vars(shared.cmd_opts))

    def start(**changes):
        vars(shared.cmd_opts).update({"port": free_port(), "api": True, "api_auth": None, **changes})
        callbacks.on_app_started(api.register)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            running.append(app.launch(host))
        callbacks.clear_callbacks()
        return f"http://127.0.0.1:{shared.cmd_opts.port}"

    yield start
    for demo in running:
        demo.close(verbose=False)
    vars(shared.cmd_opts).clear()
    vars(shared.cmd_opts).update(flags)


@pytest.fixture(scope="module")
def address(serve):
    return serve()


@pytest.fixture
def client(patched, address):
    with httpx.Client(base_url=address + PREFIX, trust_env=False, timeout=120) as asked:
        yield asked


@pytest.fixture
def datasets(patched):
    """Return the folder that the API may read, with one dataset."""
    root = Path(patched.module("paths").data_path) / "datasets"
    folder = root / "night"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        Image.new("RGB", (64, 64), (80 * number, 30, 200)).save(folder / f"{number}.png")
    return root


JOB = {
    "network": {"file": "ink"},
    "data": {"folder": "night", "width": 64, "height": 64},
    "train": {"max_steps": 2},
    "output": {"sheet": False},
}


def wait(client, run):
    end = time.monotonic() + 240
    while time.monotonic() < end:
        answer = client.get(f"/status/{run}").json()
        if answer["ended"]:
            return answer
        time.sleep(0.05)
    return pytest.fail("the run does not end")


def test_create_makes_a_file_and_lists_it(client, patched):
    answer = client.post("/create", json={"name": "made", "widths": [8, 32], "layer_structure": "1, 1.5, 1"})
    assert answer.status_code == 200
    made = answer.json()
    path = Path(patched.module("shared").cmd_opts.hypernetwork_dir, "made.pt")
    assert made == {"name": "made", "file": "made.pt", "kind": "network", "bytes": path.stat().st_size}
    assert files.load(path).structure.layer_structure == (1, 1.5, 1)
    assert made in client.get("/list").json()["networks"]


def test_train_runs_in_the_background_and_continue_goes_on(client, patched, datasets):
    path = save_network(patched, "ink", std=0.01)
    answer = client.post("/train", json=JOB)
    assert answer.status_code == 202, answer.text
    run = answer.json()["run"]
    ended = wait(client, run)
    assert (ended["state"], ended["name"], ended["done"], ended["total"], ended["problem"]) == (
        "finished",
        "ink",
        2,
        2,
        None,
    )
    assert ended["result"]["steps"] == 2
    assert ended["result"]["network"] == path.as_posix()
    assert files.load(path).metadata.step == 2
    again = client.post("/continue", json={"run": run, "train": {"max_steps": 4}}).json()
    assert wait(client, again["run"])["state"] == "finished"
    assert files.load(path).metadata.step == 4
    assert [one["run"] for one in client.get("/status").json()["runs"]][:2] == [again["run"], run]


def test_a_new_network_is_trained_and_what_fails_later_is_reported_with_its_field(client, patched, datasets):
    job = {**JOB, "network": {}, "output": {"name": "fresh", "sheet": False}}
    assert wait(client, client.post("/train", json=job).json()["run"])["state"] == "finished"
    ended = wait(client, client.post("/train", json=job).json()["run"])
    assert ended["state"] == "failed"
    assert ended["problem"]["field"] == "output.name"
    assert "fresh.pt exists already" in ended["problem"]["error"]
    job = {**JOB, "network": {"widths": "8"}, "output": {"name": "narrow", "sheet": False}}
    ended = wait(client, client.post("/train", json=job).json()["run"])
    assert ended["problem"]["field"] == "network.widths"


@pytest.mark.parametrize("route", ["/train", "/continue"])
def test_where_nothing_can_be_trained_no_run_begins(client, patched, monkeypatch, route):
    monkeypatch.setattr(patched.module("shared").cmd_opts, "lowvram", True, raising=False)
    answer = client.post(route, json={})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("training is not possible with --lowvram; ")
    monkeypatch.undo()
    assert client.get("/status").json()["active"] is None


@pytest.mark.parametrize("route", ["/train", "/continue"])
def test_a_checkpoint_of_another_kind_is_refused_at_once(client, patched, monkeypatch, route):
    monkeypatch.setattr(patched.model.model.diffusion_model, "in_channels", 9)
    answer = client.post(route, json={})
    assert answer.status_code == 422
    assert "takes a picture beside the text (9 channels)" in answer.json()["error"]


def test_one_run_at_a_time_in_the_hosts_queue_and_interrupt_ends_it(client, patched, datasets):
    save_network(patched, "ink", std=0.01)
    with patched.module("call_queue").queue_lock:
        first = client.post("/train", json=JOB).json()
        assert first["state"] == "waiting"
        second = client.post("/train", json=JOB)
        assert second.status_code == 409
        assert "ink is being trained (it is about to start)" in second.json()["error"]
        assert client.post("/interrupt", json={"run": "other"}).status_code == 404
        assert client.post("/interrupt", json={"run": first["run"]}).status_code == 200
    assert wait(client, first["run"])["state"] == "interrupted"
    long = client.post("/train", json={**JOB, "train": {"max_steps": 100_000}}).json()
    while client.get(f"/status/{long['run']}").json()["done"] < 1:
        time.sleep(0.02)
    assert client.get("/status").json()["active"]["run"] == long["run"]
    client.post("/interrupt", json={})
    ended = wait(client, long["run"])
    assert (ended["state"], ended["result"]["interrupted"]) == ("interrupted", True)
    assert client.post("/interrupt", json={}).status_code == 404


def test_a_run_pauses_saves_and_shows_what_it_can_when_asked(client, patched, datasets):
    save_network(patched, "ink", std=0.01)
    for route in ("/pause", "/go-on", "/save", "/preview"):
        assert client.post(route, json={}).status_code == 404
    run = client.post("/train", json={**JOB, "train": {"max_steps": 100_000}}).json()["run"]
    while client.get(f"/status/{run}").json()["done"] < 1:
        time.sleep(0.02)
    assert client.post("/preview", json={"words": "a cat"}).status_code == 422
    assert client.post("/preview", json={"prompt": "a cat"}).json()["file"].startswith("now-")
    client.post("/pause", json={})
    while client.get(f"/status/{run}").json()["state"] != "paused":
        time.sleep(0.02)
    done = client.get(f"/status/{run}").json()["done"]
    assert client.post("/save", json={}).json() == {"file": f"ink-{done:06d}.pt"}
    assert client.get(f"/status/{run}").json()["done"] == done
    assert client.post("/go-on", json={}).json()["run"] == run
    while client.get(f"/status/{run}").json()["done"] < done + 2:
        time.sleep(0.02)
    client.post("/interrupt", json={})
    assert wait(client, run)["state"] == "interrupted"


def test_switching_the_extension_off_ends_the_run_and_saves(client, patched, datasets):
    from hypernetwork_workbench import patches

    path = save_network(patched, "ink", std=0.01)
    run = client.post("/train", json={**JOB, "train": {"max_steps": 100_000}}).json()["run"]
    while client.get(f"/status/{run}").json()["done"] < 1:
        time.sleep(0.02)
    patches.uninstall_all()
    ended = client.get(f"/status/{run}").json()
    assert ended["state"] == "interrupted"
    assert files.load(path).metadata.step == ended["result"]["steps"]
    patches.install_all()


def test_switched_off_every_route_says_so(client, patched):
    shared = patched.module("shared")
    shared.opts.data["hnw_enabled"] = False
    try:
        for route in ("/list", "/status", "/status/x", "/inspect?name=x"):
            answer = client.get(route)
            assert (answer.status_code, "is switched off in Settings" in answer.json()["error"]) == (503, True)
        posted = ("/create", "/train", "/continue", "/interrupt", "/merge", "/compose")
        for route in (*posted, "/pause", "/go-on", "/save", "/preview"):
            assert client.post(route, json={"name": "x"}).status_code == 503
    finally:
        del shared.opts.data["hnw_enabled"]
    assert client.get("/list").json() == {"networks": []}


def test_a_composition_is_written_also_where_the_host_lists_none(client, patched):
    from hypernetwork_workbench import patches

    save_network(patched, "ink")
    client.get("/list")
    loading = next(one for one in patches.PATCH_SETS if one.name == "loading")
    loading.uninstall()
    made = client.post("/compose", json={"name": "mix", "text": "ink:0.5"})
    assert (made.status_code, made.json().get("name")) == (200, "mix"), made.text


def test_merge_and_compose_and_inspect(client, patched):
    for seed, name in enumerate("AB"):
        save_network(patched, name, seed=seed)
    answer = client.post(
        "/merge", json={"network_1": "A", "network_2": "B", "weight_1": 0.25, "weight_2": 0.75, "name": "mixed"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["method"] == "weighted_sum"
    assert {one["width"] for one in answer.json()["differences"]}
    assert client.post("/compose", json={"text": "A:0.8 + B:0.2", "name": "both"}).json()["kind"] == "composition"
    one = client.post("/compose", json={"text": "A > B", "name": "chain", "one_file": True, "form": ".safetensors"})
    assert one.json()["file"] == "chain.safetensors"
    described = client.get("/inspect", params={"name": "mixed"}).json()
    assert described["training"]["merge"]["method"] == "weighted_sum"
    assert described["path"] == "mixed.pt"


@pytest.mark.parametrize(
    ("path", "body", "field", "words"),
    [
        ("/create", {"name": "a/b"}, "name", "must not contain /"),
        ("/create", {"name": "x", "colour": 1}, "colour", "there is no such setting"),
        ("/create", {"name": "../x"}, "name", "must not contain /"),
        ("/create", {"name": ["x"]}, "name", "must be a text"),
        ("/train", {}, "data.folder", "name the folder"),
        ("/train", {"data": 3}, "data", "must be a table"),
        ("/train", {**JOB, "network": {"file": "nobody"}}, "network.file", "there is no network nobody"),
        ("/train", {**JOB, "network": {"file": "/etc/passwd"}}, "network.file", "there is no network"),
        ("/train", {**JOB, "output": 3}, "output", "must be a table"),
        ("/train", {**JOB, "output": {"name": 3.5}}, "network.file", "there is no network"),
        ("/train", {**JOB, "train": {"max_steps": "many"}, "network": {}}, "train.max_steps", "must be a number"),
        ("/train", {"sounds": {}}, "sounds", "there is no such section"),
        ("/continue", {"run": "x"}, None, "there is no run of this id"),
        ("/merge", {"name": "x", "network_1": "A"}, "network_2", "choose a network"),
        ("/merge", {"name": "x", "network_1": "A", "network_2": "B"}, "network_1", "there is no network A"),
        ("/merge", {"name": "x", "networks": []}, "networks", "there is no such setting"),
        ("/merge", {"name": None}, "name", "must be a text"),
        ("/compose", {"name": "x", "text": "A + "}, "text", ""),
        ("/compose", {"name": "x", "text": "nobody"}, "text", "nobody"),
        ("/compose", {"name": "x", "text": "A", "one_file": "maybe"}, "one_file", "must be true or false"),
    ],
)
def test_a_wrong_request_is_answered_with_the_field_and_one_sentence(client, path, body, field, words):
    answer = client.post(path, json=body)
    assert answer.status_code in (404, 422), answer.text
    error = answer.json()
    assert error["field"] == field
    assert words in error["error"]
    assert "\n" not in error["error"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"1.5", "must be a whole number, not 1.5"),
        (b'"2,5"', "write a point for the comma"),
        (b"true", "must be a finite number, not True"),
        (b"false", "must be a finite number, not False"),
        (b"NaN", ""),
        (b"Infinity", ""),
        (b"1" + 30 * b"0", "must be a number that is not so large"),
        (b"[1]", "must be a number"),
    ],
)
@pytest.mark.parametrize("setting", ["train.seed", "data.batch_size", "train.max_steps"])
def test_a_number_that_is_not_whole_is_refused_by_its_field(client, datasets, setting, value, words):
    section, _, key = setting.partition(".")
    body = {**JOB, "network": {}, section: {**JOB.get(section, {}), key: "VALUE"}}
    content = json.dumps(body).encode().replace(b'"VALUE"', value)
    answer = client.post("/train", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert words in answer.json()["error"]
    assert not words or answer.json()["field"] == setting


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"name": "x", "name": "y"}', "it has a key twice, 'name'"),
        ('{“name”: "x"}'.encode(), "the quote “ is of a web page"),
        (b'{"data": {"folder": "D:\\pics"}}', "a backslash in double quotes"),
        ('{"name": "夜の絵"}'.encode("cp932"), "looks like Japanese text in Shift-JIS; save it as UTF-8"),
        (b"[" * 100, "nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_is_answered_with_what_is_wrong(client, content, words):
    answer = client.post("/create", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert words in answer.json()["error"]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_body_may_have_a_mark_and_keeps_what_was_typed(client, codec):
    content = '{"name": 1.10, "colour": "夜"}'.encode(codec)
    answer = client.post("/create", content=content, headers={"Content-Type": "application/json"})
    assert answer.json()["field"] == "colour"
    made = client.post("/create", content=b'{"name": 1.10, "widths": 8}', headers={"Content-Type": "application/json"})
    assert (made.status_code, made.json()["name"]) == (200, "1.10")


@pytest.mark.parametrize(
    "value", [None, [], {}, [[1]], {"a": 1}, True, -1, 1e300, float("nan"), "\ud800", "\0", "x" * 9999]
)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/create", {"name": "x", "widths": 8, "activation": 1, "optional_info": 1}),
        ("/train", {"network": {"file": 1}, "data": {"folder": 1, "template": 1}, "output": {"name": 1, "dir": 1}}),
        ("/train", {"network": 1, "data": 1}),
        ("/continue", {"run": 1, "data": 1}),
        ("/interrupt", {"run": 1}),
        ("/merge", {"network_1": 1, "method": 1, "name": 1, "block_weights": 1}),
        ("/compose", {"text": 1, "name": 1, "form": 1, "one_file": 1}),
    ],
)
def test_no_value_of_a_wrong_kind_is_more_than_refused(client, path, body, value):
    def with_value(table):
        return {key: with_value(one) if isinstance(one, dict) else value for key, one in table.items()}

    for wrong in (with_value(body), *({**body, key: value} for key in body)):
        answer = client.post(path, content=json.dumps(wrong), headers={"Content-Type": "application/json"})
        if answer.status_code == 202:  # what is wrong with it is found when it runs
            assert wait(client, answer.json()["run"])["problem"]["field"]
        else:
            assert 400 <= answer.status_code < 500, answer.text
            assert answer.json()["error"]


def test_all_that_is_wrong_is_reported_at_once(client):
    answer = client.post("/train", json={"data": {"folder": "night", "width": 63}, "train": {"max_steps": 0}})
    assert [one["field"] for one in answer.json()["errors"]] == ["data.width", "train.max_steps", "output.name"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (rb'{"name": "\ud800"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b'{"x": "' + b"y" * (1 << 20) + b'"}', "application/json", 413),
    ],
)
def test_a_malformed_request_is_refused(client, content, kind, status):
    answer = client.post("/create", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("setting", ["data.folder", "data.template_file", "preview.prompt_file", "data.more_folders"])
@pytest.mark.parametrize(
    "place",
    [
        *("../models", "/etc", "night/../../models", "link", "link/x", "a\0b"),
        *('"/etc"', "file:///etc", "file:///%65tc", "\u202a/etc", "~", "$HOME/x", "..\\models", "\u3000/etc "),
    ],
)
def test_no_path_leads_out_of_the_folders_for_datasets(client, patched, datasets, setting, place):
    if not (datasets / "link").exists():
        (datasets / "link").symlink_to("/etc")
    section, _, name = setting.partition(".")
    job = {**JOB, "network": {"widths": "8"}, section: {**JOB.get(section, {}), name: place}}
    answer = client.post("/train", json=job)
    assert answer.status_code == 422
    assert answer.json()["field"] == setting
    assert ("must lie in" if "\0" not in place else "the character NUL") in answer.json()["error"]


@pytest.mark.parametrize("line", ["link | num_repeats=2", "link｜num_repeats=2", '"link" ｜ weight＝2', "night\nlink"])
@pytest.mark.parametrize("made", [str, str.splitlines])
def test_no_line_of_folders_with_options_leads_out_of_them(client, patched, datasets, line, made):
    if not (datasets / "link").exists():
        (datasets / "link").symlink_to("/etc")
    job = {**JOB, "network": {"widths": "8"}, "data": {**JOB["data"], "more_folders": made(line)}}
    answer = client.post("/train", json=job)
    assert (answer.status_code, answer.json()["field"]) == (422, "data.more_folders")
    assert "must lie in" in answer.json()["error"]


def test_outputs_and_dataset_files_are_held_in_too(client, patched, datasets, tmp_path):
    job = {**JOB, "network": {"widths": "8"}, "output": {"name": "x", "dir": str(tmp_path)}}
    assert client.post("/train", json=job).json()["field"] == "output.dir"
    (datasets / "set.toml").write_text(f"[[datasets]]\n[[datasets.subsets]]\nimage_dir = {json.dumps(str(tmp_path))}\n")
    job = {**JOB, "network": {"widths": "8"}, "data": {"dataset_config": "set.toml"}}
    assert client.post("/train", json=job).json()["field"] == "data.dataset_config"


def test_a_folder_of_the_command_line_is_allowed_too(client, patched, tmp_path, monkeypatch):
    monkeypatch.setattr(patched.module("shared").cmd_opts, "hnw_data_root", [str(tmp_path)], raising=False)
    job = {**JOB, "data": {"folder": str(tmp_path / "none")}, "network": {}, "output": {"name": "x"}}
    ended = wait(client, client.post("/train", json=job).json()["run"])
    assert ended["problem"]["field"] == "data.folder"
    assert "is not a folder" in ended["problem"]["error"]


def test_the_documentation_has_the_schemas_of_the_settings(client, address):
    with httpx.Client(base_url=address, trust_env=False) as asked:
        paths = asked.get("/openapi.json").json()["paths"]
        assert asked.get("/docs").status_code == 200
    assert len([path for path in paths if path.startswith(PREFIX)]) == 24
    schema = paths[f"{PREFIX}/train"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate({**JOB, "network": {"widths": [8]}}, schema)
    for wrong in ({"train": {"max_steps": 0}}, {"data": {"framing": "round"}}, {"colour": 1}, {"train": {"colour": 1}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
    assert schema["properties"]["schedule"]["properties"]["rate"]["title"] == "Learning rate"


def test_the_password_of_the_hosts_api_is_asked_for(patched, serve):
    address = serve(api_auth="anna:sécret,ben:b:c")
    with httpx.Client(base_url=address + PREFIX, trust_env=False) as asked:
        for answer in (
            asked.get("/list"),
            asked.get("/list", auth=("anna", "wrong")),
            asked.get("/list", auth=("", "")),
            asked.get("/list", headers={"Authorization": "Basic ###"}),
            asked.get("/list", headers={"Authorization": "Bearer YW5uYTpz"}),
            asked.post("/create", json={"name": "x"}),
        ):
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Basic"
            assert answer.json() == {"error": "wrong user or password", "field": None}
        assert asked.get("/list", auth=("anna", "sécret")).status_code == 200
        assert asked.get("/list", auth=("ben", "b:c")).status_code == 200


def test_without_the_hosts_api_there_is_none_of_ours(patched, serve):
    address = serve(api=False)
    with httpx.Client(base_url=address + PREFIX, trust_env=False) as asked:
        assert asked.get("/list").status_code == 404
    patched.module("shared").cmd_opts.api = True


def test_the_users_of_the_page_are_asked_for_where_the_api_has_none(patched, monkeypatch):
    import types

    from hypernetwork_workbench.patches.api import access

    opts = patched.module("shared").cmd_opts
    monkeypatch.setattr(opts, "api_auth", None, raising=False)
    monkeypatch.setattr(opts, "gradio_auth", "anna:x", raising=False)
    stand_in = types.ModuleType("modules.initialize_util")
    stand_in.get_gradio_auth_creds = lambda: iter([("anna", "x")])
    monkeypatch.setitem(sys.modules, "modules.initialize_util", stand_in)
    assert access.credentials() == [("anna", "x")]


def test_no_thread_of_a_run_is_left():
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("train-")] == []


@pytest.mark.unexpected
def test_an_unexpected_error_is_a_sentence_too(client, monkeypatch):
    from hypernetwork_workbench.patches.api import routes

    monkeypatch.setattr(routes, "runs", None)
    answer = client.get("/status")
    assert answer.status_code == 500
    assert "an unexpected error occurred" in answer.json()["error"]
