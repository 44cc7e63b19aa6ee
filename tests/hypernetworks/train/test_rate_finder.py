"""Trials of rates on the fakes: the same start, batches, noise and samples for each, and nothing left behind."""

import itertools
import random

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.data.encoding import encode_parts
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.train import make_plan, rate_trials
from hypernetwork_workbench.hypernetworks.train.optim.precision import Precision
from hypernetwork_workbench.hypernetworks.train.optim.schedules import parse, rates
from hypernetwork_workbench.hypernetworks.train.optim.step_schedule import with_highest
from hypernetwork_workbench.hypernetworks.train.rate_finder import find_rate
from hypernetwork_workbench.hypernetworks.train.rate_search import Horizons
from hypernetwork_workbench.hypernetworks.train.rate_trials import RateTrials, ShortenedSchedule, measured_part
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.state import make_state
from hypernetwork_workbench.hypernetworks.train.trainer import make_trainer

from tests.support.fake_ports import TEXT_WIDTH, FakeProgress, fake_ports
from tests.support.runs import make_job, weights


def job_of(pictures, **changes):
    return make_job(pictures, **{"train__max_steps": 60, "output__sheet": False, "schedule__rate": "1", **changes})


class Trials:
    """Trials of a job whose schedule has 1 as its highest rate, on the fakes."""

    def __init__(self, folder, job):
        ports = fake_ports(folder)
        plan = make_plan(job, ports)
        training, measured = encode_parts((plan.training, measured_part(plan.training)), ports, plan.cache)
        self.network = plan.network
        self.trainer = make_trainer(plan, ports.denoiser, training, make_state(job, plan.network, ports.denoiser))
        self.of_rates = RateTrials(self.trainer, plan.end_step, measured, lambda rate: None)

    def losses(self, *tried):
        with self.of_rates.working() as start:
            return start, *[self.of_rates.measure(*one).losses for one in tried]


OPTIMIZERS = ["AdamW", "SGD", "Lion", "ScheduleFreeAdamW", "Adagrad"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("on_cpu", [False, True])
def test_every_trial_starts_from_the_same_weights_and_optimizer(pictures, tmp_path, optimizer, on_cpu):
    job = job_of(pictures, optimizer__name=optimizer, train__optimizer_on_cpu=on_cpu)
    trials = Trials(tmp_path / "a", job)
    start, first, _, again, _, short, same_start = trials.losses(
        (1e-4, 12), (3.0, 12), (1e-4, 12), (1e30, 3), (1e-5, 5), (0.0, 1)
    )
    assert torch.equal(first, again), "as if the other trials had not been"
    assert torch.equal(start, same_start)
    alone = Trials(tmp_path / "a", job)
    assert torch.equal(alone.losses((1e-5, 5))[1], short)
    assert not torch.equal(first, start)


def test_a_trial_as_long_as_the_run_is_the_run(pictures, tmp_path):
    for schedule in ({}, {"schedule__kind": "cosine", "schedule__warmup": 2}):
        job = job_of(pictures, train__max_steps=12, **schedule)
        trials = Trials(tmp_path / "a", job)
        trials.losses((0.02, 12))
        tried = {name: weight.clone() for name, weight in trials.network.state_dict().items()}
        run = job_of(pictures, train__max_steps=12, output__name="run", output__overwrite=True, **schedule)
        run = type(run).from_mapping({**run.to_mapping(), "schedule": {**run.schedule.to_mapping(), "rate": "0.02"}})
        result = train(run, fake_ports(tmp_path / "b"))
        trained = weights(result.network)
        assert all(torch.allclose(tried[name], trained[name], atol=1e-6) for name in trained)


def test_all_rates_see_the_same_noise_and_the_samples_are_spread_over_all_timesteps(pictures, tmp_path, monkeypatch):
    trials = Trials(tmp_path / "a", job_of(pictures))
    seen, inner = [], trials.trainer.denoiser.predict

    def spy(noisy, timesteps, conditioning):
        seen.append((noisy.detach().clone(), timesteps.clone()))
        return inner(noisy, timesteps, conditioning)

    monkeypatch.setattr(trials.trainer.denoiser, "predict", spy)
    with trials.of_rates.working() as start:
        batches = []
        for rate in (1e-4, 1.0):
            seen.clear()
            trials.of_rates.measure(rate, 7)
            batches.append(list(seen))
    assert len(batches[0]) == len(batches[1]) > 7
    for (noisy, timesteps), (other_noisy, other_timesteps) in zip(*batches, strict=True):
        assert torch.equal(timesteps, other_timesteps)
        assert torch.equal(noisy, other_noisy)
    measured = torch.cat([timesteps for _, timesteps in batches[0]])[-len(start) :]
    counts = torch.histc(measured.float(), 10, 0, 100)
    assert counts.min() >= len(start) / 10 - 2
    assert len(start) >= 64


def test_a_schedule_is_gone_through_in_fewer_steps():
    whole = parse("1:50,0.1:100", 100)
    short = ShortenedSchedule(whole, 10.0, 0.5)
    assert [short.rate(step) for step in range(10)] == pytest.approx([0.5] * 5 + [0.05] * 5)


@pytest.mark.parametrize(
    ("text", "rate", "written"),
    [
        ("1e-5", 0.00345, "0.0034"),
        ("0", 0.5, "0.5"),
        ("4e-05:2000,4e-06:4000", 0.002, "0.002:2000,0.0002:4000"),
        ("1e-5:100,2e-5", 0.1, "0.05:100,0.1"),
        ("1e-6:50,1e-5:20000", 0.1, "0.1:50,1:20000"),  # only the first of them is for this run
        ("1e-6:50,1e-5:-1", 0.1, "0.01:50,0.1"),
    ],
)
def test_a_rate_is_entered_into_a_schedule_in_proportion(text, rate, written):
    assert with_highest(text, rate, 50 if "20000" in text else 4000) == written
    parse(written, 4000)


def test_the_whole_finder_tells_a_rate_that_learns_and_the_same_again(pictures, tmp_path):
    job = job_of(pictures, schedule__rate="1e-6")
    found, again = (find_rate(job, fake_ports(tmp_path / name)) for name in "ab")
    assert (found.choice, found.text) == (again.choice, again.text)
    assert [trial.loss for trial in found.trials] == [trial.loss for trial in again.trials]
    assert found.is_found
    assert found.text == f"{found.choice.rate:.2g}"
    assert found.chart().startswith("<svg")
    first, second = found.lines()
    assert f"A learning rate of {found.text} suits this run of 60 steps" in first
    assert f"{len(found.trials)} trials took {found.steps} steps" in second
    result = train(job_of(pictures, schedule__rate=found.text), fake_ports(tmp_path / "run"))
    assert result.loss_last < result.loss_first


def test_the_rates_of_a_run_in_epochs_are_those_that_were_tried(pictures, tmp_path):
    """Of rates that it does not reach, the highest is 1 in the trials as well."""
    job = job_of(pictures, train__max_steps="12 epochs", schedule__rate="1e-6:50 epochs,1e-5:500 epochs")
    found = find_rate(job, fake_ports(tmp_path))
    assert found.is_found
    assert rates(found.text) == pytest.approx([found.choice.rate / 10, found.choice.rate], rel=0.05)


def test_the_finder_leaves_everything_as_it_was_but_latents_for_the_run(pictures, tmp_path):
    ports = fake_ports(tmp_path / "ports")
    ports.network_dir.mkdir(parents=True)
    network = ports.network_dir / "ink.pt"
    files.save(Hypernetwork.create(Structure(init_std=0.1), (TEXT_WIDTH,), 1), network)
    before, frozen = network.read_bytes(), [ports.denoiser.to_k.clone(), ports.denoiser.to_v.clone()]
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    drawn = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    job = job_of(pictures, network__file=str(network), output__name="ink", data__caption_dropout=0.0)
    find_rate(job, ports)
    assert random.getstate() == drawn[0]
    assert np.random.get_state()[1].tolist() == drawn[1]
    assert torch.equal(torch.get_rng_state(), drawn[2])
    assert network.read_bytes() == before
    assert torch.equal(frozen[0], ports.denoiser.to_k)
    assert torch.equal(frozen[1], ports.denoiser.to_v)
    assert ports.denoiser.network is None
    kept = {path.suffix for path in (tmp_path / "ports").rglob("*") if path.is_file() and path != network}
    assert kept == {".safetensors", ".json"}
    ports = fake_ports(tmp_path / "ports")
    train(job_of(pictures, output__name="kept", train__max_steps=1, data__caption_dropout=0.0), ports)
    assert (ports.encoder.encoded_pictures, ports.encoder.encoded_texts) == (0, [])


@pytest.mark.parametrize("name", ["Prodigy", "DAdaptAdam", "DAdaptLion"])
def test_an_optimizer_that_finds_its_steps_itself_is_left_alone(pictures, tmp_path, name):
    found = find_rate(job_of(pictures, optimizer__name=name), fake_ports(tmp_path))
    assert not found.is_found
    assert found.lines() == [
        f"No learning rate can be told: {name} finds the size of its steps by itself; leave the learning rate at 1."
    ]
    assert found.text == ""
    assert not found.chart()


class Interrupting(FakeProgress):
    def is_interrupted(self):
        return len(self.texts) >= 30


def test_an_interrupt_ends_the_trials_and_tells_nothing(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    object.__setattr__(ports, "progress", Interrupting())
    found = find_rate(job_of(pictures), ports)
    assert not found.is_found
    assert "it was interrupted after" in found.choice.doubt
    assert found.steps <= 30
    assert ports.denoiser.network is None


def test_steps_and_seconds_are_told_before_and_kept(pictures, tmp_path):
    job, ports = job_of(pictures), fake_ports(tmp_path)
    most = Horizons.of(60).most_steps
    assert f"Find a rate would take at most {most} steps for this run." in make_plan(job, ports).lines()
    found = find_rate(job, ports)
    assert found.steps <= most
    assert found.steps == sum(trial.steps for trial in found.trials if trial.losses is not None)
    told = [text for text in ports.progress.texts if text.startswith("step")]
    assert ports.progress.charts
    assert not [chart for chart in ports.progress.charts if "nan" in chart or "<rect" in chart], "no range so far"
    assert f" of at most {most} (" in told[5]
    assert " s), trying a rate of 0.0001" in told[5]


@pytest.mark.skipif(not hasattr(torch.amp, "GradScaler"), reason="this torch has no scaler for the CPU")
def test_the_search_for_the_scale_of_the_loss_is_no_part_of_a_trial(pictures, tmp_path, monkeypatch):
    want = find_rate(job_of(pictures), fake_ports(tmp_path / "a"))
    whole = Precision.__init__

    def scaled(self, *arguments):
        whole(self, *arguments)
        self._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)

    monkeypatch.setattr(Precision, "__init__", scaled)
    found = find_rate(job_of(pictures), fake_ports(tmp_path / "b"))
    for one, other in zip(found.trials[:3], want.trials, strict=False):
        assert one.loss == pytest.approx(other.loss, rel=1e-3)
    assert found.choice.rate == pytest.approx(want.choice.rate, rel=0.2)


def test_pictures_of_one_colour_and_one_picture_do_not_break_it(pictures, tmp_path):
    for path in sorted(pictures.glob("*.png"))[1:]:
        path.unlink()
    found = find_rate(job_of(pictures, train__max_steps=1), fake_ports(tmp_path))
    assert len(found.lines()) == 2


def test_a_step_and_a_measurement_are_timed_one_by_one(pictures, tmp_path, monkeypatch):
    trials = Trials(tmp_path, job_of(pictures))
    moments = itertools.count()
    monkeypatch.setattr(rate_trials.time, "monotonic", lambda: 2.0 ** next(moments))
    trials.losses()
    # Two steps, from 1 to 2 and from 4 to 8, and the measurement, from 16 to 32.
    assert (trials.of_rates.step_s, trials.of_rates.measurement_s) == (4.0, 16.0)
