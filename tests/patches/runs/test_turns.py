"""While a run goes on: others wait, are let in between two steps, or give up; the run is the same as without them."""

from __future__ import annotations

import inspect
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, TrainingError, WorkbenchError
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from PIL import Image

from tests.patches.runs.test_run_on_host import snapshot
from tests.support import pictures

SECONDS = 240
#: Longer than any test, so that a run ends when it is told to.
LONG = 100_000


@pytest.fixture
def job(tmp_path):
    folder = pictures.captioned(tmp_path / "pictures")
    return {
        "network": {"dropout_structure": "0, 0.2, 0"},
        "data": {"folder": str(folder), "width": 64, "height": 64, "batch_size": 2},
        "schedule": {"rate": "0.001"},
        "train": {"max_steps": LONG},
        "preview": {"every": "0", "sampling_steps": 2},
        "output": {"name": "stays", "dir": str(tmp_path / "out"), "sheet": False},
    }


def made(job, **changes):
    tables = {section: dict(table) for section, table in job.items()}
    for address, value in changes.items():
        section, name = address.split("__")
        tables.setdefault(section, {})[name] = value
    return Job.from_mapping(tables)


def wait(what, check):
    end = time.monotonic() + SECONDS
    while not (found := check()):
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.01)
    return found


class Running:
    """A run that goes on, and what others do meanwhile."""

    def __init__(self, host, run):
        self.host = host
        self.run = run

    def step(self, more=1):
        """Wait until so many more steps are done; return the step."""
        goal = self.run.done + more
        wait(f"step {goal}", lambda: self.run.done >= goal or self.run.over.is_set())
        assert not self.run.over.is_set(), self.run.problem
        return self.run.done

    def press(self, work, task="task(guest)"):
        """Press a button whose job is queued; return its job, once it waits."""
        from hypernetwork_workbench.patches.runs.turns import turns

        pressed = Pressed(self.host, work, task)
        wait("the job in the queue", lambda: turns.waiting(task) or pressed.is_over)
        return pressed

    def ask(self, task):
        progress = self.host.module("progress")
        # By name, as the server calls it; the WebUI has another name for it.
        (name,) = inspect.signature(progress.progressapi).parameters
        return progress.progressapi(**{name: progress.ProgressRequest(id_task=task, live_preview=False)})

    def end(self):
        from hypernetwork_workbench.patches.runs import training

        training.interrupt()
        assert self.run.over.wait(SECONDS)
        return self.run.result


class Pressed:
    """A job of the page in a thread of its own."""

    def __init__(self, host, work, task):
        queue = host.module("call_queue")
        self.answer = None
        handler = queue.wrap_gradio_gpu_call(lambda _task: [work(), ""], extra_outputs=["before"])
        self.thread = threading.Thread(target=lambda: setattr(self, "answer", handler(task)), daemon=True)
        self.thread.start()

    @property
    def is_over(self):
        return not self.thread.is_alive()

    def wait(self):
        self.thread.join(SECONDS)
        assert self.is_over
        return self.answer


@pytest.fixture
def start(patched):
    from hypernetwork_workbench.patches.runs import training
    from hypernetwork_workbench.patches.runs.run import runs

    def begin(job):
        running = Running(patched, training.start(job))
        running.step()
        return running

    yield begin
    if runs.active is not None:
        training.interrupt()
        runs.active.over.wait(SECONDS)


@pytest.fixture
def running(start, job):
    return start(made(job))


def picture(host, prompt="a red circle"):
    processing = host.module("processing")
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=host.model, prompt=prompt, seed=5, steps=3, width=64, height=64, do_not_save_samples=True
    )
    return np.asarray(processing.process_images(p).images[0])


@contextmanager
def at_each_step(monkeypatch, act):
    """Call `act` with the number of each step right after it, in the run's thread."""
    from hypernetwork_workbench.patches.runs.progress import RunProgress

    whole = RunProgress.report

    def report(self, done, total, text):
        whole(self, done, total, text)
        if text.startswith("step"):
            act(done)

    monkeypatch.setattr(RunProgress, "report", report)
    yield


def test_the_hosts_interrupt_skip_and_stop_are_not_for_the_run(running):
    state = running.host.module("shared").state
    for ask in (state.interrupt, state.skip, state.stop_generating):
        ask()
        running.step(2)
    assert not state.interrupted
    state.interrupted = True  # as another extension may do
    running.step(2)
    result = running.end()
    assert result.interrupted
    assert running.run.state == "interrupted"


def test_what_waits_is_told_for_what_and_how_long(running):
    running.step(3)
    guest = running.press(lambda: 1)
    # The time left is told once a step has been timed.
    said = wait("the time left", lambda: (said := running.ask("task(guest)")) and " left" in said.textinfo and said)
    assert (said.active, said.queued, said.completed) == (False, True, False)
    assert "Waits for the training of stays, " in said.textinfo
    assert " left.</p>\n" in said.textinfo
    assert "data-task='task(guest)'" in said.textinfo or 'data-task="task(guest)"' in said.textinfo
    running.end()
    assert guest.wait()[0] == 1


def test_a_job_that_was_interrupted_before_it_came_does_not_wait_for_the_run(running):
    from hypernetwork_workbench.patches.runs import tasks
    from hypernetwork_workbench.patches.runs.turns import turns

    did = []
    assert tasks.interrupt("task(early)")
    early = running.press(lambda: did.append("early"), "task(early)")
    assert turns.waiting("task(early)") is None
    assert "Interrupted before it began." in early.wait()[-1]
    assert did == []
    running.step(2)


def test_what_waits_can_be_taken_back_and_the_run_goes_on(running):
    from hypernetwork_workbench.patches.runs import tasks

    did = []
    guest, other = running.press(lambda: did.append("guest")), running.press(lambda: did.append("other"), "task(other)")
    assert tasks.interrupt("task(guest)")
    answer = guest.wait()
    assert "Taken back while it waited" in answer[-1]
    assert running.ask("task(guest)").completed
    assert running.ask("task(other)").queued
    assert not tasks.interrupt("task(guest)")
    running.step(2)
    running.end()
    other.wait()
    assert did == ["other"]


def test_what_is_let_in_finds_the_host_as_without_a_run(patched, start, job):
    from hypernetwork_workbench.patches.runs.turns import turns

    before, alone = snapshot(patched), picture(patched)
    running = start(made(job))
    seen = {}

    def look():
        seen.update(snapshot(patched))
        return picture(patched)

    guest = running.press(look)
    step = running.step()
    assert turns.let_in("task(guest)")
    answer = guest.wait()
    assert running.run.done <= step + 2
    np.testing.assert_array_equal(answer[0], alone)
    changed = {name for name in before if seen[name] != before[name]}
    assert changed <= {"progress"}
    running.step(3)
    running.end()


def test_the_one_let_in_goes_before_others_who_keep_waiting(running):
    from hypernetwork_workbench.patches.runs.turns import turns

    did = []
    first, second = (running.press(lambda n=n: did.append(n), f"task({n})") for n in ("first", "second"))
    assert turns.let_in("task(second)")
    second.wait()
    running.step(2)
    assert did == ["second"]
    assert not first.is_over
    running.end()
    first.wait()
    assert did == ["second", "first"]


def test_a_run_with_guests_ends_as_one_without(patched, start, job, monkeypatch):
    from hypernetwork_workbench.patches.runs import training
    from hypernetwork_workbench.patches.runs.turns import turns

    from tests.patches.test_on_host import save_network

    save_network(patched, "bend")
    short = {"train__max_steps": 12, "output__overwrite": True}
    alone = training.start(made(job, **short, output__name="alone"))
    assert alone.over.wait(SECONDS)

    reached, pressed = threading.Event(), threading.Event()

    def at(step):
        if step == 5:
            reached.set()
            assert pressed.wait(SECONDS)

    with at_each_step(monkeypatch, at):
        run = training.start(made(job, **short, output__name="visited"))
        assert reached.wait(SECONDS)
        running = Running(patched, run)

        def disturb():
            torch.manual_seed(1)
            np.random.seed(1)
            return picture(patched, "a red circle<hypernet:bend:1>")

        guest = running.press(disturb)
        assert turns.let_in("task(guest)")
        pressed.set()
        guest.wait()
        assert run.over.wait(SECONDS)
    ours, theirs = (dict(files.load(one.result.network).state_dict()) for one in (run, alone))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert run.result.steps == 12
    assert (run.result.loss_first, run.result.loss_last) == (alone.result.loss_first, alone.result.loss_last)


def test_while_a_guest_is_there_interrupt_is_for_the_guest_and_the_page_sees_both(running):
    from hypernetwork_workbench.patches.runs.turns import turns

    state, entered, leave = running.host.module("shared").state, threading.Event(), threading.Event()

    def stay():
        entered.set()
        leave.wait(SECONDS)
        return state.interrupted

    guest = running.press(stay)
    turns.let_in("task(guest)")
    assert entered.wait(SECONDS)
    said = running.ask(running.run.task)
    assert said.active
    assert "Stands aside after step" in said.textinfo
    assert running.run.state == "paused"
    state.interrupt()
    leave.set()
    assert guest.wait()[0] is True
    running.step(2)
    assert running.run.state == "running"
    assert state.job == running.run.task
    said = running.ask(running.run.task)
    assert said.active
    assert 0 < said.progress < 1
    assert said.eta is None
    running.end()


def test_a_guest_that_chose_another_checkpoint_leaves_the_runs(running, monkeypatch):
    from hypernetwork_workbench.patches.model import lending
    from hypernetwork_workbench.patches.runs.turns import turns

    model = running.host.model
    own, loaded = model.sd_checkpoint_info, []

    class Other:
        filename = "other.safetensors"

    def reload(info):
        loaded.append(info)
        model.sd_checkpoint_info = info

    monkeypatch.setattr(lending.sd_models, "reload_model_weights", reload)
    guest = running.press(lambda: setattr(model, "sd_checkpoint_info", Other))
    turns.let_in("task(guest)")
    guest.wait()
    running.step(2)
    assert loaded == [own]
    running.end()


def test_loras_of_a_guest_are_taken_out_of_the_weights_again(patched, monkeypatch):
    import sys
    from types import SimpleNamespace

    from hypernetwork_workbench.patches.model import lending

    layer, applied = patched.model.model.diffusion_model.out[2], []
    loras = SimpleNamespace(loaded_networks=[], network_apply_weights=applied.append)
    monkeypatch.setitem(sys.modules, "networks", loras)
    with lending.lent():
        loras.loaded_networks.append("a style")
        layer.network_current_names = ("a style",)
    try:
        assert loras.loaded_networks == []
        assert applied == [layer]
    finally:
        del layer.network_current_names


def test_a_pause_lets_everybody_in_until_the_run_goes_on(running):
    from hypernetwork_workbench.patches.runs import training

    guest = running.press(lambda: 1)
    training.pause()
    assert guest.wait()[0] == 1
    wait("the pause", lambda: running.run.state == "paused")
    step = running.run.done
    assert "Paused after step" in running.ask(running.run.task).textinfo
    assert Pressed(running.host, lambda: 2, "task(2)").wait()[0] == 2
    assert running.run.done == step
    training.go_on()
    running.step(3)
    late = running.press(lambda: 3)
    assert not late.is_over
    running.end()
    late.wait()


def test_what_is_asked_for_in_a_pause_is_done_and_the_pause_goes_on(running):
    from hypernetwork_workbench.patches.runs import training

    training.pause()
    wait("the pause", lambda: running.run.state == "paused")
    step = running.run.done
    path = training.save_now()
    assert files.load(path).metadata.step == step
    wait("the pause again", lambda: running.run.state == "paused")
    assert running.run.done == step
    result = running.end()  # also out of a pause
    assert result.steps == step


def test_a_copy_and_a_preview_are_made_at_once(running):
    from hypernetwork_workbench.patches.runs import training

    path = training.preview_now("a blue star")
    with Image.open(path) as made_now:
        assert made_now.size == (64, 64)
        assert made_now.info["parameters"].startswith("a blue star")
    assert training.save_now().exists()
    running.step(2)
    running.end()


def test_what_cannot_be_done_is_told_to_who_asked_and_the_run_goes_on(running, monkeypatch):
    from hypernetwork_workbench.patches.model.previews import HostPreviewer
    from hypernetwork_workbench.patches.runs import training

    def fail(*_):
        raise SettingsError("preview.sampler", "is broken")

    monkeypatch.setattr(HostPreviewer, "generate", fail)
    with pytest.raises(SettingsError, match="is broken"):
        training.preview_now("")
    running.step(2)
    running.end()
    with pytest.raises(TrainingError, match="no run is going on"):
        training.save_now()


def test_a_wish_that_comes_too_late_is_refused(running):
    from hypernetwork_workbench.patches.runs.desk import Wish

    wish = Wish(lambda steps: steps.save())
    running.run.is_cancelled = True
    running.run.wishes.append(wish)
    assert running.run.over.wait(SECONDS)
    assert wish.done.wait(SECONDS)
    assert isinstance(wish.problem, WorkbenchError) or Path(wish.path).exists()


def test_reload_ui_ends_a_run_which_saves(running):
    running.host.module("shared").state.request_restart()
    assert running.run.over.wait(SECONDS)
    assert running.run.result.network.exists()


def test_the_hosts_route_ends_only_a_run_that_the_hosts_route_began(running):
    import sys

    api = sys.modules["modules.api.api"].Api()
    api.interruptapi()
    running.step(2)
    running.run.is_of_host_api = True
    api.interruptapi()
    assert running.run.over.wait(SECONDS)


def test_the_answer_to_the_page_is_asked_by_any_name(patched):
    from types import SimpleNamespace

    from hypernetwork_workbench.patches.sets import queue

    asked = queue._make_answer(lambda req: SimpleNamespace(of=req.id_task))
    assert asked(req=SimpleNamespace(id_task="task(nobody)")).of == "task(nobody)"
    assert asked(SimpleNamespace(id_task="task(nobody)")).of == "task(nobody)"


def test_a_job_without_a_task_waits_too(running):
    lock, did = running.host.module("call_queue").queue_lock, []

    def work():
        with lock:
            did.append(1)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    running.step(3)
    assert did == []
    running.end()
    thread.join(SECONDS)
    assert did == [1]
