"""Linear layers whose weights are laid out beforehand give what torch's give."""

import gc

import pytest
import torch
from hypernetwork_workbench.hypernetworks.kernels import linear
from hypernetwork_workbench.hypernetworks.kernels.linear import PackedLinear
from torch import nn


def layer(inputs=24, outputs=40, bias=True, dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Linear(inputs, outputs, bias=bias, dtype=dtype).requires_grad_(False)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(24,), (7, 24), (2, 5, 24), (0, 24)])
def test_it_gives_what_the_layer_gives(bias, dtype, shape):
    plain = layer(bias=bias, dtype=dtype)
    x = torch.randn(shape, dtype=dtype)
    got, want = PackedLinear.of(plain)(x), plain(x)
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_an_input_that_is_a_view_is_read_right():
    plain = layer()
    x = torch.randn(24, 6, 5).permute(2, 1, 0)
    torch.testing.assert_close(PackedLinear.of(plain)(x), plain(x), rtol=1e-5, atol=1e-5)


def test_a_layer_is_laid_out_once_and_again_when_its_weights_change():
    plain = layer()
    first = PackedLinear.of(plain)
    assert PackedLinear.of(plain) is first
    x = torch.randn(3, 24)
    first(x)
    plain.weight.mul_(2)
    again = PackedLinear.of(plain)
    assert again is not first
    torch.testing.assert_close(again(x), plain(x), rtol=1e-5, atol=1e-5)


def test_nothing_is_kept_of_a_layer_that_is_gone():
    gc.collect()
    before = len(linear._known)
    plain = layer()
    PackedLinear.of(plain)
    assert len(linear._known) == before + 1
    del plain
    gc.collect()
    assert len(linear._known) == before


def test_where_torch_lacks_it_the_plain_layer_runs(without_onednn):
    plain, x = layer(), torch.randn(3, 24)
    wrapped = PackedLinear.of(plain)
    assert torch.equal(wrapped(x), plain(x))
    assert wrapped._packed is None
