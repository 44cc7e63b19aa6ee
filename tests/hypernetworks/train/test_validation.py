"""The validation loss: of the weights that are saved, without dropout, and the mean over the held-out pictures."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.data.encoding.latents import encode
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train import validation
from hypernetwork_workbench.hypernetworks.train.loss import picture_losses
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings
from hypernetwork_workbench.hypernetworks.train.state import make_state
from hypernetwork_workbench.hypernetworks.train.tracking.metrics import StepRecord

from tests.support.fake_ports import TEXT_WIDTH, FakeDenoiser, FakeEncoder, FakeProgress
from tests.support.networks import random_network
from tests.support.runs import make_job


@pytest.fixture
def measured(pictures, monkeypatch):
    """Return the validation of five pictures, two at a time, of a network with dropout in training, and its average."""
    monkeypatch.setattr(validation, "_AT_ONCE", 2)
    job = make_job(pictures, train__ema_decay=0.9)
    network = random_network(1, widths=(TEXT_WIDTH,), dropout_structure=(0, 0.5, 0)).train()
    denoiser = FakeDenoiser()
    denoiser.network = network
    state = make_state(job, network, denoiser)
    data = encode(read_dataset(job.data, "n"), FakeEncoder(), FakeProgress())
    return validation.Validation(data, denoiser, state, every=2)


def test_it_is_the_mean_over_pictures_without_dropout_and_dropout_comes_back(measured):
    network, denoiser = measured._state.network, measured._denoiser
    found = measured.measure()
    assert measured.measure() == found
    assert all(module.training for module in network.modules())
    network.eval()
    losses = [picture_losses(denoiser, batch, LossSettings()) for batch in measured._batches()]
    assert [len(one) for one in losses] == [2, 2, 1] * 4
    assert found == pytest.approx(torch.cat(losses).mean().item())


def test_it_is_of_the_average_of_the_weights_which_are_back_afterwards(measured):
    network, average = measured._state.network, measured._state.average
    of_average = measured.measure()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3)  # the average does not follow
    trained = [weight.detach().clone() for weight in network.parameters()]
    assert measured.measure() == of_average
    assert all(torch.equal(weight, before) for weight, before in zip(network.parameters(), trained, strict=True))
    average.update_parameters(network)
    assert measured.measure() != of_average


def test_each_picture_and_timestep_has_noise_of_its_own(measured):
    targets = torch.cat([batch.target for batch in measured._batches()])
    assert len({tuple(noise.flatten().tolist()) for noise in targets}) == 4 * 5
    timesteps = torch.cat([batch.timesteps for batch in measured._batches()])
    assert sorted(set(timesteps.tolist())) == [12, 37, 62, 87]


def test_the_best_is_the_lowest_of_those_measured_so_far(measured, monkeypatch):
    losses = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(measured, "measure", lambda: next(losses))
    best = []
    for step in range(1, 7):
        measured.after_step(StepRecord(step, 1, 0.0, 0.1, 1, 0.0))
        best.append(measured.is_best(step))
    assert best == [False, True, False, True, False, False]
    assert (measured.latest, measured.best) == ((6, 2.0), 1.0)


def test_a_history_comes_back_as_it_was(measured, monkeypatch):
    losses = iter([3.0, 1.0])
    monkeypatch.setattr(measured, "measure", lambda: next(losses))
    for step in (2, 4):
        measured.after_step(StepRecord(step, 1, 0.0, 0.1, 1, 0.0))
        kept = validation.FORM.take(measured.state())
        measured.latest = measured.best = None
        measured.restore(kept)
        assert measured.is_best(step)
        assert not measured.is_best(step + 1)
    assert (measured.latest, measured.best) == ((4, 1.0), 1.0)
