"""Continue: N steps and then N more are what 2N steps are, bit for bit."""

import shutil

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.atomic import atomic_write
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError, SettingsError, TrainingError
from hypernetwork_workbench.hypernetworks.files import torch_writer
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.state_file import SUFFIX

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, read_log, same, weights

EVERYTHING = {
    "train__max_steps": 30,
    "train__ema_decay": 0.9,
    "train__validation_share": 0.3,
    "train__gradient_accumulation": 2,
    "schedule__kind": "cosine restarts",
    "schedule__cycle": "7",
    "schedule__warmup": 2,
    "loss__noise_offset": 0.1,
    "output__sheet": False,
}


def timeless(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.parametrize("optimizer", ["AdamW", "Prodigy", "ScheduleFreeAdamW", "Lion", "AdamW8bit", "Lion8bit"])
def test_an_interrupted_run_goes_on_to_the_same_weights_and_log(pictures, tmp_path, optimizer):
    changes = EVERYTHING | {"optimizer__name": optimizer}
    if optimizer.endswith("8bit"):
        changes["optimizer__arguments"] = "min_8bit_size=1"  # the weights are so few that they would be kept in 32 bits
    if optimizer == "ScheduleFreeAdamW":
        changes["train__ema_decay"] = 0.0
    whole = train(make_job(pictures, **changes), fake_ports(tmp_path / "whole"))
    ports = fake_ports(tmp_path / "halves", stop_after=13)
    half = train(make_job(pictures, **changes), ports)
    assert (half.steps, half.interrupted) == (13, True)
    torch.randn(5)
    rest = train(make_job(pictures, **changes, preview__every="4"), fake_ports(tmp_path / "halves"), resume=True)
    assert (rest.steps, rest.interrupted) == (30, False)
    assert same(weights(whole.network), weights(rest.network))
    assert timeless(read_log(whole.log)) == timeless(read_log(rest.log))
    assert files.load(rest.network).metadata.step == 30
    assert (rest.loss_first, rest.loss_last) == (whole.loss_first, whole.loss_last)


def test_a_run_that_draws_lines_and_tags_goes_on_to_the_same_weights(pictures, tmp_path):
    for number, path in enumerate(sorted(pictures.glob("*.txt"))):
        path.write_text("\n".join("x" * (number + 3 * line) + ", y、zz" for line in range(1, 4)), encoding="utf-8")
    changes = {"data__caption_lines": "one line at random", "data__tag_dropout": 0.2, "output__sheet": False}
    whole = train(make_job(pictures, **changes), fake_ports(tmp_path / "whole"))
    first = train(make_job(pictures, **changes | {"data__caption_lines": "first line"}), fake_ports(tmp_path / "first"))
    assert not same(weights(whole.network), weights(first.network))
    train(make_job(pictures, **changes), fake_ports(tmp_path / "halves", stop_after=5))
    rest = train(make_job(pictures, **changes), fake_ports(tmp_path / "halves"), resume=True)
    assert same(weights(whole.network), weights(rest.network))


def test_a_run_killed_between_saves_goes_on_from_the_last_one(pictures, tmp_path):
    changes = EVERYTHING | {"output__save_every": "10"}
    whole = train(make_job(pictures, **changes), fake_ports(tmp_path / "whole"))
    killed = fake_ports(tmp_path / "killed", stop_after=17)
    result = train(make_job(pictures, **changes), killed)
    # What a kill leaves: the numbered copy of step 10, a log up to step 17 with half a line, no file at the end.
    result.network.unlink()
    result.network.with_name(result.network.name + SUFFIX).unlink()
    with result.log.open("a", encoding="utf-8") as log:
        log.write("18,2,0.12")
    rest = train(make_job(pictures, **changes), fake_ports(tmp_path / "killed"), resume=True)
    assert same(weights(whole.network), weights(rest.network))
    assert timeless(read_log(whole.log)) == timeless(read_log(rest.log))


def test_a_finished_run_goes_on_when_it_is_made_longer(pictures, tmp_path):
    train(make_job(pictures, train__max_steps=6), fake_ports(tmp_path))
    with pytest.raises(TrainingError, match=r"ended at step 6 already; raise train\.max_steps"):
        train(make_job(pictures, train__max_steps=6), fake_ports(tmp_path), resume=True)
    assert train(make_job(pictures, train__max_steps=9), fake_ports(tmp_path), resume=True).steps == 9


def test_a_network_trained_in_place_counts_its_steps_once(pictures, tmp_path):
    first = train(make_job(pictures, train__max_steps=5), fake_ports(tmp_path))
    in_place = {"network__file": str(first.network), "output__overwrite": True, "train__max_steps": 8}
    train(make_job(pictures, **in_place), fake_ports(tmp_path, stop_after=3))
    assert files.load(first.network).metadata.step == 8
    train(make_job(pictures, **in_place), fake_ports(tmp_path), resume=True)
    assert files.load(first.network).metadata.step == 13


def test_a_state_of_version_0_1_goes_on_to_the_same_weights(pictures, tmp_path):
    whole = train(make_job(pictures, **EVERYTHING), fake_ports(tmp_path / "whole"))
    half = train(make_job(pictures, **EVERYTHING), fake_ports(tmp_path / "halves", stop_after=13))
    path = half.network.with_name(half.network.name + SUFFIX)
    content = files.read_plain(path)
    del content["run"], content["origin"]
    content["version"] = 1
    means = content["learner"].pop("average")
    steps = means.pop("n_averaged").item() - 1
    content["learner"]["average"] = {
        "steps": steps,
        "weights": {name.removeprefix("module."): mean for name, mean in means.items()},
    }
    content["progress"]["previews"]["paths"] = [r"D:\\webui\\step-000004.png"]
    torch.save(content, path)
    rest = train(make_job(pictures, **EVERYTHING), fake_ports(tmp_path / "halves"), resume=True)
    assert same(weights(whole.network), weights(rest.network))
    assert rest.previews == ()


def test_there_must_be_a_state_that_fits(pictures, tmp_path):
    with pytest.raises(TrainingError, match="no saved state of fake"):
        train(make_job(pictures), fake_ports(tmp_path), resume=True)
    result = train(make_job(pictures, train__max_steps=6), fake_ports(tmp_path))
    longer = {"train__max_steps": 9}
    with pytest.raises(SettingsError, match=r"optimizer\.name: the saved state was made with AdamW"):
        train(make_job(pictures, **longer, optimizer__name="SGD"), fake_ports(tmp_path), resume=True)
    with pytest.raises(TrainingError, match=r"another train\.ema_decay"):
        train(make_job(pictures, **longer, train__ema_decay=0.9), fake_ports(tmp_path), resume=True)
    with pytest.raises(TrainingError, match="belongs to another network"):
        train(make_job(pictures, **longer, network__layer_structure="1, 1, 1"), fake_ports(tmp_path), resume=True)
    state = result.network.with_name(result.network.name + SUFFIX)
    before = result.network.read_bytes()
    state.write_bytes(state.read_bytes()[:500])
    with pytest.raises(HypernetworkFileError, match=r"^fake\.pt\.state: "):
        train(make_job(pictures, **longer), fake_ports(tmp_path), resume=True)
    with atomic_write(state) as file:
        torch_writer.write(file, {"version": 1, "step": 3})
    with pytest.raises(HypernetworkFileError, match="no saved state of a run"):
        train(make_job(pictures, **longer), fake_ports(tmp_path), resume=True)
    shutil.copy(result.network, state)
    with pytest.raises(HypernetworkFileError, match="no saved state of a run"):
        train(make_job(pictures, **longer), fake_ports(tmp_path), resume=True)
    assert result.network.read_bytes() == before


def test_the_optimizer_state_of_the_webui_is_read(pictures, tmp_path, caplog):
    first = train(make_job(pictures), fake_ports(tmp_path / "first"))
    network = files.load(first.network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for weight in network.parameters():
        weight.requires_grad_(True)
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    path = files.optimizer_path(first.network)
    changes = {"network__file": str(first.network), "output__name": "more", "train__max_steps": 1}
    without = train(make_job(pictures, **changes), fake_ports(tmp_path / "a"))
    files.save_optimizer_state(path, "AdamW", optimizer.state_dict(), files.short_hash(first.network))
    with caplog.at_level("INFO"):
        with_state = train(make_job(pictures, **changes), fake_ports(tmp_path / "b"))
    assert "Going on with the optimizer state beside fake.pt" in caplog.text
    assert not same(weights(without.network), weights(with_state.network))
    files.save_optimizer_state(path, "AdamW", optimizer.state_dict(), "0123456789")
    of_another_file = train(make_job(pictures, **changes), fake_ports(tmp_path / "c"))
    assert same(weights(without.network), weights(of_another_file.network))
    files.save_optimizer_state(path, "Lion", {"state": {}, "param_groups": [{}]}, files.short_hash(first.network))
    with caplog.at_level("WARNING"):
        train(make_job(pictures, **changes), fake_ports(tmp_path / "d"))
    assert "is of Lion and was not used" in caplog.text
