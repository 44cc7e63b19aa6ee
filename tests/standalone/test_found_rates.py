"""*Find a rate* on the demo model, against the best rates of whole runs, which `launch.py bench rates` sweeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.network import presets as shapes
from hypernetwork_workbench.hypernetworks.train import find_rate
from hypernetwork_workbench.hypernetworks.train.settings import presets as recipes
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables

from benchmarks import rate_jobs, rates
from benchmarks.training_cases import Case, loaded

SWEPT = json.loads((Path(rates.__file__).parent / "rates.json").read_text(encoding="utf-8"))["cases"]
FACTOR = 5
PRESETS = [job for job in rate_jobs.presets() if job.name in {case["job"] for case in SWEPT}]


@pytest.fixture(scope="module")
def model():
    """Return the embedded host with the demo model."""
    with loaded(Case("demo", 64)) as running:
        yield running


def losses(name):
    return {case["rate"]: case["loss"] for case in SWEPT if case["job"] == name}


def best(name):
    found = losses(name)
    return min(found, key=found.__getitem__)


@pytest.mark.long(
    "tests/hypernetworks/train/test_rate_finder.py::test_the_whole_finder_tells_a_rate_that_learns_and_the_same_again"
)
@pytest.mark.slow
@pytest.mark.parametrize("job", rate_jobs.JOBS, ids=lambda job: job.name)
def test_the_rate_that_is_found_is_near_the_best_of_a_sweep(job, model, tmp_path):
    found = find_rate(job.job(tmp_path / "pictures"), rates.ports(tmp_path))
    assert found.choice.doubt == ""
    assert best(job.name) / FACTOR <= found.choice.rate <= best(job.name) * FACTOR
    assert found.choice.low / 2 <= best(job.name) <= found.choice.high * 2


@pytest.mark.parametrize("job", [*rate_jobs.JOBS, *PRESETS], ids=lambda job: job.name)
def test_a_sweep_has_its_best_rate_between_others_and_is_of_the_job_as_it_is(job):
    swept = losses(job.name)
    assert set(swept) <= set(job.rates), "run the sweep again"
    assert best(job.name) < max(swept)
    assert min(swept) < best(job.name) or job.name == "Cosine restarts"  # lower rates of it were not swept
    assert {case["steps"] for case in SWEPT if case["job"] == job.name} == {job.tables["train"]["max_steps"]}


def test_the_demo_trains_at_the_best_rate():
    demo = read_tables(Path(rates.__file__).parents[1] / "examples" / "demo.toml")
    assert float(demo["schedule"]["rate"]) == best("demo.toml")


@pytest.mark.parametrize("job", PRESETS, ids=lambda job: job.name)
def test_the_rate_of_a_preset_stands_to_the_best_on_the_demo_model_as_those_of_all_others_do(job):
    told = job.advice * rate_jobs.FASTER
    assert best(job.name) / FACTOR <= told <= best(job.name) * FACTOR


def test_how_many_times_higher_a_rate_may_be_is_what_the_rates_say():
    steady = float(recipes.by_name("Steady").values()["schedule.rate"])
    normalised = float(shapes.by_name("Fast, with layer normalisation").rate)
    assert float(recipes.by_name("Layer normalisation").values()["schedule.rate"]) == normalised
    assert normalised / steady == pytest.approx(30)
    assert best("Fast, with layer normalisation") / best("Standard") == pytest.approx(30)
    assert "thirty times higher" in recipes.by_name("Layer normalisation").advice
    accumulated = float(recipes.by_name("Accumulation").values()["schedule.rate"])
    assert accumulated / steady == pytest.approx(3)
    assert best("Accumulation") / best("Standard") == pytest.approx(3)
    assert "three times higher" in recipes.by_name("Accumulation").advice
    both = recipes.by_name("Cosine restarts with accumulation")
    assert float(both.values()["schedule.rate"]) / steady == pytest.approx(3)
    assert best(both.name) / best("Standard") == pytest.approx(3)
    assert "three times the steady rate" in both.advice
