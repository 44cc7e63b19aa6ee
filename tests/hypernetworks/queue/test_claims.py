"""What becomes of a job whose process dies, and how long jobs are expected to take."""

from __future__ import annotations

import threading

import pytest
from hypernetwork_workbench.hypernetworks.queue import job_of
from hypernetwork_workbench.hypernetworks.queue.claims import MOST_CRASHES, Progress, beat, claim, let_go, release
from hypernetwork_workbench.hypernetworks.queue.estimates import Estimate, estimates
from hypernetwork_workbench.hypernetworks.queue.owner import SILENCE_S, Owner


def test_one_job_works_at_a_time_and_that_of_a_dead_process_goes_on_first(queue, merge_of, here, dead):
    for name in "abc":
        queue.add(merge_of(name))
    queue.move(queue.entries()[2].id, "first")
    first = claim(queue, dead)
    assert first.title == "c"
    queue.move(first.id, "last")
    again = claim(queue, here)
    assert (again.title, again.attempts, again.crashes) == ("c", 2, 1)
    assert claim(queue, here) is None
    assert queue.get(again.id).state == "running"


def test_a_job_that_kills_its_process_again_and_again_fails(queue, merge_of, here, dead):
    job = queue.add(merge_of("a"))
    queue.add(merge_of("b"))
    for _ in range(MOST_CRASHES):
        assert claim(queue, dead).title == "a"
    assert claim(queue, here).title == "b"
    shown = queue.get(job.id)
    assert (shown.state, shown.outcome) == (
        "failed",
        f"Its process died {MOST_CRASHES} times. Retry tries it once more.",
    )
    queue.retry(job.id)
    assert queue.get(job.id).crashes == 0


def test_a_job_that_its_living_process_let_go_of_is_taken_again(queue, merge_of, here):
    queue.add(merge_of("a"))
    first = claim(queue, here)
    assert claim(queue, here) is None
    let_go(queue, first)
    again = claim(queue, here)
    assert (again.id, again.attempts, again.crashes) == (first.id, 2, 1)


def test_nothing_begins_that_was_held_while_somebody_was_about_to_take_it(queue, merge_of, here):
    queue.add(merge_of("a"))
    taken = []
    with queue.database.writing() as connection:
        asking = threading.Thread(target=lambda: taken.append(claim(queue, here)))
        asking.start()
        asking.join(0.2)
        connection.execute("INSERT OR REPLACE INTO option VALUES ('held', 'yes')")
    asking.join(10)
    assert taken == [None]


@pytest.mark.parametrize(("wish", "state"), [("cancel", "cancelled"), ("pause", "paused")])
def test_what_was_wanted_of_a_job_is_done_when_its_process_is_found_dead(queue, merge_of, here, dead, wish, state):
    job = queue.add(merge_of("a"))
    claim(queue, dead)
    getattr(queue, wish)(job.id)
    assert claim(queue, here) is None
    assert queue.get(job.id).state == state


def test_a_process_of_another_machine_counts_as_alive_until_it_is_silent(here, dead):
    far = Owner(here.pid, here.born - 5000, "elsewhere")
    assert far.is_alive(SILENCE_S - 1)
    assert not far.is_alive(SILENCE_S + 1)
    assert here.is_alive(1e9)
    assert not dead.is_alive(0)
    assert Owner.parse(str(far)) == far
    assert Owner.parse("nobody") is None


def test_a_job_is_expected_to_take_as_long_as_those_before_it(queue, train_of, merge_of, here):
    for name, steps in (("a", 100), ("b", 50), ("c", 30), ("d", 10)):
        queue.add(train_of(name, steps))
    queue.add(merge_of("m"))
    assert all(one == Estimate(None, None) for one in list(estimates(queue.entries()).values())[1:])
    first = claim(queue, here)
    beat(queue, first, Progress(20, 100, "", 40.0))
    assert estimates(queue.entries())[first.id + 1] == Estimate(40.0, 25.0)
    release(queue, first, "done", "", 200.0)
    second = claim(queue, here)
    beat(queue, second, Progress(10, 50, "", 60.0))
    queue.pause(queue.entries()[1].id)
    found = {queue.get(id_).title: one for id_, one in estimates(queue.entries()).items()}
    assert found == {"b": Estimate(0.0, 60.0), "d": Estimate(60.0, 20.0), "m": Estimate(80.0, None)}


def test_a_job_that_waits_in_vain_is_not_expected_and_delays_no_other(queue, train_of, here):
    ids = {name: queue.add(train_of(name)).id for name in "abcd"}
    queue.put_after(ids["c"], ids["b"])
    first = claim(queue, here)
    beat(queue, first, Progress(20, 100, "", 40.0))
    queue.cancel(ids["b"])
    assert estimates(queue.entries()) == {ids["a"]: Estimate(0.0, 40.0), ids["d"]: Estimate(40.0, 50.0)}


def test_a_job_that_stands_before_the_one_it_waits_for_is_expected_after_it(queue, train_of, here):
    ids = {name: queue.add(train_of(name)).id for name in "abcd"}
    queue.put_after(ids["c"], ids["d"])
    queue.move(ids["c"], "up")
    assert [one.title for one in queue.entries()] == list("abcd")
    first = claim(queue, here)
    beat(queue, first, Progress(20, 100, "", 40.0))
    begins = {queue.get(id_).title: one.begins_s for id_, one in estimates(queue.entries()).items()}
    assert begins == {"a": 0.0, "b": 40.0, "d": 90.0, "c": 140.0}


def test_a_study_is_expected_to_take_what_is_left_of_all_its_trials(queue, here):
    tables = {"data": {"folder": "/pictures"}, "train": {"max_steps": 10}, "output": {"name": "a"}}
    tune = {"objective": "style distance", "ranges": "train.seed = [1, 2, 3, 4]", "method": "grid"}
    first, _, third = (queue.add(job_of("tune", {**tables, "tune": tune})) for _ in range(3))
    queue.add(job_of("tune", {**tables, "tune": {**tune, "trials": 2}}))
    entry = claim(queue, here)
    beat(queue, entry, Progress(5, 10, "", 35.0))
    found = estimates(queue.entries())
    assert found[first.id] == Estimate(0.0, 35.0)
    assert found[third.id].takes_s is None, "5 of 10 steps of a trial say nothing of 40 steps of a study"
    release(queue, entry, "done", "", 40.0)
    second = claim(queue, here)
    beat(queue, second, Progress(10, 10, "", 25.0))
    release(queue, second, "interrupted", "", 15.0)
    assert [one.takes_s for one in estimates(queue.entries()).values()] == [25.0, 40.0, 20.0]
