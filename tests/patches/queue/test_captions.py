"""Captioning in the queue: as the button does it, and after a pause or a kill only what is left."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.hypernetworks.data.survey import caption_edits, caption_journal
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
    assert "must be one of" in queue.get(entry.id).outcome


class Killed(BaseException):
    """Ends the work as a kill does: nothing is put in order after it."""


def test_after_a_kill_no_picture_is_described_twice(queue, worker, deepbooru, tmp_path):  # noqa: F811
    folder = write_pictures(tmp_path / "pictures")
    entry = queue.add(caption(folder))
    described = []

    def killed(picture):
        if len(described) == 2:
            described.append(None)
            raise Killed
        described.append(picture.width)
        return f"{picture.width} wide"

    deepbooru.model.tag_multi = killed
    with pytest.raises(Killed):
        worker.run(until_empty=True)
    assert "wide" not in "".join(texts(folder).values())
    worker.run(until_empty=True)
    assert (queue.get(entry.id).state, queue.get(entry.id).attempts) == ("done", 2)
    assert described == [64, 96, None, 128]
    assert texts(folder) == {
        "a.txt": "night, rain, 64 wide",
        "b.txt": "night, sun, 96 wide",
        "red_house.txt": "128 wide\n",
    }
    assert "(3 caption files)" in queue.get(entry.id).outcome, "one press of Undo is enough"
    assert not list(queue.database.path.parent.glob("captions-*"))


@pytest.mark.parametrize("existing", ["append the new one", "keep it"])
@pytest.mark.parametrize("place", ["first file", "second file", "after the last"])
def test_a_kill_while_captions_are_written_loses_and_doubles_none(worker, dying, tmp_path, existing, place):
    folder = write_pictures(tmp_path / "pictures")
    (folder / "b.txt").unlink()
    before = texts(folder)
    queue, history = dying(place)
    entry = queue.add(caption(folder, existing))
    with pytest.raises(Killed):
        worker.run(until_empty=True)
    worker.run(until_empty=True)
    assert (queue.get(entry.id).state, queue.get(entry.id).attempts) == ("done", 2), queue.get(entry.id).outcome
    rest = ", 64 wide" if existing.startswith("append") else ""
    assert texts(folder) == {
        "a.txt": f"night, rain{rest}",
        "b.txt": "96 wide\n",
        "red_house.txt": "128 wide\n",
    }
    (edit,) = history.edits([folder])
    history.undo(edit)
    assert texts(folder) == before


@pytest.fixture
def dying(queue, deepbooru, monkeypatch, tmp_path):  # noqa: F811
    """Return a function that lets the work die once, at a place where captions are written; returns queue and edits."""
    from hypernetwork_workbench.patches.tabs.dataset import work

    deepbooru.model.tag_multi = lambda picture: f"{picture.width} wide"
    places = ["first file", "second file", "after the last"]
    write, settle, calls = caption_edits._write, caption_journal.CaptionJournal.settle, []
    history = caption_edits.History(tmp_path / "edits")
    monkeypatch.setattr(work, "_history", lambda: history)

    def make(place):
        def killed(path, content):
            calls.append(path)
            if len(calls) == places.index(place) + 1:
                raise Killed
            write(path, content)

        def killed_after(journal):
            monkeypatch.setattr(caption_journal.CaptionJournal, "settle", settle)
            raise Killed

        if place == places[-1]:
            monkeypatch.setattr(caption_journal.CaptionJournal, "settle", killed_after)
        else:
            monkeypatch.setattr(caption_edits, "_write", killed)
        return queue, history

    return make
