"""An interrupt that reaches the server before the job that it is for, or while that waits behind another job."""

from __future__ import annotations

import threading

import pytest


@pytest.fixture(autouse=True)
def nothing_withdrawn():
    """Forget what a test takes back, whose names other tests have too."""
    yield
    from hypernetwork_workbench.patches.runs import withdrawn

    withdrawn._tasks.clear()


@pytest.fixture
def queue(patched):
    return patched.module("call_queue")


def press(queue, task, did):
    """Press a button whose job is queued; return its answer."""
    return queue.wrap_gradio_gpu_call(lambda task: [did.append(task), ""], extra_outputs=["before"])(task)


def test_a_queued_job_that_was_interrupted_before_it_came_never_begins(queue, patched):
    from hypernetwork_workbench.patches.runs import tasks

    did = []
    assert tasks.interrupt("task(early)")
    assert "Interrupted before it began." in press(queue, "task(early)", did)[-1]
    assert "task(early)" in patched.module("progress").finished_tasks
    assert "task(early)" not in patched.module("progress").pending_tasks
    assert not tasks.interrupt("task(early)")
    assert "Interrupted" not in press(queue, "task(next)", did)[-1]
    assert did == ["task(next)"]


def test_a_job_behind_another_one_of_the_host_is_taken_back(queue, patched):
    from hypernetwork_workbench.patches.runs import tasks

    did, answers = [], []
    thread = threading.Thread(target=lambda: answers.append(press(queue, "task(behind)", did)), daemon=True)
    with queue.queue_lock:
        thread.start()
        while "task(behind)" not in patched.module("progress").pending_tasks:
            assert thread.is_alive()
        assert tasks.interrupt("task(behind)")
    thread.join(20)
    assert "Interrupted before it began." in answers[0][-1]
    assert did == []
    assert "Interrupted" not in press(queue, "task(next)", did)[-1]  # the queue is free


def test_a_job_beside_the_queue_finds_itself_interrupted(patched):
    from hypernetwork_workbench.patches.runs import side_jobs, tasks

    assert tasks.interrupt("task(side)")
    work = side_jobs.beside(lambda _task: side_jobs.present_progress().is_interrupted())
    assert work("task(side)")
    assert not work("task(later)")


def test_a_run_that_was_interrupted_before_it_came_is_so_from_the_start(patched):
    from hypernetwork_workbench.patches.runs import training
    from hypernetwork_workbench.patches.runs.run import runs

    assert training.interrupt("task(run)") is None
    with runs.hold(task="task(other)") as other:
        assert not other.is_cancelled
    with runs.hold(task="task(run)") as run:
        assert run.is_cancelled
    assert run.state == "interrupted"


def test_both_presses_of_one_page_are_interrupted_before_they_come(patched):
    from hypernetwork_workbench.patches.runs import training, withdrawn
    from hypernetwork_workbench.patches.runs.run import runs
    from hypernetwork_workbench.patches.tabs.train import buttons

    assert "Interrupted before it began." in buttons.interrupt("task(first)\ntask(second)")
    with runs.hold(task="task(first)") as run:
        assert run.is_cancelled
        assert withdrawn.holds("task(second)")
    with runs.hold(task="task(third)") as run:
        assert training.interrupt("task(third)\ntask(fourth)") is run
        assert not withdrawn.holds("task(third)"), "it goes on to its end"
        assert withdrawn.holds("task(fourth)")


def test_what_never_comes_is_forgotten(patched):
    from hypernetwork_workbench.patches.runs import tasks, withdrawn

    for number in range(100):
        assert tasks.interrupt(f"task({number})")
    assert not withdrawn.holds("task(0)")
    assert withdrawn.holds("task(99)")
    assert not tasks.interrupt("")
