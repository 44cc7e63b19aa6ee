"""Recipes for the Train tab: each makes a job that can be trained."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.train.optim import optimizers
from hypernetwork_workbench.hypernetworks.train.settings import presets
from hypernetwork_workbench.hypernetworks.train.settings.job import Job

STEPS_PER_EPOCH = 8


def tables(preset):
    filled = {"data": {"folder": "."}, "output": {"name": "n"}}
    for address, value in preset.values().items():
        section, _, name = address.partition(".")
        filled.setdefault(section, {})[name] = value
    return filled


@pytest.mark.parametrize("preset", presets.PRESETS, ids=lambda preset: preset.name)
def test_each_recipe_is_a_valid_job(preset):
    job = Job.from_mapping(tables(preset))
    rates = job.learning_rates(STEPS_PER_EPOCH)
    assert (rates.end_step or job.train.max_steps) == job.train.max_steps
    assert all(0 <= rates.rate(step) <= 1 for step in range(0, job.train.max_steps, 97))
    assert preset.advice.endswith(".")
    if not preset.name.startswith(("Prodigy", "D-")):
        assert max(rates.rate(step) for step in range(200)) <= 1e-3


@pytest.mark.parametrize("preset", presets.PRESETS, ids=lambda preset: preset.name)
def test_the_optimizer_of_each_recipe_can_be_built(preset):
    job = Job.from_mapping(tables(preset))
    optimizer = optimizers.build([torch.nn.Parameter(torch.ones(2))], job.optimizer.name, job.optimizer.arguments)
    assert type(optimizer).__name__ == job.optimizer.name


def test_cycles_end_at_the_lowest_rate_where_copies_are_saved():
    job = Job.from_mapping(tables(presets.by_name("Cosine restarts")))
    rates = job.learning_rates(STEPS_PER_EPOCH)
    assert rates.is_end_of_cycle(10 * STEPS_PER_EPOCH - 1)
    assert job.output.save_at_cycle_end
    assert rates.rate(10 * STEPS_PER_EPOCH - 1) < rates.rate(40) / 10


def test_a_recipe_is_known_by_its_values_and_lost_by_a_change():
    for preset in presets.PRESETS:
        values = {**preset.values(), "data.folder": "/x"}
        assert presets.matching(values) is preset
        assert presets.matching({**values, "train.max_steps": 77}) is None
    assert presets.matching({}) is None
    assert presets.by_name("nothing") is None
    names = [preset.name for preset in presets.PRESETS]
    assert len(set(names)) == len(names)


def test_a_recipe_leaves_the_rest_alone():
    touched = {address.partition(".")[0] for preset in presets.PRESETS for address in preset.values()}
    assert touched == {"optimizer", "schedule", "train", "preview", "output"}
    assert not {"output.name", "train.seed", "preview.prompt"} & presets.PRESETS[0].values().keys()


CYCLES = ("Cosine restarts", "Cosine restarts with accumulation")


@pytest.mark.parametrize(
    ("name", "rates", "steps", "batches"),
    [
        ("Steady", "1e-5", 10_000, 1),
        ("Three rates", "4e-05:2000,4e-06:4000,4e-07:6000", 6000, 1),
        ("Three rates for mish", "5e-5:1500,5e-6:9000,5e-8", 10_000, 1),
        ("Layer normalisation", "3e-4", 2000, 1),
        ("Accumulation", "3e-5", 2500, 8),
        ("Cosine restarts", "1.5e-5", 10_000, 1),
        ("Cosine restarts with accumulation", "3e-5", 2500, 8),
        ("Prodigy", "1.0", 4000, 1),
        ("D-Adaptation", "1.0", 4000, 1),
    ],
)
def test_the_recipes_are_those_that_people_have_trained_with(name, rates, steps, batches):
    job = Job.from_mapping(tables(presets.by_name(name)))
    found = (job.schedule.rate, job.train.max_steps, job.train.gradient_accumulation)
    assert found == (rates, steps, batches)
    assert (job.schedule.kind == "cosine restarts") == job.preview.at_cycle_end == job.output.save_at_cycle_end
    assert (job.schedule.kind == "cosine restarts") == (name in CYCLES)
    if name in CYCLES:
        schedule = job.schedule
        assert (schedule.cycle, schedule.warmup, schedule.min_rate, schedule.decay) == ("10 epochs", 5, 6e-7, 0.998)
    if name == "D-Adaptation":
        assert job.optimizer.arguments == "weight_decouple=True"


def test_a_form_shows_the_values_of_a_recipe_as_a_page_returns_them():
    preset = presets.by_name("Steady")
    values = preset.values()
    assert presets.matching({**values, "schedule.rate": f" {values['schedule.rate']} "}) is preset
    assert presets.matching({**values, "schedule.decay": 1}) is preset
    assert presets.matching({**values, "train.max_steps": " 10000 "}) is preset
    assert presets.matching({**values, "train.max_steps": "10000 epochs"}) is None
    assert presets.matching({**values, "schedule.rate": "2e-5"}) is None
    assert presets.matching({key: value for key, value in values.items() if key != "schedule.rate"}) is None
