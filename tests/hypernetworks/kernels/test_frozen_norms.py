"""Frozen norms in fewer bits give every bit that torch's do, and keep no copy of their input in float32."""

from __future__ import annotations

import pytest
import torch
from hypernetwork_workbench.hypernetworks.kernels.frozen_norms import FrozenNorm
from torch import Tensor, nn
from torch.nn import functional

_LOW = torch.bfloat16


def weighted(layer):
    generator = torch.Generator().manual_seed(0)
    for weight in layer.parameters():
        nn.init.normal_(weight, 0.5, 1.0, generator=generator)
    return layer.to(_LOW).requires_grad_(False)


def group_norm():
    return weighted(nn.GroupNorm(4, 12))


def layer_norm():
    return weighted(nn.LayerNorm(24))


def in_full(layer, x):
    """Tell what torch's autocast does with it on a GPU."""
    weight, bias = layer.weight.float(), layer.bias.float()
    if isinstance(layer, nn.GroupNorm):
        return functional.group_norm(x.float(), layer.num_groups, weight, bias, layer.eps)
    return functional.layer_norm(x.float(), layer.normalized_shape, weight, bias, layer.eps)


def results(run, x):
    leaf = x.clone().requires_grad_()
    out = run(leaf)
    (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape).to(out.dtype)).sum().backward()
    return out.detach(), leaf.grad


SHAPES = [(group_norm, (2, 12, 5, 7)), (group_norm, (2, 12, 9)), (layer_norm, (2, 5, 24)), (layer_norm, (3, 24))]


@pytest.mark.parametrize(("make", "shape"), SHAPES)
def test_under_autocast_every_bit_is_that_of_float32(make, shape):
    layer, x = make(), torch.randn(shape).to(_LOW)
    want = results(lambda x: in_full(layer, x), x)
    with torch.autocast("cpu", _LOW):
        got = results(FrozenNorm(layer), x)
    for wanted, found in zip(want, got, strict=True):
        assert found.dtype == wanted.dtype
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("autocast", [True, False])
def test_a_norm_that_casts_by_itself_gives_what_it_is_given(autocast):
    layer, x = group_norm(), torch.randn(2, 12, 5, 7).to(_LOW)
    want = results(lambda x: in_full(layer, x).to(x.dtype), x)
    with torch.autocast("cpu", _LOW, enabled=autocast):
        got = results(FrozenNorm(layer, casts=True), x)
    for wanted, found in zip(want, got, strict=True):
        assert found.dtype == wanted.dtype == _LOW
        assert torch.equal(found, wanted)


def test_weights_that_were_upcast_for_good_are_taken_as_they_are():
    layer, x = group_norm().float(), torch.randn(2, 12, 5, 7).to(_LOW)
    want = results(lambda x: in_full(layer, x).to(x.dtype), x)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        got = results(FrozenNorm(layer, casts=True), x)
    assert all(torch.equal(wanted, found) for wanted, found in zip(want, got, strict=True))
    assert [tensor.dtype for tensor in kept if tensor.shape == (12,)] == [torch.float32]


@pytest.mark.parametrize(("make", "shape"), SHAPES)
def test_of_its_input_it_keeps_that_alone(make, shape):
    layer, x, kept = make(), torch.randn(shape).to(_LOW).requires_grad_(), []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autocast("cpu", _LOW), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        FrozenNorm(layer)(x)
    large = [tensor for tensor in kept if tensor.numel() >= x.numel()]
    assert [tensor.data_ptr() for tensor in large] == [x.data_ptr()]


@pytest.mark.parametrize("make", [group_norm, layer_norm])
def test_where_nothing_is_cast_the_layer_runs_as_ever(make, monkeypatch):
    layer = make()
    ran = []
    monkeypatch.setattr(type(layer), "forward", lambda _self, x: ran.append(x.dtype) or x)
    frozen, x = FrozenNorm(layer), torch.randn(2, 12, 24, requires_grad=True)
    frozen(x.to(_LOW))
    with torch.autocast("cpu", _LOW):
        frozen(x)
        frozen(x.detach().to(_LOW))
    assert ran == [_LOW, torch.float32, _LOW]
