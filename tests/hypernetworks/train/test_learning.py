"""Gradients, optimizers, schedules, noise and losses against what they should be."""

import itertools
import math
import sys

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.base.intervals import parse_interval
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.train import trainer
from hypernetwork_workbench.hypernetworks.train.loss import diffusion_loss, min_snr_weights
from hypernetwork_workbench.hypernetworks.train.noise import (
    NoiseProcess,
    NoisyBatch,
    as_chosen,
    zero_terminal_snr,
)
from hypernetwork_workbench.hypernetworks.train.optim.precision import Precision, clip
from hypernetwork_workbench.hypernetworks.train.optim.warmup_schedules import KINDS, WarmupSchedule
from hypernetwork_workbench.hypernetworks.train.rate_finder import find_rate
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings

from tests.support.fake_ports import FakeDenoiser, fake_ports
from tests.support.optimizers import every
from tests.support.runs import make_job, same, weights


def gradients_of(monkeypatch, pictures, folder, **changes):
    seen = []
    original = trainer.clip

    def spy(parameters, kind, limit):
        seen.append([parameter.grad.clone() for parameter in parameters])
        return original(parameters, kind, limit)

    monkeypatch.setattr(trainer, "clip", spy)
    train(
        make_job(
            pictures,
            train__max_steps=1,
            output__sheet=False,
            data__caption_dropout=0.0,
            network__dropout_structure="",
            **changes,
        ),
        fake_ports(folder),
    )
    return seen[0]


def test_the_gradient_of_k_batches_is_that_of_one_batch_of_k(monkeypatch, pictures, tmp_path):
    # Noise is drawn by place, so that the same noise is asked for: one generator for the whole step.
    monkeypatch.setattr(trainer.Trainer, "noisy_batches", fixed_noise)
    one = gradients_of(monkeypatch, pictures, tmp_path / "a", data__batch_size=5)
    for size, accumulation in ((1, 5), (2, 3), (3, 2)):
        many = gradients_of(
            monkeypatch,
            pictures,
            tmp_path / f"b{size}",
            data__batch_size=size,
            train__gradient_accumulation=accumulation,
        )
        for ours, theirs in zip(many, one, strict=True):
            # Sums in another order differ in their last digits, also where they are nearly 0.
            assert (ours - theirs).abs().max() <= 1e-6 * theirs.abs().max()


def fixed_noise(self, batches):
    for indices in batches.micro_batches:
        noise = torch.stack([torch.randn(4, 4, 4, generator=torch.Generator().manual_seed(i)) for i in indices])
        timesteps = torch.tensor([11 * index for index in indices])
        batch = self.data.batch(indices, batches.epoch)
        yield self.noise.apply(batch.latents, batch.conditioning, timesteps, noise)


@pytest.mark.parametrize("kind", ["norm", "value"])
def test_clipping_bounds_the_true_gradient(kind):
    parameter = torch.nn.Parameter(torch.zeros(8))
    parameter.grad = torch.full((8,), 3.0)
    assert clip([parameter], kind, 0.5).item() == pytest.approx(3 * math.sqrt(8))
    size = parameter.grad.norm() if kind == "norm" else parameter.grad.abs().max()
    assert size.item() == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("has_public_norm", [True, False])
def test_without_clipping_the_norm_is_reported_and_the_gradient_stays(monkeypatch, has_public_norm):
    if not has_public_norm:
        monkeypatch.delattr(torch.nn.utils, "get_total_norm", raising=False)
    parameters = [torch.nn.Parameter(torch.zeros(8)) for _ in range(3)]
    for parameter in parameters[:2]:
        parameter.grad = torch.full((8,), 1e30)
    assert clip(parameters, "none", 0.5).item() == math.inf
    for parameter in parameters[:2]:
        parameter.grad = torch.full((8,), 3.0)
    assert clip(parameters, "none", 0.5).item() == pytest.approx(12.0)
    assert all(torch.equal(parameter.grad, torch.full((8,), 3.0)) for parameter in parameters[:2])


def test_clipping_comes_after_unscaling():
    class Scaler:
        def get_scale(self):
            return 1024.0

        def unscale_(self, optimizer):
            for group in optimizer.param_groups:
                for weight in group["params"]:
                    weight.grad /= 1024.0

    parameter = torch.nn.Parameter(torch.zeros(4))
    parameter.grad = torch.full((4,), 1024.0)
    precision = Precision("fp32", torch.device("cpu"))
    precision._scaler = Scaler()
    precision.unscale(torch.optim.SGD([parameter], lr=1.0))
    assert clip([parameter], "norm", 10.0).item() == pytest.approx(2.0)
    assert parameter.grad.norm().item() == pytest.approx(2.0)


@pytest.mark.skipif(not hasattr(torch.amp, "GradScaler"), reason="this torch has no scaler for the CPU")
def test_a_scaled_step_that_is_left_out_does_not_stop_the_next_one():
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    precision = Precision("fp32", torch.device("cpu"))
    precision._scaler = torch.amp.GradScaler("cpu")
    for factor in (float("nan"), 1.0):
        precision.backward((parameter * factor).sum())
        precision.unscale(optimizer)
        if math.isfinite(factor):
            precision.step(optimizer)
        else:
            precision.skip()
        optimizer.zero_grad()
    assert torch.allclose(parameter, torch.full((2,), 0.9))


def test_fp16_is_refused_on_the_cpu(pictures, tmp_path):
    with pytest.raises(SettingsError, match=r"^train\.precision: fp16 needs a GPU"):
        train(make_job(pictures, train__precision="fp16"), fake_ports(tmp_path))


@pytest.mark.filterwarnings("ignore:torch.cuda.amp.GradScaler is enabled")
@pytest.mark.parametrize(
    ("model", "want"),
    [(torch.float32, None), (torch.float16, torch.float16), (torch.bfloat16, torch.bfloat16)],
)
def test_a_gpu_takes_what_the_model_is_in_and_the_cpu_float32(model, want):
    assert Precision("auto", torch.device("cuda"), model).dtype == want
    assert Precision("auto", torch.device("cpu"), model).dtype is None


@pytest.mark.filterwarnings("ignore:torch.cuda.amp.GradScaler is enabled")
def test_the_loss_is_scaled_wherever_gradients_go_through_fp16():
    def is_scaled(name, model, device="cuda"):
        return Precision(name, torch.device(device), model)._scaler is not None

    assert is_scaled("fp16", torch.float32)
    assert all(is_scaled(name, torch.float16) for name in ("fp32", "bf16", "fp16"))
    assert not any(is_scaled(name, model) for name in ("fp32", "bf16") for model in (torch.float32, torch.bfloat16))
    assert not is_scaled("fp32", torch.float32, "cpu")


def test_bf16_trains(pictures, tmp_path):
    result = train(make_job(pictures, train__precision="bf16"), fake_ports(tmp_path))
    assert result.skipped_steps == 0


@pytest.mark.parametrize("name", every())
def test_every_optimizer_trains_repeats_and_moves_the_weights(pictures, tmp_path, name):
    changes = {"optimizer__name": name, "schedule__rate": "0.001", "output__sheet": False}
    first = train(make_job(pictures, **changes), fake_ports(tmp_path / "a"))
    second = train(make_job(pictures, **changes, preview__every="2"), fake_ports(tmp_path / "b"))
    still = train(make_job(pictures, **changes, train__max_steps=1), fake_ports(tmp_path / "c"))
    assert same(weights(first.network), weights(second.network))
    assert not same(weights(first.network), weights(still.network))


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("AdamW", "betas=(0.9, 0.99), colour=3", "AdamW has no option colour; it has betas"),
        ("AdamW", "weight_decay", "must have the form key=value"),
        ("AdamW", "weight_decay=", "must have the form key=value"),
        ("AdamW", "weight_decay=__import__('os')", "the value of weight_decay must be a number"),
        ("AdamW", "lr=3", "has no option lr"),
        ("Prodigy", "d_cof=2", "Prodigy has no option d_cof"),
    ],
)
def test_wrong_optimizer_options_are_named(pictures, name, text, reason):
    with pytest.raises(SettingsError, match=r"^optimizer\.arguments: ") as caught:
        make_job(pictures, optimizer__name=name, optimizer__arguments=text)
    assert reason in str(caught.value)


def test_a_value_the_optimizer_refuses_is_reported(pictures, tmp_path):
    job = make_job(pictures, optimizer__arguments="weight_decay=-1.0")
    with pytest.raises(SettingsError, match=r"^optimizer\.arguments: AdamW refuses them: .*weight_decay"):
        train(job, fake_ports(tmp_path))


def test_a_missing_package_is_named(pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(SettingsError, match=r"^optimizer\.name: AdamW8bit needs the package bitsandbytes"):
        train(make_job(pictures, optimizer__name="AdamW8bit"), fake_ports(tmp_path))


@pytest.mark.parametrize("kind", list(KINDS))
def test_warmup_schedules_rise_to_the_rate_and_stay_in_bounds(kind):
    schedule = WarmupSchedule(kind, 1e-3, 1e-5, warmup=10, steps=100)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[10] == pytest.approx(1e-3)
    assert all(a < b for a, b in itertools.pairwise(rates[:11]))
    assert all(1e-5 <= rate <= 1e-3 * (1 + 1e-9) for rate in rates)
    falling = all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert falling != (kind == "constant")


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("0", 0),
        ("100", 100),
        (" 10 epochs", 70),
        ("1 Epoch", 7),
        ("0.5 epochs", 4),
        ("12 steps", 12),
        ("1e3", 1000),
        ("10エポック", 70),
        ("12ステップ", 12),
        ("2 轮", 14),
        ("12 步", 12),
    ],
)
def test_lengths_are_steps_or_epochs(text, steps):
    assert parse_interval("every", text, 7) == steps


@pytest.mark.parametrize("text", ["", "ten", "-3", "1.5", "3 days", "nan", "9" * 10, "9" * 400, "9" * 400 + " epochs"])
def test_other_lengths_are_refused(text):
    with pytest.raises(SettingsError, match=r"^every: "):
        parse_interval("every", text, 7)


ALPHAS = torch.linspace(0.999, 0.0, 1000)


def draw(settings, prediction="epsilon", step=0, cycle=0, count=512):
    process = NoiseProcess(ALPHAS, prediction, settings, cycle)
    latents = torch.zeros(count, 4, 8, 8)
    return process.draw(latents, torch.zeros(count, 1, 1), step, torch.Generator().manual_seed(0))


def test_timesteps_stay_in_their_range_and_fill_it():
    batch = draw(LossSettings(min_timestep=100, max_timestep=120))
    assert (batch.timesteps.min(), batch.timesteps.max()) == (100, 120)


def test_pure_noise_is_left_out_for_epsilon_alone():
    assert NoiseProcess(ALPHAS, "epsilon", LossSettings()).timestep_range(0) == (0, 998)
    assert NoiseProcess(ALPHAS, "v", LossSettings()).timestep_range(0) == (0, 999)


def test_the_noise_scheduler_raises_the_highest_timestep():
    once = NoiseProcess(ALPHAS, "v", LossSettings(), cycle=10)
    again = NoiseProcess(ALPHAS, "v", LossSettings(noise_restarts=True), cycle=10)
    assert [once.timestep_range(step)[1] for step in (0, 5, 10, 15)] == [0, 499, 999, 999]
    assert [again.timestep_range(step)[1] for step in (0, 5, 10, 15)] == [0, 499, 0, 499]


def test_the_targets_of_epsilon_and_v_rebuild_the_latents():
    latents = torch.randn(6, 4, 8, 8)
    timesteps, noise = torch.tensor([0, 100, 400, 700, 900, 990]), torch.randn(6, 4, 8, 8)
    signal = ALPHAS[timesteps].view(-1, 1, 1, 1)
    for prediction in ("epsilon", "v"):
        batch = NoiseProcess(ALPHAS, prediction, LossSettings()).apply(latents, torch.zeros(6, 1, 1), timesteps, noise)
        if prediction == "epsilon":
            rebuilt = (batch.noisy - (1 - signal).sqrt() * batch.target) / signal.sqrt()
        else:
            rebuilt = signal.sqrt() * batch.noisy - (1 - signal).sqrt() * batch.target
        assert torch.allclose(rebuilt, latents, atol=1e-4)


def test_zero_terminal_snr_moves_and_scales_the_roots():
    moved = zero_terminal_snr(torch.tensor([0.81, 0.25, 0.01]))  # roots 0.9, 0.5, 0.1
    assert moved.tolist() == pytest.approx([0.81, 0.2025, 0.0])
    assert torch.equal(zero_terminal_snr(moved), moved)


def test_prediction_and_schedule_are_those_of_the_checkpoint_or_of_the_settings(tmp_path):
    ports = fake_ports(tmp_path)
    assert as_chosen(ports, LossSettings()) is ports
    chosen = as_chosen(ports, LossSettings(prediction="v", noise_schedule="zero terminal SNR"))
    assert (chosen.denoiser.prediction, chosen.denoiser.alphas_cumprod[-1].item()) == ("v", 0.0)
    assert (ports.denoiser.prediction, ports.denoiser.alphas_cumprod[-1].item()) == ("epsilon", pytest.approx(0.01))
    prediction, schedule = chosen.previewer.taken_for
    assert prediction == "v"
    assert torch.equal(schedule, chosen.denoiser.alphas_cumprod)


@pytest.mark.parametrize("work", [train, find_rate])
def test_a_run_takes_the_prediction_of_the_settings(tmp_path, pictures, work):
    seen = []
    for place, own, chosen in (("a", "v", "of the checkpoint"), ("b", "epsilon", "v"), ("c", "epsilon", "epsilon")):
        ports = fake_ports(tmp_path / place)
        ports.denoiser.prediction = own
        job = make_job(pictures, loss__prediction=chosen, train__max_steps=4, train__validation_share=0.5)
        result = work(job, ports)
        seen.append(
            (result.loss_last, result.validation_loss)
            if work is train
            else [(trial.rate, trial.loss) for trial in result.trials]
        )
    assert str(seen[0]) == str(seen[1])
    assert str(seen[0]) != str(seen[2])


def test_noise_offset_moves_whole_channels():
    plain, offset = (draw(LossSettings(noise_offset=value)).target for value in (0.0, 0.5))
    assert plain.mean((2, 3)).std().item() == pytest.approx(1 / 8, rel=0.15)
    assert offset.mean((2, 3)).std().item() == pytest.approx(math.sqrt(1 / 64 + 0.25), rel=0.15)
    still = draw(LossSettings(adaptive_noise_offset=0.5)).target
    assert torch.allclose(still.mean((2, 3)).std(), plain.mean((2, 3)).std(), rtol=0.15)  # latents of mean 0


def test_multi_resolution_noise_has_unit_size_and_coarse_parts():
    noise = draw(LossSettings(multires_iterations=6, multires_discount=0.8)).target
    assert noise.std().item() == pytest.approx(1.0, rel=0.02)
    assert noise.mean((2, 3)).std() > 2 / 8


def batch_at(timesteps):
    generator = torch.Generator().manual_seed(1)
    count = len(timesteps)
    return NoisyBatch(
        torch.randn(count, 4, 4, 4, generator=generator),
        timesteps,
        Conditioning(torch.zeros(count, 5, 12)),
        torch.randn(count, 4, 4, 4, generator=generator),
    )


def test_min_snr_weights_follow_the_paper():
    denoiser = FakeDenoiser()
    denoiser.alphas_cumprod = ALPHAS
    timesteps = torch.tensor([10, 500, 999])
    snr = ALPHAS[timesteps] / (1 - ALPHAS[timesteps])
    weights_ = min_snr_weights(denoiser, timesteps, 5.0)
    assert weights_[:2].tolist() == pytest.approx((snr.clamp(max=5.0) / snr)[:2].tolist(), rel=1e-4)
    assert weights_[2].item() == pytest.approx(1.0)
    denoiser.prediction = "v"
    v = min_snr_weights(denoiser, timesteps, 5.0)
    assert v[:2].tolist() == pytest.approx((snr.clamp(max=5.0) / (snr + 1))[:2].tolist(), rel=1e-4)
    assert v[2].item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("kind", ["huber", "scheduled huber"])
def test_huber_is_the_square_near_zero_and_straight_far_off(kind):
    denoiser = FakeDenoiser()
    timesteps = torch.tensor([99])
    batch = batch_at(timesteps)
    for scale, exponent in ((1e-3, 2), (1e3, 1)):
        losses = []
        for factor in (1.0, 2.0):
            target = batch.noisy + scale * factor
            scaled = NoisyBatch(batch.noisy, timesteps, batch.conditioning, target)
            losses.append(diffusion_loss(denoiser, scaled, LossSettings(kind=kind)).item())
        assert losses[1] / losses[0] == pytest.approx(2**exponent, rel=0.01)


def test_the_average_of_weights_is_what_is_saved(pictures, tmp_path):
    plain = train(make_job(pictures), fake_ports(tmp_path / "a"))
    averaged = train(make_job(pictures, train__ema_decay=0.99), fake_ports(tmp_path / "b"))
    start = Hypernetwork.create(Structure(activation="relu", dropout_structure=(0, 0.2, 0)), (12,), 3)

    def moved(result):
        found = weights(result.network)
        return sum(((found[name] - weight) ** 2).sum() for name, weight in start.state_dict().items()).item()

    assert 0 < moved(averaged) < moved(plain)
