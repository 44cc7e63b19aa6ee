"""What a U-Net predicts and how much signal is left, read from both ways in which the hosts hold a schedule."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError

SIGNAL = torch.linspace(0.99, 0.01, 10)


class EPS:
    sigmas = ((1 - SIGNAL) / SIGNAL) ** 0.5


class V_PREDICTION(EPS):  # noqa: N801
    pass


class EDM(V_PREDICTION):
    pass


class X0(EPS):
    pass


class ModelSamplingDiscrete:
    pass


class ModelSamplingContinuousEDM:
    pass


def reforge(steps, kind):
    return SimpleNamespace(model_sampling=type("ModelSampling", (steps, kind), {})())


def forge(kind, **more):
    return SimpleNamespace(predictor=SimpleNamespace(prediction_type=kind, sigmas=EPS.sigmas, **more))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (forge("epsilon", alphas_cumprod=SIGNAL), "epsilon"),
        (forge("v_prediction", alphas_cumprod=SIGNAL), "v"),
        (reforge(ModelSamplingDiscrete, EPS), "epsilon"),
        (reforge(ModelSamplingDiscrete, V_PREDICTION), "v"),
    ],
)
def test_noise_and_velocity_are_known_with_their_signal(host, model, expected):
    from hypernetwork_workbench.patches.forge import schedules

    assert schedules.prediction(model) == expected
    assert torch.allclose(schedules.signal(model), SIGNAL, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        forge("const"),
        forge("edm", alphas_cumprod=SIGNAL),
        forge("v_prediction"),
        reforge(ModelSamplingContinuousEDM, V_PREDICTION),
        reforge(ModelSamplingDiscrete, EDM),
        reforge(ModelSamplingDiscrete, X0),
        reforge(ModelSamplingDiscrete, object),
    ],
)
def test_anything_else_is_refused(host, model):
    from hypernetwork_workbench.patches.forge import schedules

    with pytest.raises(TrainingError, match="neither noise nor velocity"):
        schedules.prediction(model)


@pytest.mark.parametrize(("kind", "px"), [("epsilon", 512), ("v_prediction", 768), ("edm", 512)])
def test_the_size_of_a_form_follows_what_sd2_predicts(request, monkeypatch, kind, px):
    from hypernetwork_workbench.patches.tabs import start_size

    checkpoint, _ = request.getfixturevalue("forge")  # `forge` is the helper above
    monkeypatch.setattr(checkpoint.forge_objects.unet.model.predictor, "prediction_type", kind)
    monkeypatch.setattr(start_size.attention_layers, "loaded_widths", lambda: (1024, 320))
    assert start_size.usual_px() == px


@pytest.mark.parametrize("where", ["option", "Forge's checkpoint", "reForge's checkpoint"])
def test_a_schedule_that_ends_without_signal_is_that_of_pictures(host, monkeypatch, where):
    from hypernetwork_workbench.patches.forge import schedules

    shared = host.module("shared")
    if where == "option":
        monkeypatch.setitem(shared.opts.data, "sd_noise_schedule", "Zero Terminal SNR")
    elif where == "Forge's checkpoint":
        monkeypatch.setattr(shared.sd_model, "model_config", SimpleNamespace(ztsnr=True), raising=False)
    else:
        monkeypatch.setattr(shared.sd_model, "ztsnr", True, raising=False)
    found = schedules.signal(forge("epsilon"))
    assert found[0] == pytest.approx(SIGNAL[0])
    assert found[-1] == 0


class _Settable:
    def set_sigmas(self, sigmas):
        self.sigmas = sigmas


@pytest.mark.parametrize("kind", ["Forge", "reForge"])
def test_pictures_may_take_the_u_net_for_another_for_a_while(host, monkeypatch, kind):
    from hypernetwork_workbench.patches.forge import schedules

    model = reforge(type("ModelSamplingDiscrete", (_Settable,), {"__module__": __name__}), EPS)
    if kind == "Forge":
        model = SimpleNamespace(predictor=_Settable())
        vars(model.predictor).update(prediction_type="epsilon", alphas_cumprod=SIGNAL, sigmas=EPS.sigmas)
    shared = host.module("shared")
    monkeypatch.setitem(shared.opts.data, "sd_noise_schedule", "Zero Terminal SNR")
    wanted = SIGNAL.flip(0).sort(descending=True).values * 0.5
    wanted[-1] = 0
    with schedules.taken_for(model, "v", wanted):
        assert schedules.prediction(model) == "v"
        assert torch.allclose(schedules.signal(model), wanted, atol=1e-6)
        assert shared.opts.data["sd_noise_schedule"] == "Default"
    assert schedules.prediction(model) == "epsilon"
    assert schedules.schedule_of(model).sigmas is EPS.sigmas
    assert shared.opts.data["sd_noise_schedule"] == "Zero Terminal SNR"


def test_a_host_that_goes_back_to_an_earlier_schedule_after_each_picture_goes_back_to_this_one(host, monkeypatch):
    from hypernetwork_workbench.patches.forge import schedules

    checkpoint = SimpleNamespace(sigmas_original=EPS.sigmas, alphas_cumprod=SIGNAL, alphas_cumprod_original=SIGNAL)
    monkeypatch.setattr(host.module("shared"), "sd_model", checkpoint)
    model = reforge(type("ModelSamplingDiscrete", (_Settable,), {"__module__": __name__}), EPS)
    wanted = SIGNAL * 0.5

    def picture():
        """End a picture as reForge does, once it has made one without signal at the end."""
        model.model_sampling.set_sigmas(checkpoint.sigmas_original)
        checkpoint.alphas_cumprod = checkpoint.alphas_cumprod_original

    with schedules.taken_for(model, "v", wanted):
        for _ in range(2):
            assert torch.allclose(schedules.signal(model), wanted, atol=1e-6)
            assert torch.equal(checkpoint.alphas_cumprod, wanted)
            picture()
    assert schedules.schedule_of(model).sigmas is EPS.sigmas
    assert checkpoint.sigmas_original is EPS.sigmas
    assert checkpoint.alphas_cumprod is checkpoint.alphas_cumprod_original is SIGNAL


def test_what_the_host_does_not_keep_is_not_added(host, monkeypatch):
    from hypernetwork_workbench.patches.forge import schedules

    checkpoint = SimpleNamespace()
    monkeypatch.setattr(host.module("shared"), "sd_model", checkpoint)
    model = reforge(type("ModelSamplingDiscrete", (_Settable,), {"__module__": __name__}), EPS)
    with schedules.taken_for(model, "v", SIGNAL * 0.5):
        assert not vars(checkpoint)


def test_what_a_first_picture_makes_the_host_keep_is_forgotten(host, monkeypatch):
    from hypernetwork_workbench.patches.forge import schedules

    checkpoint = SimpleNamespace(alphas_cumprod=SIGNAL)
    monkeypatch.setattr(host.module("shared"), "sd_model", checkpoint)
    model = reforge(type("ModelSamplingDiscrete", (_Settable,), {"__module__": __name__}), EPS)
    with schedules.taken_for(model, "v", SIGNAL * 0.5):
        checkpoint.sigmas_original = schedules.schedule_of(model).sigmas
        checkpoint.alphas_cumprod_original = checkpoint.alphas_cumprod
    assert vars(checkpoint) == {"alphas_cumprod": SIGNAL}
