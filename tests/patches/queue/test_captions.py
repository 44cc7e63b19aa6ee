"""Captioning in the queue: as the button does it, and after a pause only what is left."""

from __future__ import annotations

from hypernetwork_workbench.hypernetworks.queue import job_of

from tests.patches.queue.test_worker import wait_for
from tests.patches.tabs.test_dataset_tab import deepbooru  # noqa: F401 - fixture
from tests.support.dataset_tab import Tab, texts, write_pictures


def caption(folder, existing="append the new one"):
    return job_of(
        "caption", {"data": {"folder": str(folder)}, "caption": {"tagger": "deepbooru (tags)", "existing": existing}}
    )


def test_pictures_are_captioned_in_their_turn(queue, worker, deepbooru, tmp_path):  # noqa: F811
    folder = write_pictures(tmp_path / "絵")
    tab = Tab(folder)
    assert "Added to the queue as job 1" in tab.handlers.queue_captions(*tab.entered.values())
    wait_for(lambda: not queue.get(1).is_open, "the end")
    entry = queue.get(1)
    assert (entry.state, entry.title) == ("done", "絵"), entry.outcome
    assert "Done: captions by deepbooru (tags) (1 caption file)" in entry.outcome
    assert texts(folder)["red_house.txt"] == "RGB, 128 wide\n"
    assert deepbooru.calls == ["start", "stop"]


def test_after_a_pause_no_picture_is_captioned_twice(queue, worker, deepbooru, tmp_path):  # noqa: F811
    folder = write_pictures(tmp_path / "pictures")
    entry = queue.add(caption(folder))

    def pausing(picture):
        if not queue.get(entry.id).wish and queue.get(entry.id).attempts == 1:
            queue.pause(entry.id)
            worker.tell()
            wait_for(lambda: worker.at_work.is_stopped, "the stop")
        return f"{picture.width} wide"

    deepbooru.model.tag_multi = pausing
    worker.run(until_empty=True)
    assert queue.get(entry.id).state == "paused"
    assert texts(folder)["a.txt"] == "night, rain, 64 wide"
    assert "wide" not in texts(folder)["b.txt"]
    queue.go_on(entry.id)
    worker.run(until_empty=True)
    assert queue.get(entry.id).state == "done"
    assert texts(folder)["a.txt"] == "night, rain, 64 wide"
    assert texts(folder)["b.txt"].endswith("wide")
    assert texts(folder)["red_house.txt"] == "128 wide\n"


def test_a_tagger_that_is_not_there_is_told(queue, worker, tmp_path):
    entry = queue.add(caption(write_pictures(tmp_path / "pictures")))
    worker.run(until_empty=True)
    assert queue.get(entry.id).state == "failed"
    assert "choose a tagger" in queue.get(entry.id).outcome
