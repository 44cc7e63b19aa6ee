"""Several processes that take the steps of a run together: the job means the same with any number of them."""

import os

import pytest
import torch
from PIL import Image

from tests.support.mount import mounted
from tests.support.rank_runs import run_all
from tests.support.runs import read_log, same, weights

STEPS, HALF = 20, 10
SIZES = [(64, 64)] * 5 + [(96, 48)] * 4 + [(48, 96)] * 3
CHANGES = {
    "network__dropout_structure": "0, 0, 0",
    "data__width": 64,
    "data__height": 64,
    "data__framing": "buckets",
    "data__bucket_step": 16,
    "data__min_side": 16,
    "data__batch_size": 8,
    "data__flip": True,
    "data__latents": "random",
    "loss__noise_offset": 0.1,
    "loss__multires_iterations": 2,
    "train__gradient_accumulation": 2,
    "train__ema_decay": 0.9,
    "train__max_steps": STEPS,
    "train__validation_share": 0.1,
    "train__validation_every": "4",
    "output__save_every": "4",
    "preview__every": "5",
    "preview__prompt": "a cat",
}
#: By name, what is different from a run of one process with the settings above.
RUNS = {
    "alone": {},
    "two": {"size": 2},
    "three": {"size": 3},
    "half of two": {"size": 2, "changes": {"train__max_steps": HALF}, "folder": "two, one"},
    "two, one": {"resume": True},
    "half of one": {"changes": {"train__max_steps": HALF}, "folder": "one, two"},
    "one, two": {"size": 2, "resume": True},
    "single": {"changes": {"data__batch_size": 1, "train__gradient_accumulation": 1}},
    "idle": {"size": 2, "changes": {"data__batch_size": 1, "train__gradient_accumulation": 1}},
    "accumulated": {"size": 2, "changes": {"data__batch_size": 1, "train__gradient_accumulation": 2}},
    "stopped": {"size": 2, "ranks": {"1": {"stop_after": 7}}},
    "stopped, one": {"resume": True, "folder": "stopped"},
    "killed": {"size": 2, "ranks": {"1": {"kill_after": 6}}, "changes": {"output__save_every": "0"}},
    "killed, one": {"resume": True, "folder": "killed"},
    "first killed": {"size": 2, "ranks": {"0": {"kill_after": 6}}},
    "first killed, two": {"size": 2, "resume": True, "folder": "first killed"},
    "killed without states": {
        "size": 2,
        "ranks": {"1": {"kill_after": 2}},
        "changes": {"output__save_every": "0", "output__save_state": False},
    },
    "bad": {"size": 2, "ranks": {"1": {"bad_answers": list(range(5, 11))}}, "changes": {"train__rollback_after": 2}},
    "no cache": {"size": 2, "changes": {"data__cache": False, "train__max_steps": 1}},
    "other pictures": {"size": 2, "ranks": {"1": {"pictures": "fewer"}}},
    "other settings": {"size": 2, "ranks": {"1": {"changes": {"schedule__rate": "0.02"}}}},
    "other weights": {"size": 2, "ranks": {"1": {"changes": {"network__weight_init": "Normal"}}}},
}

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forks"), pytest.mark.slow]


def draw(folder, sizes):
    folder.mkdir()
    for index, size in enumerate(sizes):
        Image.new("RGB", size, (20 * index, 90, 240 - 20 * index)).save(folder / f"{index:02}.png")
        (folder / f"{index:02}.txt").write_text(f"picture {'x' * index}", encoding="utf-8")
    return folder


class Ended:
    """What each process of each run answered, and what the runs wrote."""

    def __init__(self, place):
        self.place = place
        fewer = str(draw(place / "fewer", SIZES[:-1]))
        runs = []
        for name, own in RUNS.items():
            run = {
                **own,
                "folder": str(place / own.get("folder", name)),
                "changes": {**CHANGES, **own.get("changes", {})},
            }
            for one in run.get("ranks", {}).values():
                one.update({"pictures": fewer} if "pictures" in one else {})
            runs.append(run)
        pictures = draw(place / "pictures", SIZES)
        self.said = dict(zip(RUNS, run_all(pictures, runs, mounted(place)), strict=True))

    def weights(self, name):
        return weights(self.place / name / "hypernetworks" / "fake.pt")

    def log(self, name):
        return read_log(self.place / name / "logs" / "fake" / "log.csv")

    def files(self, name):
        return sorted(path.name for path in (self.place / name).rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    return Ended(tmp_path_factory.mktemp("ranks"))


def assert_near(one, other):
    assert one.keys() == other.keys()
    for name, weight in one.items():
        assert torch.allclose(weight, other[name], rtol=0, atol=1e-5), name


@pytest.mark.parametrize("name", ["two", "three", "two, one", "one, two"])
def test_a_run_learns_the_same_with_any_number_of_processes_that_may_change_on_the_way(ended, name):
    assert ended.said[name][0]["steps"] == STEPS
    assert not same(ended.weights("alone"), weights(ended.place / "alone/logs/fake/fake-000016.pt"))
    assert_near(ended.weights(name), ended.weights("alone"))
    for row, expected in zip(ended.log(name), ended.log("alone"), strict=True):
        assert [row[key] for key in ("step", "epoch", "pictures")] == [
            expected[k] for k in ("step", "epoch", "pictures")
        ]
        assert float(row["loss"]) == pytest.approx(float(expected["loss"]), abs=1e-5)


@pytest.mark.parametrize("name", ["two", "three", "bad", "idle"])
def test_all_processes_have_the_same_weights_loss_and_skipped_steps_in_the_end(ended, name):
    first, *others = ended.said[name]
    for other in others:
        assert all(other[key] == first[key] for key in ("weights", "loss", "steps", "skipped", "rollbacks"))


def test_a_picture_that_goes_wrong_on_one_of_them_rolls_all_of_them_back(ended):
    assert ended.said["bad"][0]["skipped"] >= 2
    assert ended.said["bad"][0]["rollbacks"] >= 1
    assert ended.said["alone"][0]["skipped"] == 0


def test_a_process_without_pictures_changes_no_bit_and_is_told_of(ended):
    assert same(ended.weights("idle"), ended.weights("single"))
    told = "1 of 2 processes have nothing to do, as a step has at most 1 picture: raise data.batch_size or"
    assert any(note.startswith(told) for note in ended.said["idle"][0]["notes"])
    assert not any("nothing to do" in note for name in ("two", "accumulated") for note in ended.said[name][0]["notes"])


def test_only_the_first_one_writes_shows_and_encodes(ended):
    first, second = ended.said["two"]
    assert first["pictures"] == STEPS // 5
    assert second["pictures"] == 0
    assert (first["encoded"] > 0, second["encoded"]) == (True, 0)
    assert ended.files("two") == ended.files("alone")
    one, other = ended.said["no cache"]
    assert one["encoded"] == other["encoded"] == first["encoded"]


def test_a_stop_that_one_of_them_is_asked_for_ends_all_after_the_same_step(ended):
    assert [(one["steps"], one["interrupted"]) for one in ended.said["stopped"]] == [(7, True), (7, True)]
    assert_near(ended.weights("stopped"), ended.weights("alone"))


def test_one_that_is_killed_ends_the_others_and_the_last_step_is_kept(ended):
    first, second = ended.said["killed"]
    assert second == {"killed": True}
    said = "another process of the run has ended; the state of step 6 is kept to continue from"
    assert first == {"kind": "RanksLostError", "error": said}
    assert ended.said["killed, one"][0]["steps"] == STEPS
    assert_near(ended.weights("killed"), ended.weights("alone"))


def test_the_first_one_killed_leaves_the_last_state_that_was_saved(ended):
    assert ended.said["first killed"][0] == {"killed": True}
    assert ended.said["first killed"][1] == {"kind": "RanksLostError", "error": "another process of the run has ended"}
    assert [row["step"] for row in ended.log("first killed")] == [str(step + 1) for step in range(STEPS)]
    assert_near(ended.weights("first killed"), ended.weights("alone"))


def test_a_run_that_wants_no_states_keeps_none(ended):
    first, _ = ended.said["killed without states"]
    assert first["error"] == "another process of the run has ended"
    assert not [name for name in ended.files("killed without states") if name.endswith(".state")]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("other pictures", "pictures removed: 11.png"),
        ("other settings", "schedule.rate is 0.02, not 0.01"),
        ("other weights", "it starts from other weights, or at another step"),
    ],
)
def test_one_that_would_train_something_else_says_so_before_the_first_step(ended, name, what):
    first, second = ended.said[name]
    assert second["kind"] == "TrainingError"
    assert second["error"].startswith(f"this process does not train what the first one trains: {what}")
    assert first["kind"] == "RanksLostError"
    assert not ended.log(name)
