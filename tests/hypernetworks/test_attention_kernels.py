"""The kernel that a CPU takes gives what torch's fused one gives, for few tokens by plain products."""

from __future__ import annotations

import pytest
import torch
from hypernetwork_workbench.hypernetworks import attention_kernels
from torch.nn import functional


@pytest.fixture
def fused(monkeypatch):
    """Notes each use of torch's fused kernel."""
    used, sdpa = [], attention_kernels._sdpa
    monkeypatch.setattr(attention_kernels, "_sdpa", lambda *inputs: used.append(1) or sdpa(*inputs))
    return used


def results(kernel, queries, keys, mask=None):
    """The output and the gradients of q, k and v."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, queries, 3, 8), (2, keys, 3, 8), (2, keys, 3, 8))
    leaves = [torch.randn(shape, generator=generator, requires_grad=True) for shape in shapes]
    out = kernel(*(leaf.transpose(1, 2) for leaf in leaves), mask)
    (out * torch.randn(out.shape, generator=generator)).sum().backward()
    return [out.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (16, 77), (64, 64), (362, 362), (363, 363)])
def test_it_gives_what_the_fused_kernel_gives(fused, queries, keys):
    kernel = attention_kernels.kernel("auto", torch.device("cpu"))
    found = results(kernel, queries, keys)
    assert bool(fused) == (queries * keys > 1 << 17)
    wanted = results(lambda q, k, v, _: functional.scaled_dot_product_attention(q, k, v), queries, keys)
    for got, want in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_a_mask_goes_to_the_fused_kernel(fused):
    mask = torch.ones(2, 1, 1, 77, dtype=torch.bool)
    mask[..., 40:] = False
    found = results(attention_kernels.kernel("auto", torch.device("cpu")), 16, 77, mask)
    assert fused
    wanted = results(functional.scaled_dot_product_attention, 16, 77, mask)
    assert all(torch.equal(got, want) for got, want in zip(found, wanted, strict=True))


def test_the_fused_kernel_is_taken_where_it_is_asked_for(fused):
    results(attention_kernels.kernel("SDPA", torch.device("cpu")), 16, 77)
    assert fused
