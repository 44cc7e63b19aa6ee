"""Gradients, optimizers, schedules, noise and losses against what they should be."""

import itertools
import math

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.base.intervals import parse_interval
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.train import trainer
from hypernetwork_workbench.hypernetworks.train.loss import diffusion_loss, min_snr_weights
from hypernetwork_workbench.hypernetworks.train.noise import NoiseProcess, NoisyBatch
from hypernetwork_workbench.hypernetworks.train.optim import optimizers
from hypernetwork_workbench.hypernetworks.train.optim.precision import clip
from hypernetwork_workbench.hypernetworks.train.optim.warmup_schedules import KINDS, WarmupSchedule
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings

from tests.support.fake_ports import FakeDenoiser, fake_ports
from tests.support.runs import make_job, same, weights


def gradients_of(monkeypatch, pictures, folder, **changes):
    seen = []
    original = trainer.clip

    def spy(parameters, kind, limit):
        seen.append([parameter.grad.clone() for parameter in parameters])
        return original(parameters, kind, limit)

    monkeypatch.setattr(trainer, "clip", spy)
    train(
        make_job(
            pictures,
            train__max_steps=1,
            output__sheet=False,
            data__caption_dropout=0.0,
            network__dropout_structure="",
            **changes,
        ),
        fake_ports(folder),
    )
    return seen[0]


def test_the_gradient_of_k_batches_is_that_of_one_batch_of_k(monkeypatch, pictures, tmp_path):
    # Noise is drawn by place, so that the same noise is asked for: one generator for the whole step.
    monkeypatch.setattr(trainer.Trainer, "noisy_batches", fixed_noise)
    one = gradients_of(monkeypatch, pictures, tmp_path / "a", data__batch_size=5)
    for size, accumulation in ((1, 5), (2, 3), (3, 2)):
        many = gradients_of(
            monkeypatch,
            pictures,
            tmp_path / f"b{size}",
            data__batch_size=size,
            train__gradient_accumulation=accumulation,
        )
        for ours, theirs in zip(many, one, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-8)


def fixed_noise(self, batches):
    for indices in batches.micro_batches:
        noise = torch.stack([torch.randn(4, 4, 4, generator=torch.Generator().manual_seed(i)) for i in indices])
        timesteps = torch.tensor([11 * index for index in indices])
        batch = self.data.batch(indices, batches.epoch)
        yield self.noise.apply(batch.latents, batch.conditioning, timesteps, noise)


@pytest.mark.parametrize("kind", ["norm", "value"])
def test_clipping_bounds_the_true_gradient(kind):
    parameter = torch.nn.Parameter(torch.zeros(8))
    parameter.grad = torch.full((8,), 3.0)
    assert clip([parameter], kind, 0.5).item() == pytest.approx(3 * math.sqrt(8))
    size = parameter.grad.norm() if kind == "norm" else parameter.grad.abs().max()
    assert size.item() == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("has_public_norm", [True, False])
def test_without_clipping_the_norm_is_reported_and_the_gradient_stays(monkeypatch, has_public_norm):
    if not has_public_norm:
        monkeypatch.delattr(torch.nn.utils, "get_total_norm", raising=False)
    parameters = [torch.nn.Parameter(torch.zeros(8)) for _ in range(3)]
    for parameter in parameters[:2]:
        parameter.grad = torch.full((8,), 1e30)
    assert clip(parameters, "none", 0.5).item() == math.inf
    for parameter in parameters[:2]:
        parameter.grad = torch.full((8,), 3.0)
    assert clip(parameters, "none", 0.5).item() == pytest.approx(12.0)
    assert all(torch.equal(parameter.grad, torch.full((8,), 3.0)) for parameter in parameters[:2])


def test_clipping_comes_after_unscaling():
    class Scaler:
        def get_scale(self):
            return 1024.0

        def unscale_(self, optimizer):
            for group in optimizer.param_groups:
                for weight in group["params"]:
                    weight.grad /= 1024.0

    parameter = torch.nn.Parameter(torch.zeros(4))
    parameter.grad = torch.full((4,), 1024.0)
    precision = Precision("fp32", torch.device("cpu"))
    precision._scaler = Scaler()
    precision.unscale(torch.optim.SGD([parameter], lr=1.0))
    assert clip([parameter], "norm", 10.0).item() == pytest.approx(2.0)
    assert parameter.grad.norm().item() == pytest.approx(2.0)
