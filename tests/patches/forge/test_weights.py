"""Weights that were made for pictures alone take part in gradients, and stay where and what they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn


def made():
    with torch.inference_mode():
        return nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.BatchNorm1d(3)).requires_grad_(False)


def moved_outside(module):
    module.to(torch.float64)
    return module.to(torch.float32)


def moved_inside(module):
    with torch.inference_mode():
        return module.to(torch.float64).to(torch.float32)


@pytest.mark.parametrize("change", [lambda module: module, moved_outside, moved_inside])
def test_gradients_pass_and_nothing_moves(change):
    from hypernetwork_workbench.patches.forge.weights import make_usable

    module = change(made()).eval()
    module[0].weight.requires_grad_(False)
    places = [tensor.data_ptr() for tensor in module.state_dict().values()]
    x = torch.randn(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="nference"):
        module(x).square().sum().backward()
    make_usable(module)
    module(x).square().sum().backward()
    assert x.grad is not None
    assert [tensor.data_ptr() for tensor in module.state_dict().values()] == places
    assert not any(weight.requires_grad for weight in module.parameters())


def test_weights_that_the_host_moves_meanwhile_stay_frozen_and_end_no_run(host):
    from hypernetwork_workbench.patches.model import temporary

    module = nn.Linear(3, 3)
    with temporary.frozen(module):
        moved_inside(module)
        assert not module.weight.requires_grad
    assert module.weight.is_inference()
    assert not module.weight.requires_grad, "torch refuses it for these"
