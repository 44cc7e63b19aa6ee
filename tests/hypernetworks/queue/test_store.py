"""The file of the queue: order, states, and what another program, a newer version or a broken disk made of it."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import QueueError, SettingsError
from hypernetwork_workbench.hypernetworks.queue import Queue, claims, store
from hypernetwork_workbench.hypernetworks.queue.claims import Progress, claim, release
from hypernetwork_workbench.hypernetworks.queue.owner import Owner
from hypernetwork_workbench.hypernetworks.queue.waits import hindered, sentence


def titles(queue):
    return [one.title for one in queue.entries() if one.is_open]


def filled(queue, make, names="abcde"):
    return {name: queue.add(make(name)).id for name in names}


def raw(queue, statement, *values):
    with sqlite3.connect(queue.database.path) as connection:
        connection.execute(statement, values)
    connection.close()


def test_a_job_comes_back_whole_and_reading_makes_no_file(queue, train_of):
    assert queue.entries() == []
    assert not queue.database.path.parent.exists()
    job = train_of("portrait", 300)
    entry = queue.add(job)
    assert Queue(queue.database.path).get(entry.id).job() == job
    assert (entry.title, entry.kind, entry.units, entry.state) == ("portrait", "train", 300, "waiting")
    with sqlite3.connect(queue.database.path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    connection.close()


@pytest.mark.parametrize(
    ("which", "where", "order"),
    [
        ("c", "up", "acbde"),
        ("c", "down", "abdce"),
        ("c", "first", "cabde"),
        ("c", "last", "abdec"),
        ("a", "up", "abcde"),
        ("e", "down", "abcde"),
    ],
)
def test_a_job_is_moved_in_the_order(queue, merge_of, which, where, order):
    ids = filled(queue, merge_of)
    queue.move(ids[which], where)
    assert "".join(titles(queue)) == order


def test_a_job_after_another_goes_behind_it_and_begins_when_that_is_done(queue, merge_of, here):
    ids = filled(queue, merge_of, "abc")
    queue.put_after(ids["a"], ids["b"])
    assert "".join(titles(queue)) == "bac"
    assert claim(queue, here).title == "b"
    release(queue, queue.get(ids["b"]), "failed", "no", 0)
    assert claim(queue, here).title == "c"
    release(queue, queue.get(ids["c"]), "done", "", 0)
    assert claim(queue, here) is None
    queue.retry(ids["b"])
    release(queue, claim(queue, here), "done", "", 0)
    assert claim(queue, here).title == "a"


def test_jobs_cannot_wait_for_each_other_or_for_what_is_not_there(queue, merge_of):
    ids = filled(queue, merge_of, "abc")
    queue.put_after(ids["b"], ids["a"])
    queue.put_after(ids["c"], ids["b"])
    for other in ("b", "c"):
        with pytest.raises(SettingsError, match=f"job {ids[other]} waits for job {ids['a']} itself"):
            queue.put_after(ids["a"], ids[other])
    with pytest.raises(SettingsError, match="cannot wait for itself"):
        queue.put_after(ids["a"], ids["a"])
    with pytest.raises(SettingsError, match="no job 99"):
        queue.add(merge_of("d"), after=99)
    assert len(queue.entries()) == 3  # nothing of it is left
    queue.remove(ids["a"])
    assert queue.get(ids["b"]).after is None


def test_a_job_at_work_cannot_be_put_after_another(queue, merge_of, here):
    ids = filled(queue, merge_of, "ab")
    claim(queue, here)
    with pytest.raises(SettingsError, match="is at work; pause or cancel it first"):
        queue.put_after(ids["a"], ids["b"])
    assert titles(queue) == ["a", "b"]


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (lambda queue, id_: queue.cancel(id_), "was cancelled"),
        (lambda queue, id_: queue.pause(id_), "is paused"),
        (lambda queue, id_: release(queue, claim(queue, Owner.here()), "failed", "no", 0), "has failed"),
    ],
)
def test_a_job_that_waits_in_vain_is_told_with_the_one_it_waits_for(queue, merge_of, ends, said):
    ids = filled(queue, merge_of, "abcd")
    queue.put_after(ids["b"], ids["a"])
    queue.put_after(ids["c"], ids["b"])
    assert hindered(queue.entries()) == {}
    ends(queue, ids["a"])
    found = hindered(queue.entries())
    assert {id_: one.id for id_, one in found.items()} == {ids["b"]: ids["a"], ids["c"]: ids["a"]}
    assert sentence(found[ids["c"]]) == f"It cannot begin: job {ids['a']}, which has to be done before it, {said}."


@pytest.mark.parametrize("number", [0, -(10**20), 2**53 + 1, 10**20])
def test_a_number_that_no_job_has_is_said_whatever_it_is(queue, merge_of, number):
    known = queue.add(merge_of("a")).id
    for ask in (queue.get, queue.cancel, queue.remove, lambda id_: queue.put_after(known, id_)):
        with pytest.raises(SettingsError, match=f"there is no job {number} in the queue"):
            ask(number)


def test_a_job_is_held_taken_back_and_tried_again(queue, merge_of, here):
    ids = filled(queue, merge_of, "abc")
    queue.pause(ids["a"])
    queue.cancel(ids["b"])
    assert claim(queue, here).title == "c"
    queue.pause(ids["c"])
    assert queue.get(ids["c"]).wish == "pause"
    queue.go_on(ids["c"])
    assert queue.get(ids["c"]).wish is None
    queue.go_on(ids["a"])
    queue.retry(ids["b"])
    assert [queue.get(ids[name]).state for name in "abc"] == ["waiting", "waiting", "running"]
    for act, name in ((queue.go_on, "a"), (queue.retry, "a"), (queue.remove, "c")):
        with pytest.raises(SettingsError):
            act(ids[name])
    release(queue, queue.get(ids["c"]), "done", "", 0)
    for act in (queue.cancel, queue.pause, lambda id_: queue.move(id_, "up"), lambda id_: queue.put_after(id_, None)):
        with pytest.raises(SettingsError, match="is over"):
            act(ids["c"])
    assert titles(queue) == ["a", "b"]


def test_a_held_queue_lets_no_job_begin(queue, merge_of, here):
    filled(queue, merge_of, "a")
    queue.hold(True)
    assert queue.is_held
    assert claim(queue, here) is None
    queue.hold(False)
    assert claim(queue, here).title == "a"


def test_the_queue_takes_no_endless_number_and_forgets_old_jobs(queue, merge_of, here, monkeypatch):
    monkeypatch.setattr(store, "_MOST_OPEN", 3)
    monkeypatch.setattr(store, "_KEPT", 2)
    filled(queue, merge_of, "abc")
    with pytest.raises(QueueError, match="full"):
        queue.add(merge_of("d"))
    for _ in range(3):
        release(queue, claim(queue, here), "done", "", 0)
    queue.add(merge_of("d"))
    assert [one.title for one in queue.entries()] == ["d", "c", "b"]


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("UPDATE job SET settings = ?", "{" * 5),
        ("UPDATE job SET settings = ?", "[1]"),
        ("UPDATE job SET settings = ?", '{"a": ' + "1" * 1_000_001 + "}"),
        ("UPDATE job SET memo = ?", "no"),
        ("UPDATE job SET kind = ?", b"\xff"),
        ("UPDATE job SET title = ?", "x" * 500),
        ("UPDATE job SET added = ?", float("inf")),
        ("UPDATE job SET units = ?", -5),
        ("UPDATE job SET after = ?", "x"),
        ("UPDATE job SET done = ?", 1.5),
    ],
)
def test_a_row_of_another_form_is_told_and_the_others_stay_usable(queue, merge_of, here, statement, value):
    bad = queue.add(merge_of("bad")).id
    raw(queue, statement, value)
    queue.add(merge_of("good"))
    shown = {one.id: one for one in queue.entries()}[bad]
    assert shown.state == "failed"
    assert "cannot be read" in shown.outcome
    with pytest.raises(QueueError, match="cannot be read"):
        queue.get(bad)
    assert claim(queue, here).title == "good"
    queue.remove(bad)
    assert titles(queue) == ["good"]


def test_settings_that_are_wrong_by_now_are_named_when_the_job_is_to_begin(queue, merge_of):
    entry = queue.add(merge_of("a"))
    raw(queue, "UPDATE job SET settings = ?", '{"merge": {"method": "magic"}, "result": {"name": "a"}}')
    with pytest.raises(SettingsError, match=r"merge\.method"):
        queue.get(entry.id).job()
    raw(queue, "UPDATE job SET kind = ?", "magic")
    with pytest.raises(SettingsError, match="must be one of train"):
        queue.get(entry.id).job()


def test_a_file_that_is_no_queue_is_left_as_it_is(queue, merge_of, tmp_path):
    path = queue.database.path
    path.parent.mkdir()
    for content in (b"hello" * 100, b"SQLite format 3\0" + b"\0" * 4000):
        path.write_bytes(content)
        with pytest.raises(QueueError, match="move it away"):
            queue.add(merge_of("a"))
        assert path.read_bytes() == content
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(QueueError, match="another program"):
        queue.entries()
    path.unlink()
    path.mkdir()
    with pytest.raises(QueueError, match="is a folder"):
        queue.entries()


def test_the_file_of_another_program_is_left_as_it_is(queue, merge_of):
    path = queue.database.path
    path.parent.mkdir()
    raw(queue, "CREATE TABLE notes (text TEXT)")
    before = path.read_bytes()
    for use in (queue.entries, lambda: queue.add(merge_of("a"))):
        with pytest.raises(QueueError, match="another program"):
            use()
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.timeout(30)
def test_a_circle_that_somebody_made_in_the_file_keeps_nobody_waiting(queue, merge_of):
    ids = filled(queue, merge_of, "abc")
    for one, other in ("ab", "ba"):
        raw(queue, "UPDATE job SET after = ? WHERE id = ?", ids[other], ids[one])
    queue.put_after(ids["c"], ids["a"])
    assert queue.get(ids["c"]).after == ids["a"]


def test_a_newer_form_and_a_trigger_are_refused_and_an_empty_file_is_filled(queue, merge_of):
    queue.database.path.parent.mkdir()
    queue.database.path.touch()
    queue.add(merge_of("a"))
    raw(queue, "CREATE TRIGGER t AFTER INSERT ON job BEGIN DELETE FROM job; END")
    with pytest.raises(QueueError, match="another program"):
        queue.add(merge_of("b"))
    raw(queue, "DROP TRIGGER t")
    raw(queue, "PRAGMA user_version = 99")
    with pytest.raises(QueueError, match="version 99, not of 1; update"):
        queue.entries()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="who may do everything is refused nothing")
def test_a_folder_that_cannot_be_written_is_one_sentence(queue, merge_of, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(QueueError, match="cannot be used"):
        queue.add(merge_of("a"))


def test_a_file_beyond_all_measure_is_not_read(queue, merge_of):
    queue.add(merge_of("a"))
    os.truncate(queue.database.path, 1 << 30)
    with pytest.raises(QueueError, match="too large"):
        queue.entries()


def _add_and_claim(path, name, pipe):
    from tests.support import mount  # noqa: F401

    queue, made = Queue(path), []
    for number in range(5):
        queue.add(store_job(f"{name}{number}"))
        entry = claim(queue, claims.Owner.here())
        if entry is not None:
            made.append(entry.id)
            release(queue, entry, "done", "", 0)
    pipe.send(made)


def store_job(name):
    from hypernetwork_workbench.hypernetworks.queue.kind import job_of

    return job_of("merge", {"merge": {}, "result": {"name": name}})


def test_several_processes_never_take_the_same_job(queue):
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe() for _ in range(3)]
    processes = [
        context.Process(target=_add_and_claim, args=(queue.database.path, f"p{number}-", pipes[number][1]))
        for number in range(3)
    ]
    for process in processes:
        process.start()
    taken = [id_ for mine, _ in pipes for id_ in mine.recv()]
    for process in processes:
        process.join()
    assert len(taken) == len(set(taken))
    assert len(queue.entries()) == 15


def test_progress_and_wishes_pass_between_the_worker_and_the_others(queue, merge_of, here):
    filled(queue, merge_of, "a")
    entry = claim(queue, here)
    assert claims.beat(queue, entry, Progress(3, 10, "step 3 of 10", 7.0)) is None
    shown = queue.get(entry.id)
    assert (shown.done, shown.total, shown.text, shown.left_s) == (3, 10, "step 3 of 10", 7.0)
    queue.cancel(entry.id)
    assert claims.beat(queue, entry, Progress(4, 10)) == "cancel"
    claims.remember(queue, entry, {"trial": 3})
    release(queue, entry, "cancelled", "Stopped.", 2.5)
    shown = queue.get(entry.id)
    assert (shown.state, shown.outcome, shown.spent_s, shown.memo) == ("cancelled", "Stopped.", 2.5, {"trial": 3})
    with pytest.raises(claims.LostError):
        claims.beat(queue, entry, Progress())
