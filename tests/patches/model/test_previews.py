"""A preview between two steps: made without dropout, and the step after it is the same as without it."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.ports import PictureRequest

from tests.support.networks import random_network

REQUEST = PictureRequest("a red circle", 7, 64, 64, sampler="Euler a", steps=2)


@pytest.fixture
def network(patched):
    from hypernetwork_workbench.patches.model import host

    return random_network(3, widths=host.model_widths(), dropout_structure=(0, 0.5, 0))


def picture(network):
    from hypernetwork_workbench.patches.model.previews import HostPreviewer

    return HostPreviewer().generate([REQUEST], network, 1.0)[0].tobytes()


def dropped(network):
    return torch.cat(network.transform(torch.ones(2, 5, network.widths[0])))


def test_a_preview_has_no_dropout_and_leaves_the_mode(network):
    settled = picture(network.eval())
    assert settled != picture(None)
    assert not any(module.training for module in network.modules())
    assert picture(network.train()) == settled
    assert all(module.training for module in network.modules())


def test_a_preview_changes_no_dropout_of_the_step_after_it(network):
    network.train()
    torch.manual_seed(11)
    alone = dropped(network)
    torch.manual_seed(11)
    picture(network)
    assert torch.equal(dropped(network), alone)
    assert not torch.equal(dropped(network), alone)  # else there is no dropout


def test_a_preview_that_fails_leaves_mode_and_generators(patched, network, monkeypatch):
    from modules import processing

    def fail(*_):
        torch.rand(3)
        raise InterruptedError

    monkeypatch.setattr(processing, "process_images", fail)
    network.train()
    before = torch.get_rng_state()
    with pytest.raises(InterruptedError):
        picture(network)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(module.training for module in network.modules())
    assert not patched.module("shared").loaded_hypernetworks
