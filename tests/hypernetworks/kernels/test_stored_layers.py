"""Weights in eight bits: near the old ones, with the gradients of what they are rounded to, and given back exactly."""

from __future__ import annotations

import itertools
import weakref

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.kernels import stored_layers
from hypernetwork_workbench.hypernetworks.kernels.stored_layers import check, freed_bytes, is_wanted, stored
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

LAYERS = [
    (lambda: nn.Linear(24, 40), (3, 7, 24)),
    (lambda: nn.Linear(24, 40, bias=False), (7, 24)),
    (lambda: nn.Conv2d(24, 40, 3, padding=1), (2, 24, 9, 8)),
    (lambda: nn.Conv2d(24, 40, 3, padding=1, stride=2), (2, 24, 9, 8)),
    (lambda: nn.Conv2d(24, 40, 1, bias=False), (2, 24, 9, 8)),
]


def made(make):
    """Return a layer with weights as small as those of a U-Net, of which one output has none."""
    torch.manual_seed(0)
    layer = make().requires_grad_(False)
    layer.weight.mul_(0.02)
    layer.weight[3] = 0
    return layer


def forward(layer, x, weight):
    if isinstance(layer, nn.Linear):
        return functional.linear(x, weight, layer.bias)
    return functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding)


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_a_layer_computes_with_its_weights_to_three_bits_and_gets_its_old_ones_back(make, shape):
    layer = made(make)
    before, x = layer.weight.clone(), torch.randn(shape, requires_grad=True)
    with stored([layer]):
        out = layer(x)
        gradient = torch.randn_like(out)
        (found,) = torch.autograd.grad(out, x, gradient)
        assert layer.weight.dtype == torch.float8_e4m3fn
        weight = layer.forward._scale * layer.weight.float()
    assert torch.equal(layer.weight, before)
    assert layer.weight.dtype == before.dtype
    assert "forward" not in vars(layer)
    # Half of the last of three bits; numbers below the 2^14th part of an output's largest have fewer.
    largest = before.abs().amax(tuple(range(1, before.dim())), keepdim=True)
    assert ((weight - before).abs() <= before.abs() / 16 + largest / 2**15).all()
    expected = forward(layer, x, weight)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found, torch.autograd.grad(expected, x, gradient)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_the_backward_pass_keeps_the_stored_weights_alone(make, shape):
    kept = []
    layer = made(make)
    hooks = torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one) or one, lambda one: one)
    with stored([layer]), hooks:
        layer(torch.randn(shape, requires_grad=True))
        assert sorted(one.numel() for one in kept) == [40, layer.weight.numel()]
        assert kept[0].untyped_storage().data_ptr() == layer.weight.untyped_storage().data_ptr()


def test_autocast_tells_what_is_computed_in(monkeypatch):
    dtypes, widened = [], stored_layers.widened
    monkeypatch.setattr(stored_layers, "widened", lambda *what: dtypes.append(what[2]) or widened(*what))
    layer, x = made(LAYERS[0][0]), torch.randn(LAYERS[0][1], requires_grad=True)
    with stored([layer]), torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert x.grad.dtype == torch.float32
    assert dtypes == [torch.bfloat16, torch.bfloat16]


def test_a_scale_too_small_for_half_precision_is_not_lost():
    layer = made(LAYERS[0][0])
    layer.weight.mul_(0.01)
    x = torch.randn(5, 24).mul(100)
    with stored([layer]):
        found = layer(x.half()).float()
    expected = functional.linear(x, layer.weight, layer.bias)
    assert (found - expected).norm() < 0.05 * (expected - layer.bias).norm()


def test_outputs_with_hardly_any_weights_get_a_scale_that_keeps_them_in_range():
    layer = made(LAYERS[0][0])
    layer.weight[4] = 9e-43
    with stored([layer]):
        assert (layer.forward._scale[:, 0][3:5] == torch.finfo(torch.float32).tiny).all()
        assert layer(torch.randn(5, 24)).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_are_widened_as_in_float32_without_a_copy_in_more_bits(dtype):
    layer = made(LAYERS[2][0])
    with stored([layer]):
        weight, scale = layer.weight.detach(), layer.forward._scale
        with Made() as found:
            wide = stored_layers.widened(weight, scale, dtype)
        assert torch.equal(wide, (weight.float() * scale).to(dtype))
    assert {(one.dtype, one.data_ptr()) for one in found.tensors} == {(dtype, wide.data_ptr())}


class Made(TorchDispatchMode):
    """Collects what torch's operations return."""

    def __init__(self):
        super().__init__()
        self.tensors = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        self.tensors.append(made)
        return made


class Held:
    """Stands for what a step has computed."""


def test_what_a_failed_step_has_computed_is_let_go_before_the_old_weights_come_back(monkeypatch):
    layer, left = made(LAYERS[0][0]), []

    class Layer(stored_layers.StoredLayer):
        def __del__(self):  # when the layer takes its own forward back
            left.append(left[0]())

    def step():
        computed = Held()
        left.append(weakref.ref(computed))
        raise ZeroDivisionError

    monkeypatch.setattr(stored_layers, "StoredLayer", Layer)
    with pytest.raises(ZeroDivisionError), stored([layer]):
        step()
    assert left[1] is None


def test_where_a_gpu_has_no_room_for_the_old_weights_they_are_there_in_main_memory(monkeypatch):
    layer = made(LAYERS[0][0])
    before, to = layer.weight.clone(), torch.Tensor.to

    def full(tensor, where):
        if where == layer.weight.device:
            raise torch.cuda.OutOfMemoryError
        return to(tensor, where)

    with pytest.raises(torch.cuda.OutOfMemoryError), stored([layer]):
        monkeypatch.setattr(torch.Tensor, "to", full)
    assert torch.equal(layer.weight, before)


def test_the_scales_follow_the_weights_to_where_the_host_moves_them():
    layer = made(LAYERS[0][0])
    with stored([layer]):
        layer.to("meta")
        assert layer(torch.empty(5, 24, device="meta")).shape == (5, 40)
        assert layer.forward._scale.device.type == "meta"


def test_a_forward_of_others_and_the_old_weights_come_back_after_an_error():
    layer = made(LAYERS[0][0])
    layer.forward = own = lambda x: x
    before = layer.weight.clone()
    with pytest.raises(ZeroDivisionError), stored([layer]):
        raise ZeroDivisionError
    assert layer.forward is own
    assert torch.equal(layer.weight, before)


def test_what_it_frees_is_told():
    layer = made(LAYERS[0][0]).half()
    assert freed_bytes([layer]) == 2 * 24 * 40 - 24 * 40 - 4 * 40


@pytest.mark.parametrize(
    ("device", "is_possible", "said"),
    [
        ("cuda", False, r"train\.unet_storage: this host keeps its own weights; choose as loaded"),
        ("cpu", False, r"train\.unet_storage: this host keeps its own weights; choose as loaded"),
        ("mps", True, r"train\.unet_storage: fp8 needs an NVIDIA or AMD GPU; choose as loaded"),
    ],
)
def test_where_it_cannot_be_done_a_sentence_says_so(device, is_possible, said):
    check("as loaded", torch.device(device), is_possible)
    with pytest.raises(SettingsError, match=said):
        check("fp8", torch.device(device), is_possible)


def test_only_a_gpu_has_weights_stored():
    check("fp8", torch.device("cuda"), True)
    check("fp8", torch.device("cpu"), True)
    where = itertools.product(stored_layers.CHOICES, ("cpu", "cuda"))
    assert [is_wanted(storage, torch.device(name)) for storage, name in where] == [False, False, False, True]
