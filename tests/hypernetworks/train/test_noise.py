"""The noise of a run: other numbers for each step and micro-batch, and layers whose strengths fall as is said."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.train.noise import NoiseProcess
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings
from torch.nn import functional

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job


def test_every_micro_batch_of_every_step_has_noise_of_its_own(pictures, tmp_path, monkeypatch):
    drawn, whole = [], NoiseProcess.noise

    def noted(process, latents, generator):
        drawn.append(whole(process, latents, generator))
        return drawn[-1]

    monkeypatch.setattr(NoiseProcess, "noise", noted)
    job = make_job(
        pictures, data__batch_size=1, train__gradient_accumulation=2, train__max_steps=4, output__sheet=False
    )
    train(job, fake_ports(tmp_path))
    assert len(drawn) == 3 + 4  # five pictures an epoch: steps of 2, 2, 1 and 2
    assert len({tuple(noise.flatten().tolist()) for noise in drawn}) == len(drawn)


def test_the_same_noise_falls_on_other_numbers_of_other_pictures():
    process = NoiseProcess(torch.linspace(0.99, 0.1, 10), "epsilon", LossSettings())
    noise = process.noise(torch.zeros(2, 4, 8, 8), torch.Generator().manual_seed(1))
    assert not torch.equal(noise[0], noise[1])


@pytest.mark.parametrize("iterations", [1, 2, 4])
def test_each_coarser_layer_is_weaker_by_the_discount(iterations):
    settings = LossSettings(multires_iterations=iterations, multires_discount=0.4)
    process = NoiseProcess(torch.linspace(0.99, 0.1, 10), "epsilon", settings)
    found = process.noise(torch.zeros(1, 4, 64, 64), torch.Generator().manual_seed(5))

    generator, side = torch.Generator().manual_seed(5), 64
    wanted = torch.randn(1, 4, 64, 64, generator=generator)
    for strength in (0.4, 0.16, 0.064, 0.0256)[:iterations]:
        side = int(side / (2 + 2 * torch.rand(1, generator=generator).item()))
        coarse = torch.randn(1, 4, side, side, generator=generator)
        wanted += strength * functional.interpolate(coarse, (64, 64), mode="bilinear")
    assert torch.allclose(found, wanted / wanted.std(), atol=1e-5)


def test_the_adaptive_offset_grows_with_the_mean_of_each_channel():
    """Of the same draws, what the offset adds is in proportion to its strength: 0.1 plus half of each mean."""
    latents = torch.zeros(1, 4, 8, 8)
    latents[0, 1] = 2.0
    latents[0, 2] = -4.0

    def noise(**changes):
        process = NoiseProcess(torch.linspace(0.99, 0.1, 10), "epsilon", LossSettings(**changes))
        return process.noise(latents, torch.Generator().manual_seed(5))

    fixed = (noise(noise_offset=0.1) - noise()).mean((0, 2, 3))
    both = (noise(noise_offset=0.1, adaptive_noise_offset=0.5) - noise()).mean((0, 2, 3))
    assert (both / fixed).tolist() == pytest.approx([1, 11, 21, 1], rel=1e-3)


@pytest.mark.parametrize(("prediction", "target"), [("epsilon", 3.0), ("v", 0.6 * 3 - 0.8 * 2)])
def test_noise_and_target_by_hand(prediction, target):
    process = NoiseProcess(torch.tensor([1.0, 0.36]), prediction, LossSettings())
    latents, noise = torch.full((1, 4, 2, 2), 2.0), torch.full((1, 4, 2, 2), 3.0)
    batch = process.apply(latents, torch.zeros(1, 2, 8), torch.tensor([1]), noise)
    # The roots of 0.36 and 1 - 0.36 are 0.6 and 0.8.
    torch.testing.assert_close(batch.noisy, torch.full_like(latents, 0.6 * 2 + 0.8 * 3))
    torch.testing.assert_close(batch.target, torch.full_like(latents, target))
