"""The memory that steps are told to have taken: what leaves the GPU for them is no part of it."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch
from hypernetwork_workbench.hypernetworks.kernels.memory import MB, PeakMemory
from hypernetwork_workbench.hypernetworks.train import run

from tests.support.fake_ports import FakeDenoiser, fake_ports
from tests.support.runs import make_job


class Gpu:
    """Counts the bytes that are taken on it, as torch does."""

    def __init__(self, monkeypatch):
        self.taken = self.highest = 0
        for name in ("memory_allocated", "max_memory_allocated", "reset_peak_memory_stats"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))

    def change(self, mb):
        self.taken += mb * MB
        self.highest = max(self.highest, self.taken)

    def memory_allocated(self, _device):
        return self.taken

    def max_memory_allocated(self, _device):
        return self.highest

    def reset_peak_memory_stats(self, _device):
        self.highest = self.taken


@pytest.fixture
def gpu(monkeypatch):
    found = Gpu(monkeypatch)
    found.change(1000)
    return found


class StoringDenoiser(FakeDenoiser):
    """Frees 500 MB during a run, of which 100 MB are taken by each step."""

    def __init__(self, gpu):
        super().__init__()
        self.gpu = gpu

    @contextmanager
    def training(self, network, computing):
        with super().training(network, computing):
            self.gpu.change(-500)
            yield
            self.gpu.change(500)

    def predict(self, noisy, timesteps, conditioning):
        self.gpu.change(100)
        self.gpu.change(-100)
        return super().predict(noisy, timesteps, conditioning)


def test_what_a_run_frees_before_its_steps_is_not_taken_off_what_they_took(gpu, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PeakMemory", lambda _device: PeakMemory(torch.device("cuda")))
    ports = fake_ports(tmp_path)
    ports.denoiser.__class__, ports.denoiser.gpu = StoringDenoiser, gpu
    result = run.train(make_job(pictures, output__sheet=False), ports)
    assert result.memory_mb == 100
    assert result.peak_memory_mb == 1000


def test_what_was_taken_meanwhile_belongs_to_the_steps(gpu):
    memory = PeakMemory(torch.device("cuda"))
    gpu.change(30)  # the state of an optimizer, on Continue
    with memory.making_ready():
        gpu.change(200)
        gpu.change(-500)
    gpu.change(10)
    assert memory.above_start_mb() == 40
    assert memory.peak_mb() == 1230
