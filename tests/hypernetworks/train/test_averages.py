"""The running mean of the weights: how much each step counts, and what saved states hold of it."""

import copy

import pytest
import torch
from hypernetwork_workbench.hypernetworks.train.optim.averages import WeightAverage, weights_to_show

from tests.support.networks import random_network

DECAY = 0.5


def trained(network, steps, seed=0):
    """Go through so many steps that change every weight."""
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(torch.randn(weight.shape, generator=generator))
        yield step + 1


def followed(steps):
    """Return a network after steps, the average that followed it, and the mean and count as version 0.1 kept them."""
    network = random_network(1)
    average = WeightAverage(network, DECAY)
    means = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    for step in trained(network, steps):
        average.update_parameters(network)
        for name, weight in network.named_parameters():
            means[name].lerp_(weight.detach(), 1 - min(DECAY, step / (step + 10)))
    return network, average, {"steps": steps, "weights": means}


def holds(average, means):
    return all(torch.equal(mean, means[name]) for name, mean in average.module.named_parameters())


@pytest.mark.parametrize("steps", [0, 1, 2, 9, 10, 11, 20])
def test_the_first_steps_count_more(steps):
    _, average, state = followed(steps)
    assert holds(average, state["weights"])


def test_the_mean_warms_up_and_then_follows_slowly():
    """All weights go from 0 to 1 at once, so that what the mean lacks of 1 is the product of the decays."""
    network = random_network(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    average = WeightAverage(network, 0.9)
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(1)
    lacking = 1.0
    for step in range(1, 101):
        average.update_parameters(network)
        lacking *= step / (step + 10) if step < 90 else 0.9
        means = torch.cat([mean.flatten() for mean in average.module.parameters()])
        assert (1 - means).tolist() == pytest.approx([lacking] * len(means), abs=1e-6)
        if step == 2:
            assert lacking == pytest.approx(1 / 11 * 1 / 6)
    assert average.n_averaged == 101


def test_a_large_decay_stays_behind_by_what_it_says():
    network = random_network(1)
    average = WeightAverage(network, 0.9)
    average.n_averaged.fill_(1000)  # past the first steps
    before = {name: mean.clone() for name, mean in average.module.named_parameters()}
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1)
    average.update_parameters(network)
    for name, mean in average.module.named_parameters():
        assert torch.allclose(mean, before[name] + 0.1, atol=1e-6)


@pytest.mark.parametrize("is_old", [False, True])
def test_a_saved_average_goes_on_bit_for_bit(is_old):
    network, average, old = followed(7)
    state = copy.deepcopy(old if is_old else average.state_dict())
    restored = WeightAverage(random_network(2), DECAY)
    restored.load_state_dict(state)
    for _ in trained(network, 9, seed=1):
        average.update_parameters(network)
        restored.update_parameters(network)
    assert holds(restored, dict(average.module.named_parameters()))


def test_the_average_is_shown_and_the_weights_in_training_come_back():
    network, average, state = followed(3)
    before = copy.deepcopy(network.state_dict())
    with weights_to_show(network, torch.optim.AdamW(network.parameters()), average):
        assert all(torch.equal(weight, state["weights"][name]) for name, weight in network.named_parameters())
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    assert holds(average, state["weights"])
