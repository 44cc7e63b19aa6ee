"""Layers that do not train give what torch's give, with its gradients, and keep nothing that these do not need."""

from __future__ import annotations

import pytest
import torch
from hypernetwork_workbench.hypernetworks.kernels import frozen_layers, onednn
from hypernetwork_workbench.hypernetworks.kernels.frozen_layers import FrozenConvolution, FrozenGate, FrozenLinear
from torch import nn

KERNELS = ("laid out", "columns", "plain")
CONVOLUTIONS = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "padding": 1, "bias": False},
    {"kernel_size": 1},
    {"kernel_size": 3, "padding": 1, "stride": 2},
    {"kernel_size": 3},
    {"kernel_size": 3, "padding": 2, "dilation": 2},
    {"kernel_size": 3, "padding": 1, "groups": 2},
    {"kernel_size": 5, "padding": 2},
]


@pytest.fixture(params=KERNELS)
def kernel(request, monkeypatch):
    """All work is enough for the kernel asked for."""
    monkeypatch.setattr(onednn, "MIN_WORK", 1 << 40 if request.param == "plain" else 0)
    monkeypatch.setattr(frozen_layers, "MAX_LAID_OUT", 1 << 40 if request.param == "laid out" else 0)
    monkeypatch.setattr(frozen_layers, "WEIGHTS_PER_PIXEL", 0)
    return request.param


def convolution(inputs=6, outputs=10, **options):
    torch.manual_seed(0)
    return nn.Conv2d(inputs, outputs, **options).requires_grad_(False)


def uneven(out):
    """Return a gradient whose numbers all differ."""
    return torch.linspace(-1, 1, out.numel(), dtype=out.dtype).reshape(out.shape)


def both(layer, frozen_layer, x, gradient=None):
    """Output and gradients of torch's layer, then of ours."""
    results = []
    for function in (layer, frozen_layer):
        leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
        out = function(leaf)
        out.backward(torch.ones_like(out) if gradient is None else gradient(out))
        results.append((out.detach(), leaf.grad))
    return results


def assert_same(results):
    for want, got in zip(*results, strict=True):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_gives_what_torchs_gives(kernel, options, layout):
    layer = convolution(**options)
    x = torch.randn(2, 6, 8, 12).contiguous(memory_format=layout)
    assert_same(both(layer, FrozenConvolution(layer), x, uneven))


@pytest.mark.parametrize("shape", [(24,), (7, 24), (2, 5, 24), (2, 0, 24)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_linear_layer_gives_what_torchs_gives(kernel, shape, bias, dtype):
    layer = nn.Linear(24, 40, bias=bias, dtype=dtype).requires_grad_(False)
    assert_same(both(layer, FrozenLinear(layer), torch.randn(shape, dtype=dtype), uneven))


def test_gradients_that_are_views_are_read_right(kernel):
    conv, linear = convolution(kernel_size=3, padding=1), nn.Linear(24, 40).requires_grad_(False)
    one_number = torch.ones(())
    assert_same(both(conv, FrozenConvolution(conv), torch.randn(2, 6, 8, 8), one_number.expand_as))
    assert_same(both(linear, FrozenLinear(linear), torch.randn(2, 5, 24), one_number.expand_as))
    turned = torch.randn(5, 24, 2).permute(2, 0, 1)
    assert_same(both(linear, FrozenLinear(linear), turned, lambda out: uneven(out.permute(2, 1, 0)).permute(2, 1, 0)))


def test_no_kernel_is_given_weights_with_gaps_between_their_rows(monkeypatch):
    """It takes them, and gives the right numbers, a thousand times as slowly."""
    given, kernel = [], torch.ops.mkldnn._linear_pointwise
    monkeypatch.setattr(
        torch.ops.mkldnn, "_linear_pointwise", lambda *inputs: given.append(inputs[1]) or kernel(*inputs)
    )
    x, wide = torch.randn(3, 24), torch.randn(40, 48)
    for weight in (wide[:, :24], wide[:, ::2], wide[:24].t()[:40].t()[:, :24], torch.ones(()).expand(40, 24)):
        torch.testing.assert_close(onednn.linear(x, weight, None), x @ weight.t(), rtol=1e-5, atol=1e-5)
    onednn.linear(x, torch.randn(24, 40).t(), None)
    onednn.linear(x, onednn.lay_out_linear(torch.randn(40, 24)), None)
    assert all(one.is_mkldnn or one.is_contiguous() or one.t().is_contiguous() for one in given)


def test_without_a_gradient_to_pass_on_the_numbers_are_the_same(kernel):
    conv, linear = convolution(kernel_size=3, padding=1), nn.Linear(24, 40).requires_grad_(False)
    x, rows = torch.randn(2, 6, 8, 8), torch.randn(3, 24)
    torch.testing.assert_close(FrozenConvolution(conv)(x), conv(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(FrozenLinear(linear)(rows), linear(rows), rtol=1e-5, atol=1e-5)
    assert not FrozenConvolution(conv)(x).requires_grad


@pytest.mark.parametrize("kernel", ["laid out", "columns"], indirect=True)
@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_a_convolution_keeps_no_input(kernel, options):
    layer = convolution(**options)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        out = FrozenConvolution(layer)(torch.randn(2, 6, 8, 8, requires_grad=True))
    weight = layer.weight.untyped_storage().data_ptr()
    assert all(tensor.untyped_storage().data_ptr() == weight for tensor in kept)
    out.sum().backward()


class Gate(nn.Module):
    """As `ldm` and `sgm` write it."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        torch.manual_seed(0)
        self.proj = nn.Linear(24, 2 * 40, dtype=dtype).requires_grad_(False)

    def forward(self, x):
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * nn.functional.gelu(gate)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gate_gives_every_bit_that_it_gave_and_keeps_its_input_alone(dtype):
    layer, kept = Gate(dtype), []
    for want, got in zip(*both(layer, FrozenGate(layer), torch.randn(2, 5, 24, dtype=dtype), uneven), strict=True):
        assert torch.equal(want, got)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        FrozenGate(layer)(torch.randn(2, 5, 24, dtype=dtype, requires_grad=True))
    weight = layer.proj.weight.untyped_storage().data_ptr()
    assert [tensor.shape for tensor in kept if tensor.untyped_storage().data_ptr() != weight] == [(2, 5, 80)]
    assert torch.equal(FrozenGate(layer)(torch.ones(3, 24, dtype=dtype)), layer(torch.ones(3, 24, dtype=dtype)))


def test_weights_that_change_are_laid_out_again(kernel):
    layer, x = convolution(kernel_size=3, padding=1), torch.randn(1, 6, 8, 8)
    ours = FrozenConvolution(layer)
    assert_same(both(layer, ours, x))
    layer.weight.mul_(2)
    assert_same(both(layer, ours, x))
    layer.weight = nn.Parameter(torch.randn_like(layer.weight), requires_grad=False)
    assert_same(both(layer, ours, x))


def test_many_shapes_take_no_more_memory(kernel):
    layer = convolution(kernel_size=3, padding=1)
    ours = FrozenConvolution(layer)
    for side in range(3, 3 + 2 * frozen_layers.MAX_SHAPES):
        assert_same(both(layer, ours, torch.randn(1, 6, side, side)))
    assert len(ours._laid_out) == (frozen_layers.MAX_SHAPES if kernel == "laid out" else 0)


@pytest.mark.parametrize("kind", ["convolution", "linear"])
def test_under_autocast_it_is_torchs(kernel, kind):
    if kind == "linear":
        layer, x = nn.Linear(24, 40).requires_grad_(False), torch.randn(2, 24)
        ours = FrozenLinear(layer)
    else:
        layer, x = convolution(kernel_size=3, padding=1), torch.randn(2, 6, 8, 8)
        ours = FrozenConvolution(layer)
    with torch.autocast("cpu", torch.bfloat16):
        (want, want_gradient), (got, gradient) = both(layer, ours, x)
    assert (got.dtype, gradient.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(got, want)
    torch.testing.assert_close(gradient, want_gradient, rtol=1e-2, atol=1e-2)


def test_under_autocast_no_cast_weights_are_kept():
    layer, kept = convolution(kernel_size=3, padding=1), []
    with (
        torch.autocast("cpu", torch.bfloat16),
        torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor),
    ):
        FrozenConvolution(layer)(torch.randn(2, 6, 8, 8, requires_grad=True)).float().sum().backward()
    assert [tensor.data_ptr() for tensor in kept] == [layer.weight.data_ptr()]


def test_without_the_kernels_every_bit_is_torchs(without_onednn):
    conv, linear = convolution(kernel_size=3, padding=1), nn.Linear(24, 40).requires_grad_(False)
    for results in (
        both(conv, FrozenConvolution(conv), torch.randn(2, 6, 8, 8)),
        both(linear, FrozenLinear(linear), torch.randn(2, 24)),
    ):
        for want, got in zip(*results, strict=True):
            assert torch.equal(want, got)


def test_shapes_are_counted_on_a_device_without_numbers(kernel):
    layer = convolution(kernel_size=3, padding=1).to("meta")
    x = torch.empty(2, 6, 8, 8, device="meta", requires_grad=True)
    assert FrozenConvolution(layer)(x).shape == (2, 10, 8, 8)


def test_an_operator_that_is_gone_or_gives_something_else_is_not_used(monkeypatch):
    onednn._works.cache_clear()
    assert onednn._works()
    for broken in (lambda *_: torch.zeros(()), lambda *_: torch.ops.mkldnn.no_such_operator()):
        onednn._works.cache_clear()
        monkeypatch.setattr(onednn, "linear", broken)
        assert not onednn._works()
        assert not onednn.takes(torch.ones(2, 2))
    onednn._works.cache_clear()


def test_only_full_tensors_of_float32_in_main_memory_are_taken(monkeypatch):
    x = torch.ones(2, 2)
    assert onednn.takes(x, x)
    for other in (x.double(), x.to("meta"), x[:0]):
        assert not onednn.takes(x, other)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    onednn._works.cache_clear()
    assert not onednn.takes(x)
    monkeypatch.undo()
    onednn._works.cache_clear()
