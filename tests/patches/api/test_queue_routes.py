"""The routes of the queue: jobs are added within the allowed folders, ordered and shown."""

from __future__ import annotations

import json
import shutil

import pytest
from hypernetwork_workbench.hypernetworks.tuning.space import parse

from tests.patches.api.test_api import address, client, datasets, serve  # noqa: F401 - fixtures
from tests.patches.test_on_host import save_network


@pytest.fixture
def queue(client, datasets):  # noqa: F811
    """Return the client, with a queue that is empty and held."""
    from hypernetwork_workbench.patches.queue import place
    from hypernetwork_workbench.patches.queue.worker import worker

    shutil.rmtree(place.queue().database.path.parent, ignore_errors=True)
    place.queue().hold(True)
    yield client
    worker.end()


TUNE = {"method": "grid", "objective": "style distance", "ranges": {"train.seed": [1, 2]}}
RUN = {"data": {"folder": "night"}, "train": {"max_steps": 5}, "output": {"name": "ink"}}


def study_with(**changes):
    return {"kind": "tune", "settings": {**RUN, "tune": {**TUNE, **changes}}}


def settings_file(path, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"learn_rate": "0.001", "batch_size": 2, "gradient_step": 1, "steps": 6, **more}))


def ids(queue):
    return [one["id"] for one in queue.get("/queue").json()["jobs"]]


def test_jobs_are_added_and_ordered(queue, datasets):  # noqa: F811
    first = queue.post("/queue/add", json={"settings": RUN}).json()
    assert (first["kind"], first["state"], first["title"], first["units"]) == ("train", "waiting", "ink", 5)
    merge = {"merge": {"network_1": "a", "network_2": "b"}, "result": {"name": "ab"}}
    second = queue.post("/queue/add", json={"kind": "merge", "settings": merge, "after": first["id"]}).json()
    caption = {"data": {"folder": "night"}, "caption": {"tagger": "deepbooru"}}
    third = queue.post("/queue/add", json={"kind": "caption", "settings": caption}).json()
    assert ids(queue) == [first["id"], second["id"], third["id"]]
    assert queue.post("/queue/move", json={"job": third["id"], "where": "first"}).json()["state"] == "waiting"
    assert queue.post("/queue/after", json={"job": second["id"]}).json()["after"] is None
    assert ids(queue)[0] == third["id"]
    assert queue.post("/queue/pause", json={"job": first["id"]}).json()["state"] == "paused"
    assert queue.post("/queue/go-on", json={"job": first["id"]}).json()["state"] == "waiting"
    assert queue.post("/queue/cancel", json={"job": first["id"]}).json()["state"] == "cancelled"
    assert queue.post("/queue/retry", json={"job": first["id"]}).json()["state"] == "waiting"
    assert queue.post("/queue/remove", json={"job": first["id"]}).json() == {"removed": first["id"]}
    told = queue.post("/queue/settings", json={"lets_in": "between steps"}).json()
    assert told == {"held": True, "lets_in": "between steps"}
    queue.post("/queue/settings", json={"lets_in": "between jobs"})


def test_a_study_is_added_with_its_paths_in_their_folders(queue, datasets, patched):  # noqa: F811
    from hypernetwork_workbench.patches.model import host
    from hypernetwork_workbench.patches.queue import place

    save_network(patched, "ink", std=0.01)
    for name in ("a", "b"):
        settings_file(host.network_dir() / f"{name}.json")
    tune = {**TUNE, "ranges": {"data": {"folder": ["night", "day"]}, "network.file": ["ink"]}, "training_files": "a, b"}
    added = queue.post("/queue/add", json={"kind": "tune", "settings": {**RUN, "tune": tune}}).json()
    assert (added["kind"], added["state"], added["title"]) == ("tune", "waiting", "ink")
    made = place.queue().get(added["id"]).job()
    folder = host.network_dir().resolve()
    assert made.tune.training_files == f"{folder / 'a.json'},{folder / 'b.json'}"
    assert [list(one.values) for one in parse(made.tune.ranges)] == [
        [str((datasets / name).resolve()) for name in ("night", "day")],
        [str(host.network_dir() / "ink.pt")],
    ]
    plain = queue.post("/queue/add", json={"kind": "tune", "settings": {**RUN, "tune": TUNE}}).json()
    assert plain["units"] == 10


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("add", {"kind": "tune", "settings": RUN}, "tune.ranges"),
        ("add", study_with(ranges={"data.folder": ["/etc"]}), "data.folder"),
        ("add", study_with(ranges="data.folder=['night','../x']"), "data.folder"),
        ("add", study_with(ranges=["data.folder ＝ ['/etc']"]), "data.folder"),
        ("add", study_with(ranges={"data.folder": "1..2"}), "data.folder"),
        ("add", study_with(ranges={"data.more_folders": [["/etc", "/usr"]]}), "data.more_folders"),
        ("add", study_with(ranges={"network.file": ["/etc/x.pt"]}), "network.file"),
        ("add", study_with(creation_files="a,/etc/passwd"), "tune.creation_files"),
        ("add", study_with(training_files="../../a"), "tune.training_files"),
        ("add", {"kind": "tune", "settings": {**RUN, "tune": TUNE, "near": "/etc"}}, "near"),
        ("add", {"settings": {**RUN, "data": {"folder": "night", "more_folders": ["/etc"]}}}, "data.more_folders"),
        ("add", {"settings": {**RUN, "data": {"folder": "/etc"}}}, "data.folder"),
        ("add", {"settings": {**RUN, "output": {"name": "x", "dir": "/etc"}}}, "output.dir"),
        ("add", {"settings": {**RUN, "network": {"file": "/etc/x.pt"}}}, "network.file"),
        ("add", {"kind": "caption", "settings": {"data": {"folder": "../x"}, "caption": {}}}, "data.folder"),
        (
            "add",
            {"kind": "caption", "settings": {"data": {"folder": "night"}, "caption": {"model": "/etc"}}},
            "caption.model",
        ),
        ("add", {"kind": "magic", "settings": RUN}, "kind"),
        ("add", {"settings": 5}, "settings"),
        ("add", {"job": 5}, "job"),
        ("add", {"settings": {**RUN, "train": {"max_steps": 0}}}, "train.max_steps"),
        ("move", {"job": 999, "where": "up"}, "job"),
        ("move", {"job": "x", "where": "up"}, "job"),
        ("settings", {"lets_in": "never"}, "lets_in"),
        ("settings", {"held": "perhaps"}, "held"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_added(queue, route, body, field):
    answer = queue.post(f"/queue/{route}", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert ids(queue) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"data": {"folder": "/etc"}}, "named.json names data.folder, which must lie in "),
        (
            {"data": {"more_folders": ["../.."]}},
            "named.json names data.more_folders, which must lie",
        ),
        ({"data": {"folder": "../../etc"}}, "is relative to the place of the file"),
        ({"preview": {"prompt_file": "/etc/passwd"}}, "named.json names preview.prompt_file, which must lie in "),
        (None, "there is no file "),
    ],
)
def test_what_a_file_of_settings_names_must_lie_where_what_a_request_names_does(queue, datasets, content, sentence):  # noqa: F811
    path = datasets / "named.json"
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_text(json.dumps(content))
    answer = queue.post("/queue/add", json=study_with(training_files=str(datasets / "named")))
    assert (answer.status_code, answer.json()["field"]) == (422, "tune.training_files"), answer.text
    assert sentence in answer.json()["error"]
    assert ids(queue) == []


def test_a_link_among_the_files_of_settings_leads_nowhere_else(queue, datasets, tmp_path):  # noqa: F811
    settings_file(tmp_path / "elsewhere.json")
    (datasets / "led.json").unlink(missing_ok=True)
    (datasets / "led.json").symlink_to(tmp_path / "elsewhere.json")
    answer = queue.post("/queue/add", json=study_with(training_files=str(datasets / "led")))
    assert (answer.status_code, answer.json()["field"]) == (422, "tune.training_files"), answer.text
