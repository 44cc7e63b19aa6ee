"""What a run does when numbers break, the disk is full, or saves pile up."""

import contextlib
import dataclasses
import math
import os
import subprocess

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError, NonFiniteLossError, SettingsError
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.train import trainer
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.state_file import state_of

from tests.support.fake_ports import FakeDenoiser, FakeProgress, fake_ports
from tests.support.runs import make_job, read_log, same, weights


class Poisoned(FakeDenoiser):
    """Answers NaN at some of its calls while a network trains."""

    def __init__(self, calls):
        super().__init__()
        self.calls = calls
        self.count = 0

    def predict(self, noisy, timesteps, conditioning):
        out = super().predict(noisy, timesteps, conditioning)
        if torch.is_grad_enabled():
            self.count += 1
            if self.count in self.calls:
                return out * math.nan
        return out


def poisoned_ports(folder, calls):
    return dataclasses.replace(fake_ports(folder), denoiser=Poisoned(calls))


def test_one_bad_step_is_left_out_and_the_run_goes_on(pictures, tmp_path):
    result = train(make_job(pictures, train__max_steps=40), poisoned_ports(tmp_path, {20}))
    rows = read_log(result.log)
    assert [row["step"] for row in rows if row["skipped"] == "True"] == ["20"]
    assert (result.steps, result.skipped_steps, result.rollbacks) == (40, 1, 0)
    assert all(torch.isfinite(weight).all() for weight in weights(result.network).values())


@pytest.mark.parametrize("is_halving", [False, True])
def test_bad_steps_in_a_row_bring_the_last_good_state_back(pictures, tmp_path, monkeypatch, caplog, is_halving):
    monkeypatch.setattr(trainer, "SNAPSHOT_EVERY", 5)
    job = make_job(pictures, train__max_steps=40, train__rollback_halves_rate=is_halving)
    result = train(job, poisoned_ports(tmp_path, {20, 21, 22}))
    assert (result.steps, result.skipped_steps, result.rollbacks) == (40, 3, 1)
    rows = read_log(result.log)
    assert float(rows[-1]["rate"]) == (0.005 if is_halving else 0.01)
    assert "Rolled back to the last good state after step 22" in caplog.text


def test_a_rollback_gives_weights_and_optimizer_back_exactly(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "SNAPSHOT_EVERY", 10)
    # Steps 11 to 13 go wrong at once: what is left is the state after step 10.
    broken = train(make_job(pictures, train__max_steps=13), poisoned_ports(tmp_path / "a", {11, 12, 13}))
    ten = train(make_job(pictures, train__max_steps=10), fake_ports(tmp_path / "b"))
    assert same(weights(broken.network), weights(ten.network))


def test_a_step_that_is_left_out_does_not_count_in_the_average(pictures, tmp_path):
    job = make_job(pictures, train__max_steps=6, train__ema_decay=0.9)
    result = train(job, poisoned_ports(tmp_path, {3}))
    assert result.skipped_steps == 1
    average = files.read_plain(state_of(result.network))["learner"]["average"]
    assert average["n_averaged"].item() == 1 + 5  # the start, and the steps that were taken


def test_when_nothing_helps_the_run_ends_and_the_good_file_is_whole(pictures, tmp_path):
    first = train(make_job(pictures), fake_ports(tmp_path))
    before = first.network.read_bytes()
    job = make_job(pictures, output__overwrite=True, train__max_steps=100)
    with pytest.raises(NonFiniteLossError, match="rolling back did not help"):
        train(job, poisoned_ports(tmp_path, set(range(5, 500))))
    assert first.network.read_bytes() == before


def fill(path):
    """Write until the disk is full."""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


@pytest.fixture
def small(tmp_path):
    """Make a file system with room for one small run."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="a small file system needs root to mount")
@pytest.mark.parametrize("is_full_at_first", [True, False], ids=["from the first", "from a step on"])
def test_a_full_disk_loses_nothing(pictures, tmp_path, small, is_full_at_first):
    changes = {"output__dir": str(small), "output__sheet": False, "output__overwrite": True, "train__max_steps": 4}
    first = train(make_job(pictures, **changes), fake_ports(tmp_path))
    before, log = first.network.read_bytes(), first.log.read_bytes()

    class Filling(FakeProgress):
        def is_interrupted(self):
            if (small / "fake-earlier").exists():
                fill(small / "filler")
            return False

    if is_full_at_first:
        fill(small / "filler")
    with pytest.raises((HypernetworkFileError, OSError, SettingsError), match=r"[Nn]o space"):
        train(
            make_job(pictures, **changes, train__seed=9), dataclasses.replace(fake_ports(tmp_path), progress=Filling())
        )
    assert first.network.read_bytes() == before
    assert files.load(first.network).metadata.step == 4
    kept = first.log if is_full_at_first else small / "fake-earlier" / "log.csv"
    assert kept.read_bytes() == log


def test_copies_are_numbered_kept_and_the_best_is_marked(pictures, tmp_path):
    job = make_job(
        pictures,
        train__max_steps=20,
        output__save_every="4",
        output__keep_last=2,
        output__save_best=True,
        train__validation_share=0.3,
        train__validation_every="4",
        output__sheet=False,
    )
    result = train(job, fake_ports(tmp_path))
    names = sorted(path.name for path in result.log.parent.glob("*.pt*"))
    assert names == [
        "fake-000016.pt",
        "fake-000016.pt.state",
        "fake-000020.pt",
        "fake-000020.pt.state",
        "fake-best.pt",
        "fake-best.pt.state",
    ]
    rows = read_log(result.log)
    measured = {int(row["step"]): float(row["validation_loss"]) for row in rows if row["validation_loss"]}
    assert list(measured) == [4, 8, 12, 16, 20]
    best = files.load(result.log.parent / "fake-best.pt").metadata.step
    assert measured[best] == min(measured.values())
    numbered = files.load(result.log.parent / "fake-000016.pt")
    assert numbered.metadata.step == 16
    assert numbered.metadata.training["dataset"] == {"name": "pictures", "pictures": 5}


def test_cycle_ends_are_saved_and_shown(pictures, tmp_path):
    job = make_job(
        pictures,
        train__max_steps=12,
        schedule__kind="cosine restarts",
        schedule__cycle="2 epochs",
        output__save_at_cycle_end=True,
        preview__at_cycle_end=True,
        output__sheet=False,
    )
    result = train(job, fake_ports(tmp_path))  # 5 pictures in batches of 2: 3 steps an epoch, 6 a cycle
    assert [path.name for path in sorted(result.log.parent.glob("*.pt"))] == ["fake-000006.pt", "fake-000012.pt"]
    assert [path.name for path in result.previews] == ["step-000006.png", "step-000012.png"]
    assert result.strip is not None
    assert result.strip.exists()


def test_a_tensor_that_is_to_be_negated_is_refused_and_not_read_with_the_wrong_sign(tmp_path):
    net = weights_of_a_file(tmp_path / "net.pt")
    width, (k_state, v_state) = next((key, value) for key, value in net.items() if type(key) is int)
    name = next(iter(k_state))
    k_state[name] = torch._neg_view(k_state[name])
    torch.save({**net, width: (k_state, v_state)}, tmp_path / "negated.pt")
    with pytest.raises(HypernetworkFileError, match=r"negated.pt.*negated or conjugated"):
        files.load(tmp_path / "negated.pt")


def weights_of_a_file(path):
    files.save(Hypernetwork.create(Structure(), (8,), 1), path)
    return torch.load(path, weights_only=True)
