"""Exact shortcuts on the embedded host: the same pictures, and nothing left in the model."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests.patches.model.test_library import write
from tests.patches.test_on_host import generate, save_network

AFFINE = {"std": 0.1}
MISH = {"std": 0.1, "activation": "mish"}


@pytest.fixture
def shortcuts():
    from hypernetwork_workbench.patches.model.shortcuts import shortcuts

    return shortcuts


@pytest.fixture
def host_with_networks(patched, monkeypatch):
    for seed, (name, flags) in enumerate(
        {"linear": AFFINE, "other": AFFINE, "mish": MISH, "residual": {"std": 0.02, "skip_connection": True}}.items()
    ):
        save_network(patched, name, seed=seed, **flags)
    for name in ("linear", "other"):  # a bias, for which `to_k` has no place
        from pathlib import Path

        from hypernetwork_workbench.hypernetworks import files

        path = Path(patched.module("shared").hypernetworks[name])
        network = files.load(path)
        for key, tensor in network.state_dict().items():
            if key.endswith("bias"):
                tensor.normal_(0, 0.1, generator=torch.Generator().manual_seed(3))
        files.save(network, path)
    write(patched, "mix", '{"linear": 0.5, "other": 0.5}')
    write(patched, "nested", '["linear", {"mish": 1, "other": 2}]')
    return patched


def unet(host):
    return host.model.model.diffusion_model


def state(host):
    model = unet(host)
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    return {key: tensor.clone() for key, tensor in model.state_dict().items()}, hooks, dict(model.named_parameters())


def assert_untouched(host, before):
    tensors, hooks, parameters = state(host)
    assert tensors.keys() == before[0].keys()
    assert all(torch.equal(tensor, before[0][key]) for key, tensor in tensors.items())
    assert hooks == before[1]
    assert all(parameter is before[2][key] for key, parameter in parameters.items())
    assert all(module.to_k.bias is None for module in unet(host).modules() if hasattr(module, "to_k"))


def switch(monkeypatch, is_on):
    from hypernetwork_workbench.patches.patching import switches

    monkeypatch.setattr(switches, "shortcuts_are_on", lambda: is_on)


def latents(host, prompt, monkeypatch, is_on, **changes):
    """Tell what the sampler ends with, before the autoencoder rounds it to bytes."""
    seen = []
    samplers = host.module("sd_samplers")
    decode = samplers.decode_latents
    monkeypatch.setattr(samplers, "decode_latents", lambda x: seen.append(x.clone()) or decode(x))
    switch(monkeypatch, is_on)
    generate(host, prompt, **changes)
    monkeypatch.setattr(samplers, "decode_latents", decode)
    return torch.cat(seen)


def fold_counts(monkeypatch):
    """Numbers of layers with something folded in, each time folding has happened."""
    from hypernetwork_workbench.patches.model.folding import Folds

    counts = []
    fold = Folds.fold

    def counted(self, *args):
        fold(self, *args)
        counts.append(len(self._linears))

    monkeypatch.setattr(Folds, "fold", counted)
    return counts


CHAINS = {
    "<hypernet:linear:1>": True,
    "<hypernet:linear:-0.7><hypernet:other:1.5>": True,
    "<hypernet:mish:1>": False,
    "<hypernet:mish:0.5><hypernet:linear:1>": True,
    "<hypernet:linear:1><hypernet:mish:0.5>": False,
    "<hypernet:residual:1>": True,
    "<hypernet:mix:0.8>": True,
    "<hypernet:nested:0.8><hypernet:residual:0.5>": True,
}


@pytest.mark.parametrize("chain", CHAINS)
def test_shortcuts_give_what_the_plain_path_gives_and_leave_nothing(host_with_networks, monkeypatch, chain):
    host = host_with_networks
    before = state(host)
    counts = fold_counts(monkeypatch)
    fast = latents(host, f"a red circle{chain}", monkeypatch, True)
    assert_untouched(host, before)
    layers = sum(1 for module in unet(host).modules() if hasattr(module, "attn1"))
    assert counts == [2 * layers if CHAINS[chain] else 0]
    plain = latents(host, f"a red circle{chain}", monkeypatch, False)
    assert len(counts) == 1
    nothing = latents(host, "a red circle", monkeypatch, False)
    torch.testing.assert_close(fast, plain, atol=2e-4, rtol=1e-4)
    assert (plain - nothing).abs().max() > 0.01


def test_without_networks_the_picture_is_bit_for_bit_the_hosts(host_with_networks, monkeypatch):
    from hypernetwork_workbench import patches

    host = host_with_networks
    generate(host, "a star<hypernet:linear:1>")
    ours = latents(host, "a star", monkeypatch, True)
    still = latents(host, "a star<hypernet:linear:0><hypernet:mish:0>", monkeypatch, True)
    patches.uninstall_all()
    assert torch.equal(ours, latents(host, "a star", monkeypatch, True))
    assert torch.equal(ours, still)
    patches.install_all()


@pytest.mark.parametrize("way", ["interrupt", "error", "error in a layer"])
def test_a_generation_that_ends_early_leaves_nothing(host_with_networks, monkeypatch, way):
    host = host_with_networks
    before = state(host)
    shared = host.module("shared")
    from hypernetwork_workbench.patches.model.folding import Folds

    fold = Folds.fold

    def fold_and_stop(self, *args):
        fold(self, *args)
        assert self._linears
        if way == "error":
            raise ZeroDivisionError
        if way == "interrupt":
            shared.state.interrupted = True
        else:
            layer = next(module for module in unet(host).modules() if hasattr(module, "attn2")).attn2
            self._hooks.append(layer.register_forward_pre_hook(lambda *_: 1 / 0))

    monkeypatch.setattr(Folds, "fold", fold_and_stop)
    try:
        if way == "interrupt":
            generate(host, "a<hypernet:linear:1>")
        else:
            with pytest.raises(ZeroDivisionError):
                generate(host, "a<hypernet:linear:1>")
    finally:
        shared.state.interrupted = False
    assert_untouched(host, before)


def test_text_networks_run_once_for_a_context(host_with_networks, monkeypatch):
    host = host_with_networks
    from hypernetwork_workbench.hypernetworks.network.hypernetwork import HypernetworkModule

    runs = []
    forward = HypernetworkModule.forward
    monkeypatch.setattr(
        HypernetworkModule,
        "forward",
        lambda self, x, strength=1.0: runs.append(self.width) or forward(self, x, strength),
    )
    generate(host, "a red circle<hypernet:mish:1>")
    assert runs.count(24) == 2  # k and v, for prompt and negative prompt in one batch
    runs.clear()
    switch(monkeypatch, False)
    generate(host, "a red circle<hypernet:mish:1>")
    layers = sum(1 for module in unet(host).modules() if hasattr(module, "attn2"))
    assert runs.count(24) == 2 * layers * 3


def test_each_batch_of_a_job_has_its_own_chain(host_with_networks, monkeypatch):
    host = host_with_networks
    before = state(host)
    shared = host.module("shared")
    counts = fold_counts(monkeypatch)
    activate = host.module("extra_networks").activate
    strengths = iter((1.0, 0.0, 0.5) * 2)

    def other_strength(p, data):
        activate(p, data)
        for network in shared.loaded_hypernetworks:
            network.set_multiplier(next(strengths))

    monkeypatch.setattr(host.module("extra_networks"), "activate", other_strength)
    fast = latents(host, "a red circle<hypernet:linear:1>", monkeypatch, True, n_iter=3)
    assert_untouched(host, before)
    assert [count > 0 for count in counts] == [True, False, True]
    plain = latents(host, "a red circle<hypernet:linear:1>", monkeypatch, False, n_iter=3)
    torch.testing.assert_close(fast, plain, atol=2e-4, rtol=1e-4)
    assert not torch.equal(fast[0], fast[2])


def test_layers_that_others_use_are_left_alone(host_with_networks, monkeypatch):
    host = host_with_networks
    prompt = "a red circle<hypernet:linear:1>"
    plain = latents(host, prompt, monkeypatch, False)
    counts = fold_counts(monkeypatch)
    layers = [module.attn1 for module in unet(host).modules() if hasattr(module, "attn1")]
    handle = layers[0].to_k.register_forward_hook(lambda *_: None)
    layers[1].to_v.network_current_names = (("a", 1.0, 1.0, None),)
    try:
        fast = latents(host, prompt, monkeypatch, True)
    finally:
        handle.remove()
        del layers[1].to_v.network_current_names
    assert counts == [2 * len(layers) - 4]
    torch.testing.assert_close(fast, plain, atol=2e-4, rtol=1e-4)


def test_beside_a_lora_nothing_is_folded(host_with_networks, monkeypatch):
    host = host_with_networks
    prompt = "a red circle<hypernet:linear:1>"
    plain = latents(host, prompt, monkeypatch, False)
    counts = fold_counts(monkeypatch)
    monkeypatch.setitem(sys.modules, "networks", types.SimpleNamespace(loaded_networks=["a lora"]))
    fast = latents(host, prompt, monkeypatch, True)
    assert counts == []
    torch.testing.assert_close(fast, plain, atol=2e-4, rtol=1e-4)


def test_another_model_with_the_same_attention_is_changed_too(host_with_networks, monkeypatch, shortcuts):
    """As a ControlNet's layers, which run while the U-Net's are folded and are not folded themselves."""
    host = host_with_networks
    hypernetwork = host.module("hypernetworks.hypernetwork")
    shared = host.module("shared")
    hypernetwork.load_hypernetworks(["linear"], [0.7])
    chain = shared.loaded_hypernetworks
    x = torch.randn(1, 16, 32)
    with torch.no_grad():
        expected = chain[0].transform(x, x)
        with shortcuts.generation():
            inputs = torch.randn(1, 4, 8, 8), torch.tensor([5.0]), torch.randn(1, 77, 24)
            for _ in range(2):
                unet(host)(inputs[0], inputs[1], context=inputs[2])
            assert not shortcuts.folds.is_empty
            got = hypernetwork.apply_hypernetworks(chain, x)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_a_checkpoint_loaded_into_folded_layers_stays(host_with_networks, shortcuts):
    from hypernetwork_workbench.hypernetworks.inference.reduced import Affine
    from hypernetwork_workbench.patches.model.folding import Folds

    layer = torch.nn.Module()
    for name in ("to_q", "to_k", "to_v"):
        setattr(layer, name, torch.nn.Linear(4, 4, bias=False))
    old = layer.to_v.weight.detach().clone()
    tail = Affine(torch.randn(4, 4).double(), torch.randn(4).double())
    folds = Folds()
    folds.fold((layer,), lambda _width: (tail, tail))
    assert layer.to_k.bias is not None
    new = torch.randn(4, 4)
    with torch.no_grad():
        layer.to_k.weight.copy_(new)
    folds.undo()
    assert torch.equal(layer.to_k.weight, new)
    assert torch.equal(layer.to_v.weight, old)
    assert layer.to_k.bias is None
    assert list(layer.state_dict()) == ["to_q.weight", "to_k.weight", "to_v.weight"]


def test_changing_the_checkpoint_in_the_middle_takes_the_maps_out_first(host_with_networks, monkeypatch, shortcuts):
    host = host_with_networks
    seen = []
    sd_models = host.module("sd_models")
    from hypernetwork_workbench.patches.model.folding import Folds

    fold = Folds.fold

    def fold_and_change(self, *args):
        fold(self, *args)
        if not seen:
            seen.append(self.is_empty)
            sd_models.reload_model_weights()
            seen.append(self.is_empty)

    monkeypatch.setattr(Folds, "fold", fold_and_change)
    monkeypatch.setattr(sd_models, "choose_first", lambda: None)
    generate(host, "a<hypernet:linear:1>")
    assert seen == [False, True]


def test_in_training_the_text_networks_run_once_and_gradients_are_exact(patched, monkeypatch, shortcuts):
    from hypernetwork_workbench.patches.model import host as ports

    denoiser = ports.HostDenoiser()
    noisy = torch.randn(2, 4, 8, 8)
    conditioning = Conditioning(
        torch.stack([each.text for each in ports.HostEncoder().encode_texts(["a red circle", "a star"])])
    )
    gradients = []
    for is_on in (True, False):
        switch(monkeypatch, is_on)
        network = Hypernetwork.create(Structure(init_std=0.1, activation="mish"), denoiser.widths, 0)
        with denoiser.training(network):
            for _ in range(2):
                out = denoiser.predict(noisy, torch.tensor([300, 20]), conditioning)
                out.square().mean().backward()
                with torch.no_grad():
                    for parameter in network.parameters():
                        parameter.data.sub_(parameter.grad, alpha=0.1)  # no count of writes sees this
        gradients.append([parameter.grad for parameter in network.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_previews_of_a_training_network_do_not_leave_it_folded(patched, monkeypatch):
    from hypernetwork_workbench.hypernetworks.ports import PictureRequest
    from hypernetwork_workbench.patches.model import host as ports
    from hypernetwork_workbench.patches.model.previews import HostPreviewer

    before = state(patched)
    denoiser = ports.HostDenoiser()
    network = Hypernetwork.create(Structure(init_std=0.2), denoiser.widths, 0)
    request = PictureRequest("a red circle", 7, 64, 64, steps=3)
    pictures = []
    with denoiser.training(network):
        for _ in range(2):
            pictures.append(np.asarray(HostPreviewer().generate([request], network, 1.0)[0], dtype=int))
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.data.mul_(1.5)
    assert_untouched(patched, before)
    assert not np.array_equal(*pictures)
    switch(monkeypatch, False)
    with denoiser.training(network):
        for parameter in network.parameters():
            parameter.data.div_(1.5)
        plain = np.asarray(HostPreviewer().generate([request], network, 1.0)[0], dtype=int)
    assert np.abs(plain - pictures[1]).max() <= 1
