"""What a roll-back restores: the weights, the optimizer, the average and the learning rate of the last good state."""

import copy

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import NonFiniteLossError
from hypernetwork_workbench.hypernetworks.train import trainer
from hypernetwork_workbench.hypernetworks.train.settings.training import TrainSettings
from hypernetwork_workbench.hypernetworks.train.state import make_state

from tests.support.fake_ports import FakeDenoiser
from tests.support.networks import random_network
from tests.support.runs import make_job, same


@pytest.fixture
def state(pictures):
    return make_state(make_job(pictures, train__ema_decay=0.9), random_network(1), FakeDenoiser())


def step(state, seed):
    generator = torch.Generator().manual_seed(seed)
    for weight in state.network.parameters():
        weight.grad = torch.randn(weight.shape, generator=generator)
    state.optimizer.step()
    state.average.update_parameters(state.network)


def kept(state):
    """Return copies of the numbers that steps change: weights, moments of the optimizer, average."""
    moments = {f"{n} {key}": v for n, s in enumerate(state.optimizer.state.values()) for key, v in s.items()}
    return copy.deepcopy({**state.network.state_dict(), **moments, **state.average.state_dict()})


def test_a_rollback_undoes_the_steps_since_the_last_good_state(state, monkeypatch):
    monkeypatch.setattr(trainer, "SNAPSHOT_EVERY", 2)
    guard = trainer.RollbackGuard(state, TrainSettings(rollback_after=2))
    for seed in (1, 2):
        step(state, seed)
        guard.after_good_step()
    good = kept(state)
    step(state, 3)
    guard.after_good_step()  # between two states to roll back to
    later = kept(state)
    assert not any(torch.equal(good[name], later[name]) for name in good)
    guard.after_bad_step(3)
    assert same(kept(state), later)  # one bad step is only left out
    guard.after_bad_step(4)
    assert same(kept(state), good)
    step(state, 3)
    assert same(kept(state), later)
    assert (guard.skipped, guard.rollbacks) == (2, 1)


def test_before_the_first_good_state_it_is_that_of_the_start(state):
    step(state, 1)
    first = kept(state)
    guard = trainer.RollbackGuard(state, TrainSettings(rollback_after=1))
    step(state, 2)
    guard.after_bad_step(1)
    assert same(kept(state), first)


def test_good_steps_between_bad_ones_keep_it_from_rolling_back(state):
    guard = trainer.RollbackGuard(state, TrainSettings(rollback_after=2))
    for number in range(6):
        guard.after_bad_step(number)
        guard.after_good_step()
    assert (guard.skipped, guard.rollbacks) == (6, 0)


def test_each_rollback_halves_the_rate_until_a_good_state_is_reached_or_the_run_ends(state, monkeypatch):
    monkeypatch.setattr(trainer, "SNAPSHOT_EVERY", 1)
    guard = trainer.RollbackGuard(state, TrainSettings(rollback_after=1, rollback_halves_rate=True))
    for number, factor in enumerate((0.5, 0.25, 0.125)):
        guard.after_bad_step(number)
        assert state.rate_factor == factor
    guard.after_good_step()  # a good state: three more may follow, and the rate stays
    for number, factor in enumerate((1 / 16, 1 / 32, 1 / 64)):
        guard.after_bad_step(number)
        assert state.rate_factor == factor
    with pytest.raises(NonFiniteLossError, match=r"^step 8: .*rolling back did not help"):
        guard.after_bad_step(7)
