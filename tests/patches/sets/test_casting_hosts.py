"""Training on GPUs for which the host puts casts into the forwards of torch's classes instead of using autocast."""

from __future__ import annotations

import copy
from contextlib import contextmanager

import pytest
import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.ports import Computing
from torch import nn

_DTYPE = torch.bfloat16
_STRUCTURE = Structure(layer_structure=(1, 2, 1), layer_norm=True, init_std=0.05)


@contextmanager
def casting():
    """As the host does it: inputs and, for the length of the call, the weights of every layer are cast."""
    classes = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm)
    whole = {cls: cls.forward for cls in classes}

    def cast(forward):
        def run(self, x):
            before = next(self.parameters()).dtype
            out = forward(self.to(_DTYPE), x.to(_DTYPE))
            self.to(before)
            return out

        return run

    if nn.Linear.forward.__name__ == "run":
        yield  # inside of another one
        return
    try:
        for cls in classes:
            cls.forward = cast(whole[cls])
        yield
    finally:
        for cls in classes:
            cls.forward = whole[cls]


@pytest.fixture
def denoiser(patched, monkeypatch):
    from hypernetwork_workbench.patches.model import host

    unet = host.unet()
    weights = copy.deepcopy(unet.state_dict())
    unet.to(_DTYPE)
    monkeypatch.setattr(host.devices, "autocast", casting)
    monkeypatch.setattr(host.devices, "dtype_unet", _DTYPE)
    # Timesteps are embedded in what the U-Net says it computes in.
    monkeypatch.setattr(unet, "dtype", _DTYPE)
    yield host.HostDenoiser()
    unet.to(torch.float32)
    unet.load_state_dict(weights)


def gradients(denoiser, network, checkpointing):
    generator = torch.Generator().manual_seed(0)
    noisy, text = (torch.randn(shape, generator=generator) for shape in ((2, 4, 8, 8), (2, 77, denoiser.widths[0])))
    network.zero_grad()
    with denoiser.training(network, Computing(checkpointing=checkpointing)):
        denoiser.predict(noisy, torch.tensor([5, 9]), Conditioning(text)).float().square().mean().backward()
    return {name: weight.grad.clone() for name, weight in network.named_parameters()}


@pytest.mark.parametrize("checkpointing", ["none", "attention", "all"])
def test_it_trains_and_rounds_no_weight_of_the_network(denoiser, checkpointing):
    network = Hypernetwork.create(_STRUCTURE, denoiser.widths, 0)
    before = copy.deepcopy(network.state_dict())
    found = gradients(denoiser, network, checkpointing)
    for name, weight in network.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, before[name])
    assert all(gradient.dtype == torch.float32 and gradient.any() for gradient in found.values())


def test_what_is_computed_again_is_cast_the_same(denoiser):
    network = Hypernetwork.create(_STRUCTURE, denoiser.widths, 0)
    want = gradients(denoiser, network, "none")
    for checkpointing in ("attention", "all"):
        for name, gradient in gradients(denoiser, network, checkpointing).items():
            torch.testing.assert_close(gradient, want[name], rtol=1e-4, atol=1e-7)


def test_on_a_gpu_autocast_stays_off_there_and_on_elsewhere(patched, monkeypatch):
    from contextlib import nullcontext

    from hypernetwork_workbench.patches.model import host

    entered = []

    class Autocast:
        def __init__(self, device_type, enabled=True):
            self._said = device_type, enabled

        def __enter__(self):
            entered.append(self._said)

        def __exit__(self, *_):
            pass

    denoiser = host.HostDenoiser()
    monkeypatch.setattr(torch, "autocast", Autocast)
    for device, make, want in (
        ("cuda", casting, [("cuda", False)]),
        ("cuda", lambda: Autocast("cuda"), [("cuda", True)]),
        ("cuda", nullcontext, []),
        ("cpu", casting, []),
    ):
        entered.clear()
        monkeypatch.setattr(host.devices, "autocast", make)
        denoiser.device = torch.device(device)
        with denoiser._casting():
            pass
        assert entered == want


@pytest.mark.parametrize("is_upcast", [True, False])
def test_attention_that_the_host_wants_in_float32_is_not_taken_down_again(patched, monkeypatch, is_upcast):
    from hypernetwork_workbench.patches.model import host, unet_attention

    seen = []

    def kernel(q, k, v, mask):
        out = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        seen.append((q.dtype, out.dtype))
        return out

    shared = patched.module("shared")
    monkeypatch.setattr(shared.opts, "upcast_attn", is_upcast, raising=False)
    monkeypatch.setattr(unet_attention.devices, "without_autocast", lambda: torch.autocast("cpu", enabled=False))
    denoiser = host.HostDenoiser()
    inputs = torch.randn(1, 4, 8, 8), torch.tensor([5]), Conditioning(torch.randn(1, 77, denoiser.widths[0]))
    with torch.autocast("cpu", _DTYPE), unet_attention.on_kernel(host.unet(), kernel):
        denoiser.predict(*inputs)
    assert set(seen) == {(torch.float32, torch.float32) if is_upcast else (_DTYPE, _DTYPE)}
