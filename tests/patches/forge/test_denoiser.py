"""Forge's U-Net with gradients: those of the WebUI's way, the numbers of a picture, and all as it was afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, TrainingError
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork
from hypernetwork_workbench.hypernetworks.ports import Computing
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from torch import nn

from tests.patches.model.test_gradients import STRUCTURE, assert_same, batch, gradients
from tests.support.fake_ports import fake_ports
from tests.support.runs import draw_pictures
from tests.support.tiny_checkpoint import WIDTHS


@pytest.fixture
def pictures(tmp_path):
    return draw_pictures(tmp_path / "pictures")


@pytest.fixture
def expected(patched):
    """Return the gradients of the WebUI's way."""
    from hypernetwork_workbench.patches.model.host import HostDenoiser

    return gradients(HostDenoiser(), Computing("SDPA", "none"))


@pytest.fixture
def denoiser(expected, forge):
    from hypernetwork_workbench.patches.forge.denoiser import ForgeDenoiser

    return ForgeDenoiser()


@pytest.fixture
def unet(forge):
    return forge[0].forge_objects.unet.model.diffusion_model


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"unet_storage": "fp8"}, r"train\.unet_storage: this host keeps its own weights"),
        ({"compile_unet": True}, r"train\.compile_unet: this host's U-Net cannot be compiled"),
    ],
)
def test_what_is_not_done_to_the_weights_of_this_host_is_refused(pictures, tmp_path, denoiser, settings, sentence):
    ports = replace(fake_ports(tmp_path), denoiser=denoiser)
    tables = {"data": {"folder": str(pictures)}, "output": {"name": "one"}}
    make_plan(Job.from_mapping(tables), ports)
    with pytest.raises(SettingsError, match=sentence):
        make_plan(Job.from_mapping({**tables, "train": settings}), ports)


@pytest.mark.parametrize("checkpointing", ["none", "attention", "all"])
@pytest.mark.parametrize("attention", ["SDPA", "host"])
def test_gradients_are_those_of_the_webui(expected, denoiser, attention, checkpointing):
    assert_same(gradients(denoiser, Computing(attention, checkpointing)), expected)


def test_it_predicts_what_a_picture_is_made_of(denoiser, unet):
    noisy = batch()
    network = Hypernetwork.create(STRUCTURE, denoiser.widths, 0)
    with torch.inference_mode():
        plain = unet(noisy.noisy, noisy.timesteps.float(), context=noisy.conditioning.text)
    with torch.no_grad():
        assert torch.equal(denoiser.predict(noisy.noisy, noisy.timesteps, noisy.conditioning), plain)
        with denoiser.training(network, Computing("host")):
            trained = denoiser.predict(noisy.noisy, noisy.timesteps, noisy.conditioning)
    assert not torch.allclose(trained, plain)
    assert denoiser.widths == WIDTHS


def test_the_u_net_is_as_it_was_afterwards(denoiser, unet):
    def state():
        return [
            (name, module.training, sorted(vars(module)), len(module._forward_pre_hooks), len(module._forward_hooks))
            for name, module in unet.named_modules()
        ], [(name, weight.requires_grad, weight.data_ptr()) for name, weight in unet.named_parameters()]

    before, numbers = state(), [weight.clone() for weight in unet.parameters()]
    with pytest.raises(ZeroDivisionError), denoiser.training(Hypernetwork.create(STRUCTURE, WIDTHS, 0), Computing()):
        raise ZeroDivisionError
    gradients(denoiser, Computing("auto", "all"))
    assert state() == before
    assert all(torch.equal(*pair) for pair in zip(unet.parameters(), numbers, strict=True))


def test_the_memory_manager_brings_it_once_with_room_and_again_after_a_picture(denoiser, forge):
    from hypernetwork_workbench.patches import backend

    checkpoint, manager = forge
    network = Hypernetwork.create(STRUCTURE, denoiser.widths, 0)
    kept = denoiser.activations(network, (1, 64, 64))
    assert kept.none > kept.attention > 0
    one = batch(1)
    with denoiser.training(network, Computing("SDPA", "attention")):
        for _ in range(2):
            denoiser.predict(one.noisy, one.timesteps, one.conditioning)
        assert manager.asked == [(checkpoint.forge_objects.unet, kept.attention)]
        with backend.picture():
            manager.current_loaded_models.clear()
        denoiser.predict(one.noisy, one.timesteps, one.conditioning)
    assert len(manager.asked) == 2


def test_autocast_is_for_the_networks_alone(denoiser, unet, monkeypatch):
    seen = {}
    network = Hypernetwork.create(STRUCTURE, denoiser.widths, 0)

    def note(name):
        return lambda *_: seen.update({name: torch.is_autocast_enabled("cpu")})

    hooks = [
        unet.out[2].register_forward_hook(note("U-Net")),
        network.pair(32)[0].linear[0].register_forward_hook(note("network")),
    ]
    monkeypatch.setattr(denoiser, "_is_own", lambda _autocast: True)  # `ldm` has no weights in bfloat16 here
    one = batch(1)
    with denoiser.training(network, Computing("SDPA", "all")), torch.autocast("cpu", torch.bfloat16):
        denoiser.predict(one.noisy, one.timesteps, one.conditioning).sum().backward()
    for hook in hooks:
        hook.remove()
    assert seen == {"U-Net": False, "network": True}


@pytest.mark.parametrize(
    ("stored", "is_cast"), [(torch.float32, True), (torch.bfloat16, False), (torch.float16, False)]
)
def test_a_u_net_of_few_bits_computes_in_them_off_cuda(forge, monkeypatch, stored, is_cast):
    from hypernetwork_workbench.patches.forge.denoiser import ForgeDenoiser

    def seen(noisy, *_, **__):
        assert (noisy.dtype, torch.is_autocast_enabled("cpu")) == (stored, is_cast)
        return noisy

    denoiser, one = ForgeDenoiser(), batch(1)
    denoiser.dtype = stored
    monkeypatch.setattr(ForgeDenoiser, "_unet", staticmethod(seen))
    with torch.autocast("cpu", torch.bfloat16):
        assert denoiser.predict(one.noisy, one.timesteps, one.conditioning).dtype == torch.float32


class _Quantised(nn.Module):
    storage_dtype = "nf4"


class _Flux(nn.Module):
    in_channels = 64


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda model: setattr(model, "diffusion_model", _Quantised()), "on weights quantised as NF4; load"),
        (lambda model: setattr(model, "diffusion_model", nn.Linear(1, 1)), "this checkpoint has a Linear"),
        (lambda model: setattr(model, "diffusion_model", _Flux()), "this checkpoint has a _Flux"),
        (lambda model: setattr(model.diffusion_model, "in_channels", 9), r"beside the text \(9 channels\)"),
        (lambda model: setattr(model.diffusion_model, "num_classes", "sequential"), "pix2pix and unCLIP do; train on"),
        (lambda model: setattr(model.predictor, "prediction_type", "const"), r"neither noise nor velocity \(const\)"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_before_a_run_begins(forge, change, sentence):
    from hypernetwork_workbench.patches.runs import training

    training.require_training()
    change(forge[0].forge_objects.unet.model)
    with pytest.raises(TrainingError, match=sentence):
        training.require_training()
