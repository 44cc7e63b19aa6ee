"""One optimizer step: its rate, its draws, what a bad one leaves as it was, and what is left for the next one."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypernetwork_workbench.hypernetworks.data.batches import StepBatches
from hypernetwork_workbench.hypernetworks.ranks import Ranks
from hypernetwork_workbench.hypernetworks.train import trainer
from hypernetwork_workbench.hypernetworks.train.optim.step_schedule import StepSchedule
from hypernetwork_workbench.hypernetworks.train.state import make_state

from tests.support.fake_ports import FakeDenoiser
from tests.support.networks import random_network
from tests.support.runs import make_job, same


@pytest.fixture
def stepper(pictures):
    """Return a trainer whose rate is 0.01 at step 0 and 0.001 from step 1 on, without pictures."""
    job = make_job(pictures, train__ema_decay=0.9, train__seed=3)
    state = make_state(job, random_network(1), FakeDenoiser())
    return trainer.Trainer(
        job=job,
        data=None,
        denoiser=FakeDenoiser(),
        state=state,
        schedule=StepSchedule(((0.01, 1), (0.001, 9))),
        noise=None,
        clip_limits=StepSchedule(((1.0, 9),)),
        guard=None,
        computing=None,
    )


def batches(step):
    return StepBatches(step, 0, [(0, 1)])


def update(stepper, step, loss=1.0, gradient=0.5):
    for weight in stepper.state.network.parameters():
        weight.grad = torch.full_like(weight, gradient)
    return stepper.update(batches(step), torch.tensor(loss))


def weights(stepper):
    return {name: weight.detach().clone() for name, weight in stepper.state.network.named_parameters()}


def average(stepper):
    return {name: value.clone() for name, value in stepper.state.average.state_dict().items()}


def test_the_rate_is_that_of_the_step_times_the_factor_of_rollbacks(stepper):
    stepper.state.rate_factor = 0.5
    for step, rate in ((0, 0.005), (1, 0.0005), (2, 0.0005)):
        assert update(stepper, step).rate == pytest.approx(rate)
        assert [group["lr"] for group in stepper.state.optimizer.param_groups] == [pytest.approx(rate)]
        assert stepper.done == step + 1


def test_a_step_moves_weights_and_average_and_leaves_no_gradient(stepper):
    before, mean = weights(stepper), average(stepper)
    result = update(stepper, 0)
    assert result.is_finite
    assert not any(torch.equal(one, before[name]) for name, one in weights(stepper).items())
    assert average(stepper)["n_averaged"] == mean["n_averaged"] + 1
    assert all(weight.grad is None for weight in stepper.state.network.parameters())


@pytest.mark.parametrize(("loss", "gradient"), [(float("nan"), 0.5), (float("inf"), 0.5), (1.0, float("inf"))])
def test_a_bad_step_leaves_weights_and_average_as_they_were(stepper, loss, gradient):
    update(stepper, 0)
    before, mean = weights(stepper), average(stepper)
    result = update(stepper, 1, loss, gradient)
    assert not result.is_finite
    assert same(weights(stepper), before)
    assert same(average(stepper), mean)
    assert all(weight.grad is None for weight in stepper.state.network.parameters())


def test_each_step_draws_numbers_of_its_own_the_same_ones_each_time(stepper, monkeypatch):
    draws = []

    def loss(*_):
        draws.append(torch.rand(1).item())
        return torch.zeros(1, requires_grad=True).sum()

    monkeypatch.setattr(trainer, "diffusion_loss", loss)
    monkeypatch.setattr(stepper, "noisy_batches", lambda _: [SimpleNamespace(noisy=torch.zeros(2))])
    for step in (0, 1, 0):
        stepper.backward(batches(step))
    assert draws[0] == draws[2] != draws[1]


def test_each_process_draws_numbers_of_its_own(stepper, monkeypatch):
    def loss(*_):
        return torch.rand(1, requires_grad=True).sum()

    monkeypatch.setattr(trainer, "diffusion_loss", loss)
    monkeypatch.setattr(stepper, "noisy_batches", lambda _: [SimpleNamespace(noisy=torch.zeros(2))])
    draws = []
    for rank in (0, 1, 2, 1):
        stepper.ranks = Ranks()
        stepper.ranks.rank = rank
        draws.append(stepper.backward(batches(0)).item())
    assert draws[1] == draws[3]
    assert len(set(draws)) == 3


def test_a_process_without_a_picture_adds_nothing_but_lets_the_scaler_see_a_loss(stepper, monkeypatch):
    seen = []
    monkeypatch.setattr(stepper, "noisy_batches", lambda _: [])
    monkeypatch.setattr(stepper.state.precision, "backward", seen.append)
    assert stepper.backward(batches(0)).item() == 0.0
    assert [loss.item() for loss in seen] == [0.0]
    assert all(weight.grad is None for weight in stepper.state.network.parameters())


@pytest.mark.parametrize(("size", "reads_later"), [(1, True), (2, False)])
def test_several_processes_read_each_outcome_at_once_to_roll_back_together(stepper, monkeypatch, size, reads_later):
    ranks = Ranks()
    ranks.size = size
    monkeypatch.setattr(stepper.state, "average", None)
    monkeypatch.setattr(stepper.state.optimizer, "_step_supports_amp_scaling", True, raising=False)
    on_gpu = SimpleNamespace(device=torch.device("cuda"))
    assert replace(stepper, denoiser=on_gpu, ranks=ranks).reads_later == reads_later


def test_every_picture_weighs_the_same_in_whichever_batch_it_is(stepper, monkeypatch):
    parts = [SimpleNamespace(noisy=torch.zeros(count), loss=loss) for count, loss in ((3, 1.0), (1, 5.0))]
    monkeypatch.setattr(stepper, "noisy_batches", lambda _: parts)
    weight = torch.ones(1, requires_grad=True)
    monkeypatch.setattr(trainer, "diffusion_loss", lambda _, batch, __: (weight * batch.loss).sum())
    # Three pictures of loss 1 and one of 5: (3 * 1 + 5) / 4.
    assert stepper.backward(StepBatches(0, 0, [(0, 1, 2), (3,)])).item() == 2.0
    assert weight.grad.item() == 2.0
