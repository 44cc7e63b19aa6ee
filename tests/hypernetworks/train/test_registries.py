"""An optimizer, a schedule or a loss is one file: settings, runs and the API know it, and no list names any."""

from __future__ import annotations

import ast
import json

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.jobs import json_schema
from hypernetwork_workbench.hypernetworks.train.optim import optimizers
from hypernetwork_workbench.hypernetworks.train.optim.losses import LOSSES
from hypernetwork_workbench.hypernetworks.train.optim.schedule import SCHEDULES
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS

from tests import sources
from tests.support import made_up, rooms
from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, read_log, same, weights

CHOSEN = {"optimizer__name": "Sign", "schedule__kind": "plain", "loss__kind": "l1"}


@pytest.fixture
def members(tmp_path, monkeypatch):
    made_up.training_members(tmp_path, monkeypatch)


def test_members_stand_at_their_places_in_the_choices(members):
    schema = json_schema.of_job()["properties"]
    assert schema["optimizer"]["properties"]["name"]["examples"][-1] == "Sign"
    schedules = schema["schedule"]["properties"]["kind"]["examples"]
    curves = ["constant", "linear", "cosine", "polynomial", "cosine_with_restarts", "inverse_sqrt"]
    assert schedules == ["steps", *curves, "plain", "piecewise", "warmup_stable_decay", "cosine restarts"]
    assert schema["loss"]["properties"]["kind"]["enum"] == ["l1", "l2", "huber", "scheduled huber"]


def test_members_train(members, pictures, tmp_path):
    job = make_job(pictures, **CHOSEN, optimizer__arguments="zeal=2.0", schedule__rate="0.001")
    result = train(job, fake_ports(tmp_path / "a"))
    rates = [float(row["rate"]) for row in read_log(result.log)]
    assert rates[0] == pytest.approx(0.001)
    assert rates[-1] < 0.0001
    other = train(make_job(pictures, schedule__rate="0.001"), fake_ports(tmp_path / "b"))
    assert not same(weights(result.network), weights(other.network))


def test_members_have_their_own_refusals(members, pictures):
    with pytest.raises(SettingsError, match=r"^optimizer\.arguments: Sign has no option colour; it has zeal"):
        make_job(pictures, **CHOSEN, optimizer__arguments="colour=3")
    with pytest.raises(SettingsError, match=r"^schedule\.rate: must be one number for the schedule plain"):
        make_job(pictures, **CHOSEN, schedule__rate="1e-3:5,1e-4")


def test_a_row_says_whether_its_steps_are_fused(monkeypatch):
    rooms.keep(optimizers.KINDS, monkeypatch)
    optimizers.KINDS.add("Plain", optimizers.OptimizerKind("torch.optim", "Adam"))
    optimizers.KINDS.add("Fused", optimizers.OptimizerKind("torch.optim", "Adam", is_fused=True))
    weight = torch.nn.Parameter(torch.zeros(2))
    plain, fused = (optimizers.build([weight], name, "").param_groups[0]["fused"] for name in ("Plain", "Fused"))
    assert not plain
    assert fused is optimizers._can_be_fused([weight])


FILES = {
    "hypernetworks/train/optim/sign.py": made_up.OPTIMIZER,
    "hypernetworks/train/optim/falling.py": made_up.SCHEDULE,
    "hypernetworks/train/optim/log_cosh.py": made_up.LOSS,
}
RUN = """
import json, pathlib, sys
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.jobs import json_schema
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings import presets
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables
from PIL import Image
from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, read_log

pictures = pathlib.Path("pictures")
pictures.mkdir()
for shade in (20, 200):
    Image.new("RGB", (32, 32), (shade, 0, 0)).save(pictures / f"{shade}.png")
chosen = {"optimizer__name": "Sign", "schedule__kind": "falling", "loss__kind": "log cosh", "schedule__rate": "0.01"}
own = {"schedule__left": 0.25, "loss__log_cosh_scale": 3.0}
def ran(name, **changes):
    job = make_job(pictures.absolute(), **chosen, **changes, output__sheet=False, train__max_steps=4)
    result = train(job, fake_ports(pathlib.Path(name).absolute()))
    assert Job.from_mapping(read_tables(result.log.parent / "job.toml")) == job
    assert files.load(result.network).metadata.training["settings"] == job.to_mapping()
    return [[float(row[key]) for row in read_log(result.log)] for key in ("rate", "loss")]
refused = []
for changes in ({"schedule__falling": "soon"}, {"schedule__left": 2}, {"loss__log_cosh_scale": 0}):
    try:
        make_job(pictures, **chosen, **changes)
    except ValueError as error:
        refused.append(str(error))
schema = json_schema.of_job()["properties"]
print(json.dumps([
    list(schema["schedule"]["properties"]), list(schema["loss"]["properties"])[:4], refused,
    ran("a", **own), ran("b", schedule__falling="1 epoch"), "schedule.left" in presets.PRESETS[0].values(),
]))
"""


def test_options_of_their_own_stand_in_the_same_files(tmp_path):
    schedule, loss, refused, first, second, is_preset = json.loads(rooms.answer(FILES, RUN, tmp_path))
    assert schedule[:8] == ["rate", "kind", "warmup", "min_rate", "left", "falling", "power", "cycles"]
    assert loss == ["kind", "log_cosh_scale", "huber_delta", "min_snr_gamma"]
    assert refused[0].startswith("schedule.falling: must be a number of steps, or of epochs")
    assert refused[1:] == ["schedule.left: must be at most 1, not 2", "loss.log_cosh_scale: must be above 0"]
    (rates, losses), (fast, others) = first, second
    assert rates == pytest.approx([0.01 * 0.25 ** (step / 4) for step in range(4)])
    assert fast == pytest.approx([0.01 * 0.5**step for step in range(4)])
    assert losses[0] != others[0]
    assert is_preset


def test_no_other_source_names_a_member():
    """Defaults, recipes and the forms of other programs do; the rest asks the registries."""
    names = ({*optimizers.KINDS} - {"AdamW", "Prodigy", "DAdaptAdam"}) | ({*LOSSES} - {"l2"})
    names |= {*SCHEDULES} - {"steps", "linear", "constant", "cosine restarts"}
    wrong = [
        f"{path.relative_to(sources.ROOT)}:{node.lineno} {node.value}"
        for path in sources.paths()
        if path.parent.name != "optim"
        and path.name != "kohya_learning.py"  # the names of another program
        and path.relative_to(sources.ROOT).parts[0] in ("hypernetworks", "patches")
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    ]
    assert wrong == []


def test_every_option_of_a_member_is_a_setting():
    for section, registry in (("schedule", SCHEDULES), ("loss", LOSSES)):
        settings = {name for name, _, _ in SECTIONS[section].options()}
        assert {name for member in registry.values() for name in member.options} <= settings
