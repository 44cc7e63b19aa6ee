"""A preview between two steps: made without dropout, and the step after it is the same as without it."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
from hypernetwork_workbench.hypernetworks.ports import PictureRequest
from hypernetwork_workbench.hypernetworks.train.noise import zero_terminal_snr

from tests.support.networks import random_network

REQUEST = PictureRequest("a red circle", 7, 64, 64, sampler="Euler a", steps=2)


@pytest.fixture
def network(patched):
    from hypernetwork_workbench.patches.model import host

    return random_network(3, widths=host.model_widths(), dropout_structure=(0, 0.5, 0))


def picture(network):
    from hypernetwork_workbench.patches.model.previews import HostPreviewer

    return HostPreviewer().generate([REQUEST], network, 1.0)[0].tobytes()


def dropped(network):
    return torch.cat(network.transform(torch.ones(2, 5, network.widths[0])))


def test_a_preview_has_no_dropout_and_leaves_the_mode(network):
    settled = picture(network.eval())
    assert settled != picture(None)
    assert not any(module.training for module in network.modules())
    assert picture(network.train()) == settled
    assert all(module.training for module in network.modules())


def test_a_preview_changes_no_dropout_of_the_step_after_it(network):
    network.train()
    torch.manual_seed(11)
    alone = dropped(network)
    torch.manual_seed(11)
    picture(network)
    assert torch.equal(dropped(network), alone)
    assert not torch.equal(dropped(network), alone)  # else there is no dropout


def test_a_preview_that_fails_leaves_mode_and_generators(patched, network, monkeypatch):
    from modules import processing

    def fail(*_):
        torch.rand(3)
        raise InterruptedError

    monkeypatch.setattr(processing, "process_images", fail)
    network.train()
    before = torch.get_rng_state()
    with pytest.raises(InterruptedError):
        picture(network)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(module.training for module in network.modules())
    assert not patched.module("shared").loaded_hypernetworks


def test_a_preview_takes_the_model_for_what_the_settings_say_and_leaves_it_as_it_is(patched, network):
    from hypernetwork_workbench.patches.model.previews import HostPreviewer

    model = patched.module("shared").sd_model
    before = model.parameterization, model.alphas_cumprod
    schedule = zero_terminal_snr(model.alphas_cumprod)

    def taken_for(prediction, alphas):
        previewer = HostPreviewer().predicting(prediction, alphas)
        return previewer.generate([REQUEST], network, 1.0)[0].tobytes()

    assert taken_for("epsilon", model.alphas_cumprod) == picture(network)
    as_v, with_zero = taken_for("v", model.alphas_cumprod), taken_for("epsilon", schedule)
    assert (model.parameterization, model.alphas_cumprod) == before
    assert len({as_v, with_zero, picture(network)}) == 3
    model.parameterization = "v"
    assert as_v == picture(network)
    model.parameterization = before[0]


def test_the_schedule_is_the_checkpoints_and_not_that_of_the_last_picture(patched, monkeypatch):
    from hypernetwork_workbench.patches.model.host import HostDenoiser

    model, options = patched.module("shared").sd_model, patched.module("shared").opts
    own = model.alphas_cumprod
    monkeypatch.setattr(model, "alphas_cumprod_original", own, raising=False)
    # A buffer that pytest sets as an attribute is taken away afterwards.
    monkeypatch.setitem(model._buffers, "alphas_cumprod", zero_terminal_snr(own).half())
    assert torch.equal(HostDenoiser().alphas_cumprod, own)
    monkeypatch.setitem(options.data, "sd_noise_schedule", "Zero Terminal SNR")
    assert torch.equal(HostDenoiser().alphas_cumprod, zero_terminal_snr(own))


@pytest.mark.parametrize(("channels", "key"), [(9, "hybrid"), (8, "hybrid"), (5, "hybrid"), (4, "crossattn-adm")])
def test_a_model_that_takes_a_picture_too_is_refused_by_one_sentence(patched, monkeypatch, channels, key):
    from hypernetwork_workbench.patches.model.host import HostDenoiser, unet

    monkeypatch.setattr(unet(), "in_channels", channels)
    monkeypatch.setattr(patched.module("shared").sd_model.model, "conditioning_key", key, raising=False)
    with pytest.raises(TrainingError, match=rf"takes a picture beside the text \({channels} channels\)"):
        HostDenoiser()
