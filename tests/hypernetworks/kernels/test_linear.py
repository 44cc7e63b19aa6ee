"""The linear layer of hypernetworks trains as torch's does."""

from __future__ import annotations

import copy

import pytest
import torch
from hypernetwork_workbench.hypernetworks.kernels import linear, onednn
from hypernetwork_workbench.hypernetworks.kernels.linear import Linear
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from torch import nn


@pytest.fixture(autouse=True)
def all_work_is_enough(monkeypatch):
    monkeypatch.setattr(onednn, "MIN_WORK", 0)


def layers(bias=True, dtype=torch.float32):
    torch.manual_seed(0)
    ours = Linear(24, 40, bias=bias, dtype=dtype)
    plain = nn.Linear(24, 40, bias=bias, dtype=dtype)
    plain.load_state_dict(ours.state_dict())
    return ours, plain


def gradients(layer, x, wants_input):
    leaf = x.clone().requires_grad_(wants_input)
    out = layer(leaf)
    (out * torch.linspace(-1, 1, out.numel(), dtype=x.dtype).reshape(out.shape)).sum().backward()
    return [out.detach(), *(parameter.grad for parameter in layer.parameters()), *([leaf.grad] if wants_input else [])]


@pytest.mark.parametrize("shape", [(24,), (7, 24), (2, 5, 24)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("wants_input", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_gradients_are_torchs(shape, bias, wants_input, dtype):
    ours, plain = layers(bias, dtype)
    x = torch.randn(shape, dtype=dtype)
    for got, want in zip(gradients(ours, x, wants_input), gradients(plain, x, wants_input), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_weights_alone_or_bias_alone_may_train():
    ours, plain = layers()
    x = torch.randn(3, 24)
    for frozen in ("weight", "bias"):
        for layer in (ours, plain):
            layer.zero_grad()
            layer.requires_grad_(True).get_parameter(frozen).requires_grad_(False)
            layer(x).sum().backward()
        for got, want in zip(ours.parameters(), plain.parameters(), strict=True):
            assert (got.grad is None) == (want.grad is None)
            if got.grad is not None:
                torch.testing.assert_close(got.grad, want.grad, rtol=1e-5, atol=1e-5)


def test_the_first_step_of_a_process_may_be_one_under_autocast(monkeypatch):
    ours, plain = layers()
    x = torch.randn(3, 24)
    onednn._works.cache_clear()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ours(x), plain(x))
        assert onednn._works()
    onednn._works.cache_clear()
    assert onednn._works()


def test_outside_of_training_every_bit_is_torchs(monkeypatch):
    ours, plain = layers()
    x = torch.randn(3, 24)
    monkeypatch.setattr(linear._Linear, "apply", None)  # whoever calls it fails
    with torch.no_grad():
        assert torch.equal(ours(x), plain(x))
    assert torch.equal(ours.eval()(x), plain(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert ours.train()(x).dtype == torch.bfloat16


def test_little_work_is_left_to_torch(monkeypatch):
    monkeypatch.setattr(onednn, "MIN_WORK", 3 * 24 * 40 + 1)
    monkeypatch.setattr(linear._Linear, "apply", None)
    layers()[0](torch.randn(3, 24))


def test_networks_are_made_of_it_and_copied_and_saved_as_ever():
    network = Hypernetwork.create(Structure(), (24,), 0)
    made = [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert {type(module) for module in made} == {Linear}
    twin = copy.deepcopy(network)
    assert twin.state_dict().keys() == network.state_dict().keys()
    assert repr(made[0]).startswith("Linear(in_features=24")
