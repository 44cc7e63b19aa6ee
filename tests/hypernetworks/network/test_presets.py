"""Presets: each makes a network without complaint."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.hypernetworks.files import load
from hypernetwork_workbench.hypernetworks.files.create import create_file
from hypernetwork_workbench.hypernetworks.jobs import create_entry
from hypernetwork_workbench.hypernetworks.network import presets
from hypernetwork_workbench.hypernetworks.train.settings import presets as recipes_of_training
from hypernetwork_workbench.hypernetworks.train.settings.job import ScheduleSettings


@pytest.mark.parametrize("preset", presets.PRESETS, ids=lambda preset: preset.name)
def test_a_preset_creates_and_its_rate_is_accepted(preset, tmp_path):
    entry = create_entry.check_entry(
        {**preset.values(), "name": "ink", "widths": ["24", "32"], "optional_info": "mine", "seed": 5}
    )
    assert entry.problems == ()
    network = load(create_file(entry.settings, (), tmp_path))
    assert network.structure.layer_structure == preset.shape.layer_structure
    assert (network.metadata.name, network.metadata.optional_info) == ("ink", "mine")
    assert network.metadata.training["seed"] == 5
    ScheduleSettings(rate=preset.rate).schedule(preset.steps)


def test_names_are_unique_and_found():
    assert len({preset.name for preset in presets.PRESETS}) == len(presets.PRESETS)
    for preset in presets.PRESETS:
        assert presets.by_name(preset.name) is preset
    assert presets.by_name("nothing") is None


def test_the_small_one_is_small():
    small, standard = (presets.by_name(name).shape.structure() for name in ("Small memory", "Standard"))
    assert small.parameter_count((768,)) < standard.parameter_count((768,)) / 3


@pytest.mark.parametrize(
    ("name", "layers", "parameters"),
    [
        # n inputs and m outputs have n * m weights and m biases; k and v have an MLP each.
        ("Standard", (1, 2, 1), 2 * (8 * 16 + 16 + 16 * 8 + 8)),
        ("Style", (1, 1.5, 1.5, 1), 2 * (8 * 12 + 12 + 12 * 12 + 12 + 12 * 8 + 8)),
        ("Deep style", (1, 1.5, 1.5, 1.5, 1), 2 * (8 * 12 + 12 + 2 * (12 * 12 + 12) + 12 * 8 + 8)),
        ("Character or new thing", (1, 3, 1), 2 * (8 * 24 + 24 + 24 * 8 + 8)),
        ("Small memory", (1, 0.5, 1), 2 * (8 * 4 + 4 + 4 * 8 + 8)),
    ],
)
def test_shapes_stay_what_files_made_with_them_are_known_by(name, layers, parameters):
    structure = presets.by_name(name).shape.structure()
    assert structure.layer_structure == layers
    assert structure.parameter_count((8,)) == parameters
    assert presets.matching(structure).name == name


def test_no_preset_has_a_pair_that_the_sweep_advises_against():
    """docs/FIRST_WEIGHTS.md: relu wants Kaiming with a zero last layer, deep mish Xavier."""
    for preset in presets.PRESETS:
        shape = preset.shape
        assert shape.zero_last_layer, preset.name
        wanted = {"relu": "KaimingNormal", "mish": "XavierNormal", "linear": "Normal"}
        assert shape.weight_init == wanted[shape.activation], preset.name
    assert presets.by_name("Standard").shape == presets.ShapeSettings()


@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("Standard", "learning rate 1e-5 for 10000 steps."),
        ("Style", "learning rate 4e-05:2000,4e-06:4000,4e-07:6000 for 6000 steps."),
        ("Deep style", "learning rate 5e-5:1500,5e-6:9000,5e-8 for 10000 steps."),
        ("Character or new thing", "learning rate 4e-05:2000,4e-06:4000,4e-07:6000 for 6000 steps."),
        ("Fast, with layer normalisation", "learning rate 3e-4 for 2000 steps."),
        ("Small memory", "learning rate 1e-5 for 10000 steps."),
    ],
)
def test_the_advice_is_that_of_the_recipes_of_the_train_tab(name, training):
    preset = presets.by_name(name)
    assert preset.advice == f"{preset.purpose} On Stable Diffusion, train it with {training}"
    recipes = {(one.values()["schedule.rate"], one.values()["train.max_steps"]) for one in recipes_of_training.PRESETS}
    assert (preset.rate, preset.steps) in recipes
