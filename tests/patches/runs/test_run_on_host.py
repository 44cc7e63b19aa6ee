"""A whole run on the embedded host: afterwards the host is as it was, however the run ended."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import NonFiniteLossError, TrainingError
from hypernetwork_workbench.hypernetworks.base.unexpected_errors import UnexpectedError
from hypernetwork_workbench.hypernetworks.train.settings.job import Job

from tests.support import pictures


class StoppingProgress:
    """Asks to end after so many steps, or raises then."""

    def __init__(self, after=None, error=None):
        self.after = after
        self.error = error
        self.steps = 0
        self.shown = []

    def report(self, done, total, text):
        if not text.startswith("step"):
            return
        self.steps = done
        if self.error and done == self.after:
            raise self.error

    def draw(self, chart):
        self.chart = chart

    def show(self, picture):
        self.shown.append(picture.size)

    def is_interrupted(self):
        return self.after is not None and self.steps >= self.after


@pytest.fixture
def job(tmp_path):
    folder = pictures.captioned(tmp_path / "pictures")
    return Job.from_mapping(
        {
            "network": {"dropout_structure": "0, 0.2, 0"},
            "data": {"folder": str(folder), "width": 64, "height": 64, "batch_size": 2, "caption_dropout": 0.3},
            "schedule": {"rate": "0.001"},
            "train": {"max_steps": 4, "ema_decay": 0.9, "validation_share": 0.34, "validation_every": "2"},
            "preview": {"every": "2", "sampling_steps": 2},
            "output": {"name": "stays", "dir": str(tmp_path / "out"), "sheet": False},
        }
    )


@pytest.fixture
def unusual(patched):
    """Return a host whose every state differs from what training needs, so that one that is not put back shows."""
    unet, shared = patched.model.model.diffusion_model, patched.module("shared")
    for number, parameter in enumerate(unet.parameters()):
        parameter.requires_grad_(number % 3 > 0)
    flagged = next(module for module in unet.modules() if hasattr(module, "checkpoint"))
    flagged.checkpoint = True
    unet.train()
    shared.loaded_hypernetworks[:] = [object()]
    shared.state.job, shared.state.job_no, shared.state.job_count, shared.state.textinfo = "mine", 2, 5, "before"
    yield patched
    unet.requires_grad_(True).eval()
    flagged.checkpoint = False
    shared.loaded_hypernetworks.clear()
    shared.state.end()
    shared.state.textinfo = None


def snapshot(host):
    """All that a run might change, as plain values."""
    model, shared, state = host.model, host.module("shared"), host.module("shared").state
    weights = hashlib.sha256()
    for tensor in model.state_dict().values():
        weights.update(tensor.cpu().contiguous().numpy().tobytes())
    return {
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
        "gradients": [parameter.grad is None for parameter in model.parameters()],
        "modes": [(module.training, vars(module).get("checkpoint")) for module in model.modules()],
        "forwards": [vars(module).get("forward") or type(module).forward for module in model.modules()],
        "hooks": sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()),
        "devices": [(parameter.device, parameter.dtype) for parameter in model.parameters()],
        "weights": weights.hexdigest(),
        "networks": list(shared.loaded_hypernetworks),
        "grad mode": torch.is_grad_enabled(),
        "progress": (state.job, state.job_no, state.job_count, state.textinfo, state.interrupted),
    }


def generators():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


def test_after_a_run_with_previews_the_host_is_as_it_was(unusual, job):
    from hypernetwork_workbench.patches.runs.training import run_job

    before, drawn = snapshot(unusual), generators()
    progress = StoppingProgress()
    result = run_job(job, progress)
    assert (result.steps, len(result.previews), progress.shown) == (4, 2, [(192, 212), (384, 212)])
    assert snapshot(unusual) == before
    assert generators() == drawn


def test_after_an_interrupt_the_host_is_as_it_was_and_continue_goes_on(unusual, job):
    from hypernetwork_workbench.patches.runs.training import run_job

    before, drawn = snapshot(unusual), generators()
    result = run_job(job, StoppingProgress(after=1))
    assert (result.steps, result.interrupted) == (1, True)
    assert snapshot(unusual) == before
    assert run_job(job, StoppingProgress(), resume=True).steps == 4
    assert snapshot(unusual) == before
    assert generators() == drawn


@pytest.mark.unexpected
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ZeroDivisionError("x"), UnexpectedError),
        (torch.cuda.OutOfMemoryError("x"), TrainingError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_after_an_exception_the_host_is_as_it_was(unusual, job, error, expected):
    from hypernetwork_workbench.patches.runs.training import run_job

    before, drawn = snapshot(unusual), generators()
    with pytest.raises(expected) as caught:
        run_job(job, StoppingProgress(after=3, error=error))
    assert error in (caught.value, caught.value.__cause__)
    assert snapshot(unusual) == before
    assert generators() == drawn
    assert not (Path(job.output.dir) / "stays.pt").exists()


@pytest.mark.unexpected
def test_a_preview_that_fails_leaves_the_host_as_it_was(unusual, job, monkeypatch):
    from hypernetwork_workbench.patches.runs.training import run_job

    def fail(*_):
        torch.randn(3)
        raise RuntimeError("the sampler broke")

    before, drawn = snapshot(unusual), generators()
    monkeypatch.setattr(unusual.module("processing"), "process_images", fail)
    with pytest.raises(UnexpectedError, match="the sampler broke"):
        run_job(job, StoppingProgress())
    assert snapshot(unusual) == before
    assert generators() == drawn


def test_a_loss_that_stays_no_number_leaves_the_host_as_it_was(unusual, job, monkeypatch):
    from hypernetwork_workbench.patches.model import host as ports
    from hypernetwork_workbench.patches.runs.training import run_job

    whole = ports.HostDenoiser.predict

    def broken(*arguments):
        return whole(*arguments) * float("nan")

    before = snapshot(unusual)
    monkeypatch.setattr(ports.HostDenoiser, "predict", broken)
    impatient = replace(job, train=replace(job.train, rollback_after=1, max_steps=10))
    with pytest.raises(NonFiniteLossError):
        run_job(impatient, StoppingProgress())
    assert snapshot(unusual) == before
    assert not (Path(job.output.dir) / "stays.pt").exists()


def test_an_interrupt_in_a_preview_throws_the_picture_away_and_ends_the_run(patched, job, monkeypatch):
    from hypernetwork_workbench.patches.model.host import HostProgress
    from hypernetwork_workbench.patches.runs.training import run_job

    state, processing = patched.module("shared").state, patched.module("processing")
    whole = processing.process_images

    def pressed(p):
        state.interrupt()
        return whole(p)

    monkeypatch.setattr(processing, "process_images", pressed)
    try:
        result = run_job(job, HostProgress())
    finally:
        state.interrupted = False
        state.textinfo = None
    assert (result.steps, result.interrupted, result.previews) == (2, True, ())
    assert result.network.exists()
