"""Frozen layers of the U-Net run through our own forward while a hypernetwork trains, and only plain ones do."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from torch import nn


@pytest.fixture
def lean(patched):
    from hypernetwork_workbench.patches.model import lean_layers

    return lean_layers


@pytest.fixture
def model():
    return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Linear(8, 8), nn.GroupNorm(2, 4)).requires_grad_(False)


def names(model):
    return [type(layer).__name__ for layer in model.modules() if hasattr(vars(layer).get("forward"), "is_equivalent")]


def test_plain_layers_take_it_and_have_their_own_again(lean, model):
    def fail():
        with lean.lean(model, "cpu"):
            assert names(model) == ["Conv2d", "Linear"]
            raise KeyError("the run")

    with pytest.raises(KeyError, match="the run"):
        fail()
    assert names(model) == []


def test_a_training_has_it_for_its_length(lean, patched):
    from hypernetwork_workbench.patches.model import host

    denoiser = host.HostDenoiser()
    unet = patched.model.model.diffusion_model
    network = Hypernetwork.create(Structure(), denoiser.widths, 0)
    with denoiser.training(network):
        kinds = {"Linear", "Conv2d", "GEGLU"}
        wanted = [type(layer).__name__ for layer in unet.modules() if type(layer).__name__ in kinds]
        assert set(wanted) == kinds
        assert names(unet) == wanted
    assert names(unet) == []


@pytest.mark.parametrize(
    "changed",
    [
        lambda layer: layer.requires_grad_(True),
        lambda layer: setattr(layer, "network_current_names", ("some LoRA",)),
        lambda layer: setattr(layer, "padding_mode", "circular"),
        lambda layer: setattr(layer, "padding", "same"),
        lambda layer: setattr(layer, "_conv_forward", lambda *_: None),
        lambda layer: setattr(layer, "forward", lambda x: x),
        lambda layer: setattr(layer, "fp16_weight", torch.ones(1)),
        lambda layer: layer.register_parameter("scale", nn.Parameter(torch.ones(1), requires_grad=False)),
        lambda layer: layer.to(torch.float64),
    ],
)
def test_a_layer_that_somebody_changed_is_left(lean, model, changed):
    changed(model[0])
    with lean.lean(model, "cpu"):
        assert not isinstance(vars(model[0]).get("forward"), lean.LeanForward)
        assert isinstance(model[1].forward, lean.LeanForward)


def test_a_class_that_somebody_changed_is_left(lean, model, monkeypatch):
    monkeypatch.setattr(nn.Linear, "forward", lambda _self, x: x)
    with lean.lean(model, "cpu"):
        assert names(model) == ["Conv2d"]


def test_with_a_lora_in_the_model_all_layers_are_left(lean, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "networks", SimpleNamespace(loaded_networks=["some LoRA"]))
    with lean.lean(model, "cpu"):
        assert names(model) == []


def test_gates_are_left_where_somebody_changed_them(lean, patched, monkeypatch):
    unet = patched.model.model.diffusion_model
    unet.requires_grad_(False)
    gate = next(layer for layer in unet.modules() if type(layer).__name__ == "GEGLU")

    def gates():
        with lean.lean(unet, "cpu"):
            return names(unet).count("GEGLU")

    count = gates()
    monkeypatch.setattr(gate, "forward", gate.forward, raising=False)
    assert gates() == count - 1
    monkeypatch.setattr(lean.devices, "unet_needs_upcast", True, raising=False)
    assert gates() == 0
    monkeypatch.setattr(lean.devices, "unet_needs_upcast", False)
    monkeypatch.setattr(type(gate), "forward", lambda _self, x: x)
    assert gates() == 0


def test_gates_are_left_on_devices_that_may_miswrite_into_tensors_with_gaps(lean, patched, monkeypatch):
    unet = patched.model.model.diffusion_model
    unet.requires_grad_(False)
    monkeypatch.setattr(lean, "_GATE_DEVICES", ())
    with lean.lean(unet, "cpu"):
        assert set(names(unet)) == {"Linear", "Conv2d"}


def test_casts_that_the_host_puts_in_meanwhile_are_done_where_they_change_something(lean, model, monkeypatch):
    conv, x = model[0], torch.randn(1, 4, 8, 8, requires_grad=True)
    whole, casts = nn.Conv2d.forward, []

    def cast(self, x):
        casts.append(x.dtype)
        return whole(self.to(torch.bfloat16), x.to(torch.bfloat16))

    conv.to(torch.bfloat16)
    monkeypatch.setattr(lean.devices, "dtype_inference", torch.bfloat16, raising=False)
    with lean.lean(model, "cpu"):
        monkeypatch.setattr(nn.Conv2d, "forward", cast)
        assert conv(x).dtype == torch.bfloat16
        conv(x.to(torch.bfloat16))
        assert casts == [torch.float32]
        monkeypatch.setattr(lean.devices, "dtype_inference", torch.float32)
        conv(x.to(torch.bfloat16))
        assert casts == [torch.float32, torch.bfloat16]


def test_without_gradients_the_layer_runs_as_ever(lean, model, monkeypatch):
    x = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        want = model[0](x)
        with lean.lean(model, "cpu"):
            monkeypatch.setattr(model[0].forward, "_frozen", None)  # whoever calls it fails
            assert torch.equal(model[0](x), want)


def test_folding_still_takes_the_layers(lean, model):
    from hypernetwork_workbench.patches.model.folding import is_foldable

    with lean.lean(model, "cpu"):
        assert is_foldable(model[1])


def test_on_a_gpu_linear_layers_stay_and_norms_have_it_too(lean, model):
    with lean.lean(model, "cuda"):
        assert names(model) == ["Conv2d", "GroupNorm"]
    with lean.lean(model, "mps"):
        assert names(model) == ["Conv2d"]


def test_norms_are_left_where_somebody_changed_them(lean, patched, monkeypatch):
    unet = patched.model.model.diffusion_model
    unet.requires_grad_(False)
    kinds = ("GroupNorm", "GroupNorm32", "LayerNorm")
    norm = next(layer for layer in unet.modules() if type(layer).__name__ == "GroupNorm32")

    def count():
        with lean.lean(unet, "cuda"):
            return [names(unet).count(kind) for kind in kinds]

    before = count()
    assert before == [sum(type(layer).__name__ == kind for layer in unet.modules()) for kind in kinds]
    assert all(before)
    norm.weight.requires_grad_(True)
    assert count() == [before[0], before[1] - 1, before[2]]
    norm.weight.requires_grad_(False)
    monkeypatch.setattr(lean.devices, "unet_needs_upcast", True, raising=False)
    assert count() == before
    monkeypatch.setitem(norm._parameters, "bias", None)
    assert count() == [before[0], before[1] - 1, before[2]]
    monkeypatch.setattr(type(norm), "forward", lambda _self, x: x)
    assert count() == [before[0], 0, before[2]]


def test_on_a_device_that_nobody_tried_all_layers_are_left(lean, model, monkeypatch):
    monkeypatch.setattr(lean, "_DEVICES", ("cuda",))
    with lean.lean(model, "cpu"):
        assert names(model) == []


def test_the_estimate_knows_that_inputs_of_convolutions_are_not_kept(lean, patched, monkeypatch):
    from contextlib import nullcontext

    from hypernetwork_workbench.patches.model import activation_memory, host

    denoiser = host.HostDenoiser()
    network = Hypernetwork.create(Structure(), denoiser.widths, 0)
    unet = patched.model.model.diffusion_model
    now = activation_memory.count(unet, network, (1, 256, 256), "cpu")
    monkeypatch.setattr(lean, "lean", lambda *_: nullcontext())
    assert now.none < 0.95 * activation_memory.count(unet, network, (1, 256, 256), "cpu").none
