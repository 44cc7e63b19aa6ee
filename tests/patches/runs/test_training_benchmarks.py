"""The benchmarks of training and data run, on a tiny model and in no time; what they find is not the matter here."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from benchmarks import data, scale, training
from benchmarks.clock import percentile, spread
from benchmarks.scale import logs
from benchmarks.training_cases import Case

TINY = Case("tiny", 64, batch_size=2)


@pytest.fixture
def tiny(patched, monkeypatch):
    @contextmanager
    def loaded(_case):
        yield patched

    monkeypatch.setattr(training, "loaded", loaded)
    monkeypatch.setattr(training, "_SHORT_TURN_S", 0.0)
    monkeypatch.setattr(training, "_in_own_process", training.peak_mb)
    return patched


@pytest.mark.long("test_both_sides_train_the_network")
def test_a_case_has_times_ratios_and_peaks_and_leaves_the_model_alone(tiny):
    unet = tiny.model.model.diffusion_model
    forwards = {type(module).forward for module in unet.modules()}
    case = training.measure_case(TINY, 2)
    assert {
        "model",
        "px",
        "ours_s",
        "ours_s_p10",
        "ours_s_p90",
        "reference_s",
        "reference_s_p10",
        "reference_s_p90",
        "limit_s",
        "speedup",
        "to_limit",
        "processor_speedup",
        "ours_peak_mb",
        "reference_peak_mb",
    } <= case.keys()
    assert case["ours_s_p10"] <= case["ours_s"] <= case["ours_s_p90"]
    assert {type(module).forward for module in unet.modules()} == forwards
    assert all(parameter.grad is None for parameter in unet.parameters())


def test_memory_too_little_to_be_seen_gives_no_ratio(tiny, monkeypatch):
    monkeypatch.setattr(training, "_in_own_process", lambda _case, _side: 0.0)
    case = training.measure_case(TINY, 1)
    assert (case["ours_peak_mb"], case["reference_peak_mb"], case["memory_ratio"]) == (0.0, 0.0, None)


def test_both_sides_train_the_network(tiny, tmp_path):
    from benchmarks.training_cases import make_trainer_for

    trainer, _ = make_trainer_for(TINY, tmp_path)
    sides = training.Sides(trainer, tiny.model.model.diffusion_model)
    for side in (training.OURS, training.REFERENCE):
        before = [weight.detach().clone() for weight in trainer.state.network.parameters()]
        assert len(sides.take(side, 2)) >= 2
        after = trainer.state.network.parameters()
        assert any(not torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_the_limit_trains_nothing_and_runs_no_network(tiny, tmp_path, monkeypatch):
    from benchmarks.training_cases import make_trainer_for

    trainer, _ = make_trainer_for(TINY, tmp_path)
    network, sides = trainer.state.network, training.Sides(trainer, tiny.model.model.diffusion_model)
    before = [weight.detach().clone() for weight in network.parameters()]
    ran, backward = [], []
    for module in network.modules():
        module.register_forward_hook(lambda *_: ran.append(1))
    real = torch.Tensor.backward
    monkeypatch.setattr(torch.Tensor, "backward", lambda self: (backward.append(self.item()), real(self))[1])
    assert len(sides.take(training.LIMIT, 2)) >= 2
    assert len(backward) >= 3
    assert not ran
    assert all(torch.equal(one, other) for one, other in zip(before, network.parameters(), strict=True))


def test_data_is_measured(tiny, monkeypatch):
    monkeypatch.setattr(data, "PICTURES", (3, 6))
    monkeypatch.setattr(data, "CASE", TINY)
    monkeypatch.setattr(data, "_ENCODED_PICTURES", 3)
    monkeypatch.setattr(data, "_ENCODED_PX", 64)
    monkeypatch.setattr(data, "_TURN_STEPS", 1)
    monkeypatch.setattr(data, "_TURNS", 1)
    monkeypatch.setattr(data, "_SETTLED", 2)
    monkeypatch.setattr(data, "_SAMPLED_EVERY", 1)
    first, second = data.second_start(1)
    assert (first["ratio"], second["pictures"]) == (1.0, 3)
    assert [case["pictures"] for case in data.steps_over_many(1)] == [3, 6]
    assert abs(data.memory_over_steps(6)["slope_kb_per_step"]) < 1e6


def test_every_case_of_scale_is_measured_in_each_round(tiny, monkeypatch):
    monkeypatch.setattr(scale, "loaded", training.loaded)
    monkeypatch.setattr(scale, "PICTURES", (3,))
    monkeypatch.setattr(scale, "_LARGE_PX", 64)
    monkeypatch.setattr(logs, "STEPS", (20, 40))
    cases = scale.measure(2)["cases"]
    assert cases[: len(cases) // 2] != cases[len(cases) // 2 :]
    names = [(case["case"], case.get("pictures", case.get("steps"))) for case in cases]
    assert names[: len(names) // 2] == names[len(names) // 2 :]
    of_many = [(name, 3) for name in ("check", "survey", "the same again", "start to first step, random latents")]
    first, *many, large, one, other = names[: len(names) // 2]
    assert first == ("first step, encoded by the model", 16)
    assert many == of_many
    assert (large, one, other) == (("1 MP, encoded by the model", 16), ("log", 20), ("log", 40))
    assert all(case["processor_s"] >= 0 and case["peak_mb"] >= 0 for case in cases if "peak_mb" in case)
    assert all(case["step_ms"] > 0 for case in cases if "step_ms" in case)


def test_spread():
    assert spread("s", [3.0, 1.0, 2.0]) == {"s": 2.0, "s_p10": 1.2, "s_p90": 2.8}
    assert percentile([5.0], 90) == 5.0
