"""Whoever follows a recipe of docs/CONTRIBUTING.md gets what it promises, and finds the files that it names."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import sources
from tests.support import recipes

FOLLOWED = """
import json, sys
from pathlib import Path
import torch
from PIL import Image
from standalone import host
running = host.start(data_dir=sys.argv[1], load_model=False)
from hypernetwork_workbench.hypernetworks import merge
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.jobs import json_schema
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork
from hypernetwork_workbench.hypernetworks.network.structure import Structure
from hypernetwork_workbench.hypernetworks.train.optim import optimizers
from hypernetwork_workbench.hypernetworks.train.optim.losses import LOSSES, Residuals
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import job_text

found = {}
job = Job.from_mapping({"data": {"folder": "."}, "output": {"name": "n", "days_kept": "3"}})
found["setting"] = [
    json_schema.of_job()["properties"]["output"]["properties"]["days_kept"]["title"], "days_kept = 3" in job_text(job)
]

def network(value):
    made = Hypernetwork.create(Structure(layer_structure=(1, 1)), (8,), 1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.fill_(value)
    return made

pictures = Path(sys.argv[1], "pictures")
pictures.mkdir()
Image.new("RGB", (64, 64)).save(pictures / "a.png")
(pictures / "list.txt").write_text("a.png\\n")
dataset = read_dataset(DataSettings(list_file=str(pictures / "list.txt")), "n")
found["source"] = [sample.path.name for sample in dataset.samples]

schema = json_schema.of_job()["properties"]
chosen = {
    "optimizer": {"name": "Sign"},
    "loss": {"kind": "log cosh", "log_cosh_scale": 1.0},
    "schedule": {"kind": "falling", "rate": "0.1", "rate_left": 0.25},
}
job = Job.from_mapping({"data": {"folder": "."}, "output": {"name": "n"}, "train": {"max_steps": 10}, **chosen})
weight = torch.nn.Parameter(torch.ones(2))
optimizer = optimizers.build([weight], job.optimizer.name, "")
optimizer.param_groups[0]["lr"] = 0.5
weight.grad = torch.tensor([3.0, -1.0])
optimizer.step()
names = schema["optimizer"]["properties"]["name"]["examples"]
found["optimizer"] = [weight.tolist(), {*names} >= {"Sign", "Adadelta"}]
residuals = Residuals(torch.full((1, 1, 1, 1), 2.0), torch.tensor([5]), 1000)
distance = LOSSES[job.loss.kind].distance(residuals, job.loss)
found["loss"] = [distance.item(), "log_cosh_scale" in schema["loss"]["properties"]]
rates = job.learning_rates(1)
found["schedule"] = [rates.rate(0), rates.rate(10), "rate_left" in schema["schedule"]["properties"]]

made = Hypernetwork.create(Structure(layer_structure=(1, 2, 1), activation="hardelu"), (8,), 1)
found["activation"] = [
    list(made.transform(torch.ones(1, 2, 8))[0].shape),
    "hardelu" in json_schema.of_job()["properties"]["network"]["properties"]["activation"]["enum"],
]
merged = merge.merge([(network(value), 1) for value in (5.0, 1.0, 2.0)], "middle")
found["merge"] = [merged.state_dict()[name].unique().tolist() for name in list(merged.state_dict())[:1]]

from modules import extra_networks
from hypernetwork_workbench.patches.sets import told_networks
before = extra_networks.activate
told_networks.patch_set.install()
found["patch"] = [told_networks.patch_set.is_installed, extra_networks.activate is not before]
told_networks.patch_set.uninstall()
found["patch"].append(extra_networks.activate is before)

page = running.module("ui").create_ui().get_config_file()["components"]
ids = {component["props"].get("elem_id") for component in page}
found["ids"] = sorted({"hnw_hello_name", "hnw_hello_times", "hnw_train_output_days_kept",
    "hnw_train_loss_log_cosh_scale", "hnw_train_schedule_rate_left", "hnw_train_data_list_file"} & ids)
methods = next(one["props"]["choices"] for one in page if one["props"].get("elem_id") == "hnw_merge_method")
found["methods"] = "Middle (median)" in str(methods)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project with the examples of all recipes in it."""
    folder = tmp_path_factory.mktemp("copy")
    recipes.cook(folder)
    return folder


@pytest.fixture(scope="module")
def followed(place: Path, tmp_path_factory: pytest.TempPathFactory):
    """Return what the copy says of itself."""
    result = subprocess.run(
        [sys.executable, "-c", FOLLOWED, str(tmp_path_factory.mktemp("data"))],
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("title", recipes.recipes())
def test_the_files_of_a_recipe_are_there_and_the_new_ones_are_not(title):
    named = recipes.files(recipes.recipes()[title])
    assert named
    for name, is_new in named:
        path = sources.ROOT / name
        assert path.exists() != is_new, name
        assert (path.parent if path.parent.exists() else path.parents[1]).is_dir(), name


def test_every_example_stands_in_a_file_that_its_recipe_names():
    for text in recipes.recipes().values():
        named = {name for name, _ in recipes.files(text)}
        assert {example.file for example in recipes.examples() if example.code in text} <= named


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_the_examples_keep_the_rules_of_the_project(command, place):
    files = [example.file for example in recipes.examples()]
    ruff = [sys.executable, "-m", "ruff", *command.split(), "--no-cache"]
    result = subprocess.run([*ruff, *files], capture_output=True, text=True, check=False, cwd=place)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_setting_shows_up(followed):
    assert followed["setting"] == ["Days to keep copies", True]
    assert "hnw_train_output_days_kept" in followed["ids"]


def test_a_source_of_pictures_shows_up(followed):
    assert followed["source"] == ["a.png"]
    assert "hnw_train_data_list_file" in followed["ids"]


def test_an_optimizer_a_loss_and_a_schedule_show_up(followed):
    assert followed["optimizer"] == [[0.5, 1.5], True]
    assert followed["loss"] == [pytest.approx(math.log(math.cosh(2.0))), True]
    assert followed["schedule"] == [pytest.approx(0.1), pytest.approx(0.025), True]
    assert {"hnw_train_loss_log_cosh_scale", "hnw_train_schedule_rate_left"} <= set(followed["ids"])


def test_an_activation_shows_up(followed):
    assert followed["activation"] == [[1, 2, 8], True]


def test_a_merge_method_shows_up(followed):
    assert followed["merge"] == [[2.0]]
    assert followed["methods"]


def test_a_patch_set_goes_on_and_comes_off(followed):
    assert followed["patch"] == [True, True, True]


def test_a_tab_shows_up(followed):
    assert {"hnw_hello_name", "hnw_hello_times"} <= set(followed["ids"])
