"""The loss of a batch on numbers that were worked out by hand."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.train.loss import diffusion_loss, picture_losses
from hypernetwork_workbench.hypernetworks.train.noise import NoisyBatch
from hypernetwork_workbench.hypernetworks.train.optim.losses import LOSSES, Residuals
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings

from tests.support.fake_ports import FakeDenoiser


class Exact(FakeDenoiser):
    """Predicts what it is given; its shares of signal are 1/2, 4/5 and 9/10, which are an SNR of 1, 4 and 9."""

    def __init__(self, prediction="epsilon"):
        super().__init__()
        self.alphas_cumprod = torch.tensor([0.9, 0.8, 0.5])
        self.prediction = prediction

    def predict(self, noisy, timesteps, conditioning):
        return noisy


def off_by(*errors, timesteps=(0, 1, 2), weights=None):
    """Return a batch of one picture for each error, which each of its numbers is off by."""
    noisy = torch.tensor(errors).view(-1, 1, 1, 1).expand(-1, 4, 2, 2)
    return NoisyBatch(
        noisy, torch.tensor(timesteps), Conditioning(torch.zeros(len(errors), 5, 12)), torch.zeros_like(noisy), weights
    )


@pytest.mark.parametrize(
    ("prediction", "gamma", "want"),
    [
        ("epsilon", 0.0, [4, 4, 4]),
        ("epsilon", 3.0, [4 * 3 / 9, 4 * 3 / 4, 4]),
        ("epsilon", 5.0, [4 * 5 / 9, 4, 4]),
        ("v", 3.0, [4 * 3 / 10, 4 * 3 / 5, 4 / 2]),
    ],
)
def test_min_snr_weighs_the_loss_of_each_picture(prediction, gamma, want):
    settings = LossSettings(min_snr_gamma=gamma)
    batch = off_by(2.0, 2.0, 2.0)
    assert picture_losses(Exact(prediction), batch, settings).tolist() == pytest.approx(want)
    assert diffusion_loss(Exact(prediction), batch, settings).item() == pytest.approx(sum(want) / 3)


def test_the_loss_is_the_mean_over_pictures_and_numbers():
    assert picture_losses(Exact(), off_by(1.0, -3.0, 0.0), LossSettings()).tolist() == [1, 9, 0]
    assert diffusion_loss(Exact(), off_by(1.0, -3.0, 0.0), LossSettings()).item() == pytest.approx(10 / 3)


def test_weights_of_pictures_and_timesteps_both_count():
    weights = torch.tensor([1.0, 0.5, 2.0]).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    batch = off_by(2.0, 2.0, 2.0, weights=weights)
    found = picture_losses(Exact(), batch, LossSettings(min_snr_gamma=3.0))
    assert found.tolist() == pytest.approx([4 * 3 / 9, 0.5 * 4 * 3 / 4, 2 * 4])


@pytest.mark.parametrize(
    ("count", "timestep", "delta"),
    [
        (101, 0, 1.0),
        (101, 50, 0.2),
        (101, 100, 0.04),
        (2, 1, 0.04),
        (1, 0, 1.0),  # a model of one timestep has nothing to fall to
    ],
)
def test_the_delta_of_scheduled_huber_falls_from_one_to_that_of_the_settings(count, timestep, delta):
    """Huber's smooth loss of an error e is 2 d (sqrt(e^2 + d^2) - d); with e = 3/4 d that is 2 d (5/4 d - d)."""
    settings = LossSettings(kind="scheduled huber", huber_delta=0.04)
    errors = torch.full((1, 4, 2, 2), 0.75 * delta)
    residuals = Residuals(errors, torch.tensor([timestep]), count)
    found = LOSSES["scheduled huber"].distance(residuals, settings)
    torch.testing.assert_close(found, torch.full_like(errors, delta**2 / 2), atol=1e-6, rtol=1e-4)


def test_huber_has_the_delta_of_the_settings_at_every_timestep():
    errors = torch.tensor([0.3, -0.3]).view(2, 1, 1, 1)
    residuals = Residuals(errors, torch.tensor([0, 99]), 100)
    found = LOSSES["huber"].distance(residuals, LossSettings(kind="huber", huber_delta=0.4))
    torch.testing.assert_close(found, torch.full_like(errors, 2 * 0.4 * (0.5 - 0.4)))
