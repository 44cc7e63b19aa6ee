"""The worker on the embedded host: jobs of all kinds, one at a time, stopped and begun again, beside direct runs."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.queue import job_of

PATIENCE_S = 30
SEEDS, SMALL = "train.seed = [1, 2]", {"pictures": 4}


def wait_for(check, what="it"):
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


def wait_for_step(queue, entry):
    wait_for(lambda: queue.get(entry.id).text.startswith("step"), "a step")


def states(queue):
    return {one.title: one.state for one in queue.entries()}


def network(host, name):
    return Path(host.module("shared").cmd_opts.hypernetwork_dir) / f"{name}.pt"


def weights(path):
    return [one.tolist() for one in files.load(path).parameters()]


def test_jobs_of_several_kinds_are_done_in_their_order(queue, worker, run_of, patched):
    create = {"name": "ink", "layer_structure": [1, 1, 1], "seed": 3}
    queue.add(job_of("train", {**run_of("ink", 2), "create": create, "output": {"name": "inked", "sheet": False}}))
    queue.add(job_of("train", run_of("wash", 2, network={"layer_structure": [1, 1, 1]})))
    merge = {"merge": {"network_1": "inked", "network_2": "wash"}, "result": {"name": "both"}}
    queue.add(job_of("merge", merge))
    queue.add(job_of("merge", {"merge": {"network_1": "none", "network_2": "wash"}, "result": {"name": "no"}}))
    queue.add(job_of("continue", run_of("wash", 3, network={"layer_structure": [1, 1, 1]})))
    worker.run(until_empty=True)
    shown = {f"{one.kind} {one.title}": one for one in queue.entries()}
    assert {name: one.state for name, one in shown.items()} == {
        "train inked": "done",
        "train wash": "done",
        "merge both": "done",
        "merge no": "failed",
        "continue wash": "done",
    }
    assert "none" in shown["merge no"].outcome
    assert "Trained 1 steps" in shown["continue wash"].outcome
    assert "Trained 2 steps" in shown["train inked"].outcome
    assert all(network(patched, name).is_file() for name in ("ink", "inked", "wash", "both"))
    assert weights(network(patched, "ink")) != weights(network(patched, "inked"))
    assert shown["train inked"].spent_s > 0


def test_a_job_at_work_is_paused_and_goes_on_to_the_same_result(queue, worker, run_of, patched):
    queue.add(job_of("train", run_of("whole", 40)))
    worker.run(until_empty=True)
    entry = queue.add(job_of("train", run_of("parts", 40)))
    worker.start()
    wait_for_step(queue, entry)
    queue.pause(entry.id)
    worker.tell()
    wait_for(lambda: queue.get(entry.id).state == "paused", "the pause")
    assert 0 < queue.get(entry.id).done < queue.get(entry.id).total
    queue.go_on(entry.id)
    wait_for(lambda: queue.get(entry.id).state == "done", "the end")
    assert queue.get(entry.id).attempts == 2
    assert weights(network(patched, "parts")) == weights(network(patched, "whole"))


def test_a_job_at_work_is_taken_back_and_the_next_begins(queue, worker, run_of):
    long = queue.add(job_of("train", run_of("long", 10_000)))
    queue.add(job_of("train", run_of("next", 1)))
    worker.start()
    wait_for_step(queue, long)
    queue.cancel(long.id)
    worker.tell()
    wait_for(lambda: states(queue) == {"long": "cancelled", "next": "done"}, "the end of both")


def test_the_end_of_the_process_leaves_the_job_to_the_next_one(queue, worker, run_of):
    entry = queue.add(job_of("train", run_of("night", 10_000)))
    queue.add(job_of("train", run_of("other", 1)))
    worker.start()
    wait_for_step(queue, entry)
    worker.end()
    assert states(queue) == {"night": "interrupted", "other": "waiting"}
    assert queue.get(entry.id).crashes == 0
    worker.start()
    wait_for(lambda: queue.get(entry.id).state == "running", "the second beginning")


def test_a_run_that_the_host_ends_is_left_to_the_next_process_and_one_that_a_user_ends_waits(queue, worker, run_of):
    from hypernetwork_workbench.patches.runs import training

    entry = queue.add(job_of("train", run_of("night", 10_000)))
    worker.start()
    wait_for_step(queue, entry)
    training.interrupt()
    wait_for(lambda: queue.get(entry.id).state == "paused", "the pause")
    queue.go_on(entry.id)
    wait_for(lambda: queue.get(entry.id).state == "running" and queue.get(entry.id).text, "the second beginning")
    training.end()
    wait_for(lambda: queue.get(entry.id).state == "interrupted", "the end")


def test_a_direct_run_goes_before_the_next_job_and_is_refused_beside_one(queue, worker, run_of):
    from hypernetwork_workbench.patches.runs.run import RunBusyError, runs

    with runs.hold("direct"):
        entry = queue.add(job_of("train", run_of("queued", 10_000)))
        worker.start()
        time.sleep(0.5)
        assert queue.get(entry.id).state == "waiting"
    wait_for_step(queue, entry)
    with pytest.raises(RunBusyError, match="queued is being trained"):
        runs.claim("direct")


@pytest.mark.parametrize("choice", ["between jobs", "between steps"])
def test_others_have_their_turn_between_jobs_or_between_steps(queue, worker, run_of, patched, choice):
    from hypernetwork_workbench.patches.queue import place
    from hypernetwork_workbench.patches.runs.run import INTERRUPTED, runs

    place.set_lets_in(choice)
    first = queue.add(job_of("train", run_of("first", 10_000)))
    queue.add(job_of("train", run_of("second", 10_000)))
    worker.start()
    wait_for_step(queue, first)
    seen = []

    def generate():
        with patched.module("call_queue").queue_lock:
            # One that was ended is still there for a moment.
            is_over = runs.active is None or runs.active.state == INTERRUPTED
            seen.append(("over" if is_over else runs.active.state, states(queue)["second"]))

    thread = threading.Thread(target=generate)
    thread.start()
    if choice == "between jobs":
        time.sleep(0.3)
        assert not seen
        queue.cancel(first.id)
        worker.tell()
    thread.join(PATIENCE_S)
    assert seen == [("paused" if choice == "between steps" else "over", "waiting")]


def test_a_merge_whose_process_died_after_it_was_written_is_not_written_again(queue, worker, run_of, patched):
    from hypernetwork_workbench.hypernetworks.queue.claims import claim, remember
    from hypernetwork_workbench.hypernetworks.queue.owner import Owner

    for name in ("a", "b"):
        queue.add(job_of("train", run_of(name, 1)))
    worker.run(until_empty=True)
    merge = {"merge": {"network_1": "a", "network_2": "b"}, "result": {"name": "ab"}}
    queue.add(job_of("merge", merge))
    here = Owner.here()
    remember(queue, claim(queue, Owner(here.pid, here.born - 999, here.host)), {"making": str(network(patched, "ab"))})
    network(patched, "ab").write_bytes(network(patched, "a").read_bytes())
    worker.run(until_empty=True)
    assert states(queue)["ab"] == "done"
    assert network(patched, "ab").read_bytes() == network(patched, "a").read_bytes()
    # One that failed owns nothing, so that a file that somebody makes meanwhile stays.
    network(patched, "ab").unlink()
    again = queue.add(job_of("merge", {**merge, "merge": {"network_1": "gone", "network_2": "b"}}))
    worker.run(until_empty=True)
    network(patched, "ab").write_bytes(b"mine")
    queue.retry(again.id)
    worker.run(until_empty=True)
    assert queue.get(again.id).state == "failed"


def test_a_queue_that_cannot_be_read_is_told_once_and_waited_for(queue, worker, run_of, caplog):
    queue.database.path.parent.mkdir(parents=True, exist_ok=True)
    queue.database.path.write_bytes(b"nothing of ours" * 100)
    worker.start()
    wait_for(lambda: "stands still" in caplog.text, "the warning")
    time.sleep(0.3)
    assert caplog.text.count("stands still") == 1
    queue.database.path.unlink()
    entry = queue.add(job_of("train", run_of("late", 1)))
    wait_for(lambda: queue.get(entry.id).state == "done", "the end")


@pytest.mark.long("test_a_job_at_work_is_paused_and_goes_on_to_the_same_result")
def test_a_study_is_paused_and_goes_on_with_the_trial_that_it_was_at(queue, worker, run_of, patched):
    def study(name):
        return {**run_of(name, 20), "tune": {"method": "grid", "objective": "style distance", "ranges": SEEDS, **SMALL}}

    queue.add(job_of("tune", study("whole")))
    worker.run(until_empty=True)
    entry = queue.add(job_of("tune", study("parts")))
    worker.start()
    wait_for_step(queue, entry)
    queue.pause(entry.id)
    worker.tell()
    wait_for(lambda: queue.get(entry.id).state == "paused", "the pause")
    queue.go_on(entry.id)
    wait_for(lambda: queue.get(entry.id).state == "done", "the end")
    outcomes = [one.outcome for one in sorted(queue.entries(), key=lambda one: one.id)]
    assert all("The study has 2 whole trials, 0 ended early and 0 failed." in outcome for outcome in outcomes)
    assert outcomes[0].partition("Best is")[2] == outcomes[1].partition("Best is")[2]


@pytest.mark.unexpected
def test_an_error_of_the_queue_itself_costs_no_job_and_not_the_worker(queue, worker, run_of, monkeypatch, caplog):
    from hypernetwork_workbench.patches.queue import worker as module

    release, failures = module.release, []

    def failing(*given):
        if not failures:
            failures.append(given)
            raise ValueError("made up")
        release(*given)

    monkeypatch.setattr(module, "release", failing)
    entry = queue.add(job_of("train", run_of("once", 2)))
    worker.start()
    wait_for(lambda: queue.get(entry.id).state == "done", "the end")
    assert "The queue stands still: an unexpected error occurred (ValueError: made up)" in caplog.text
    assert queue.get(entry.id).outcome == "All of its steps are done."
