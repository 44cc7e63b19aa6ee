"""A new run of a name: what the earlier one has left gets a name of its own, and goes on under it."""

import logging
import os
import shutil

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base import disk
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError, SettingsError
from hypernetwork_workbench.hypernetworks.train import records, resume
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.earlier_runs import listing
from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, read_log, same, weights

SAVING = {"output__overwrite": True, "output__save_every": "4", "train__max_steps": 10, "preview__every": "5"}


def job(pictures, **changes):
    return make_job(pictures, **SAVING | changes)


def test_a_second_run_replaces_nothing_of_the_first_but_its_network(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    first = train(job(pictures), ports)
    folder, state = first.log.parent, first.network.with_name(f"{first.network.name}.state")
    before, name = listing(folder), folder.name
    kept_state = state.read_bytes()
    second = train(job(pictures, train__max_steps=6, train__seed=5), fake_ports(tmp_path))
    aside = folder.with_name(f"{name}-earlier")
    after = listing(aside)
    assert after.pop(f"{name}-earlier-running.state") == kept_state
    before.pop("job.toml")
    after.pop("job.toml")
    assert f"{name}-000008.pt.state" in before
    assert after == {key.replace(f"{name}-0", f"{name}-earlier-0"): data for key, data in before.items()}
    assert f"The earlier run of this name is called {name}-earlier now." in second.notes
    assert {path.name for path in folder.glob("*-0*.pt")} == {f"{name}-000004.pt"}
    assert {path.name for path in (folder / "previews").glob("step-*.png")} == {"step-000005.png"}
    assert len(read_log(second.log)) == 6


def test_the_earlier_run_goes_on_under_its_new_name_to_the_same_weights(pictures, tmp_path):
    changes = {"output__sheet": False, "train__max_steps": 20, "data__template": "[name], [filewords]"}
    whole = train(job(pictures, **changes), fake_ports(tmp_path / "whole"))
    half = train(job(pictures, **changes), fake_ports(tmp_path / "halves", stop_after=7))
    ports = fake_ports(tmp_path / "halves")
    other = train(job(pictures, **changes, train__seed=5), ports)
    kept = records.read_record(half.log.parent.with_name(f"{half.log.parent.name}-earlier"), ports.network_dir)
    assert (kept.steps, kept.total, kept.is_resumable) == (7, 20, True)
    rest = train(kept.job, fake_ports(tmp_path / "halves"), resume=True)
    assert rest.network.stem == kept.name == f"{other.network.stem}-earlier"
    assert same(weights(rest.network), weights(whole.network))
    assert not same(weights(other.network), weights(whole.network))
    assert len(read_log(rest.log)) == 20


@pytest.mark.parametrize("name", ["night", "night-earlier", "night-earlier-2", "night-earlier-2-earlier"])
def test_captions_have_the_name_that_the_run_was_begun_with(pictures, name):
    assert make_job(pictures, output__name=name).word_name == "night"


@pytest.mark.parametrize("name", ["night-earlier-x", "night-earlierly", "earlier-night", "an earlier", "-earlier"])
def test_captions_have_every_other_name_as_it_is(pictures, name):
    assert make_job(pictures, output__name=name).word_name == name


def test_a_finished_run_writes_its_network_again_under_its_new_name(pictures, tmp_path):
    first = train(job(pictures, output__sheet=False), fake_ports(tmp_path))
    before = weights(first.network)
    train(job(pictures, output__sheet=False, train__seed=5), fake_ports(tmp_path))
    assert not same(weights(first.network), before)
    kept = records.read_record(first.log.parent.with_name(f"{first.log.parent.name}-earlier"), first.network.parent)
    again = train(kept.job, fake_ports(tmp_path), resume=True)
    assert same(weights(again.network), before)


def test_each_run_of_a_name_gets_another_one_that_no_run_and_no_network_has(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    first = train(job(pictures), ports)
    taken = first.network.with_name(f"{first.network.stem}-earlier.safetensors")
    taken.write_bytes(b"somebody's")
    for _ in range(2):
        train(job(pictures), fake_ports(tmp_path))
    folder = first.log.parent
    assert {path.name for path in folder.parent.glob(f"{folder.name}-*") if path.is_dir()} == {
        f"{folder.name}-earlier-2",
        f"{folder.name}-earlier-3",
    }
    assert taken.read_bytes() == b"somebody's"


def test_a_copied_folder_makes_way_and_leaves_the_run_that_it_was_copied_from_as_it_is(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    first = train(job(pictures), ports)
    before = listing(tmp_path)
    copied = first.log.parent.with_name("copied")
    shutil.copytree(first.log.parent, copied)
    train(job(pictures, output__name="copied"), fake_ports(tmp_path))
    after = listing(tmp_path)
    assert {name: after.get(name) for name in before} == before
    kept = records.read_record(copied.with_name("copied-earlier"), ports.network_dir)
    assert (kept.name, kept.steps, kept.is_resumable) == ("copied-earlier", 10, True)


def test_continue_and_a_run_without_a_step_make_no_way(pictures, tmp_path):
    first = train(job(pictures), fake_ports(tmp_path, stop_after=5))
    train(job(pictures), fake_ports(tmp_path), resume=True)
    folder = first.log.parent
    assert len(read_log(first.log)) == 10
    assert not folder.with_name(f"{folder.name}-earlier").exists()
    for path in (*folder.rglob("*.state"), *first.network.parent.glob("*.state")):
        path.unlink()
    first.log.write_text(first.log.read_text().splitlines()[0] + "\n")
    assert train(job(pictures), fake_ports(tmp_path)).steps == 10
    assert not folder.with_name(f"{folder.name}-earlier").exists()


@pytest.mark.parametrize("fails_at", [0, 1, 3])
def test_what_cannot_be_moved_is_said_and_all_is_where_it_was(pictures, tmp_path, monkeypatch, fails_at):
    first = train(job(pictures), fake_ports(tmp_path))
    before = listing(tmp_path)
    moved = []

    def move(source, target):
        if len(moved) == fails_at and moved[-1:] != [None]:
            moved.append(None)
            raise PermissionError(13, "Permission denied")
        moved.append(source)
        return disk.put(source, target)

    monkeypatch.setattr(resume, "put", move)
    with pytest.raises(
        SettingsError, match=r"^output\.name: the earlier run in .*-earlier \(Permission denied\); close"
    ):
        train(job(pictures, train__seed=5), fake_ports(tmp_path))
    assert listing(tmp_path) == before
    assert not first.log.parent.with_name(f"{first.log.parent.name}-earlier").exists()


def test_a_full_disk_is_said_too(pictures, tmp_path, monkeypatch):
    train(job(pictures), fake_ports(tmp_path))
    before = listing(tmp_path)

    def full(path, _text):
        raise HypernetworkFileError(f"{path.name}: no room")

    monkeypatch.setattr(resume, "write_text", full)
    with pytest.raises(SettingsError, match=r"^output\.name: .*\(job\.toml: no room\)"):
        train(job(pictures), fake_ports(tmp_path))
    assert listing(tmp_path) == before


def test_a_run_whose_settings_cannot_be_read_keeps_its_name(pictures, tmp_path, caplog):
    first = train(job(pictures), fake_ports(tmp_path))
    (first.log.parent / "job.toml").write_text("[train]\nmax_steps = none\n")
    with caplog.at_level(logging.WARNING):
        assert train(job(pictures), fake_ports(tmp_path)).steps == 10
    assert "keeps its name" in caplog.text
    assert not first.log.parent.with_name(f"{first.log.parent.name}-earlier").exists()


def test_continue_does_not_replace_a_network_that_was_made_anew_after_the_run(pictures, tmp_path):
    half = train(job(pictures), fake_ports(tmp_path, stop_after=5))
    blank = tmp_path / "blank.pt"
    network = files.load(half.network)
    network.metadata.training.clear()
    files.save(network, blank)
    shutil.copyfile(blank, half.network)
    before = half.network.read_bytes()
    reason = rf"^output\.resume_changed: {half.network.name} was made anew after the run to continue"
    with pytest.raises(SettingsError, match=reason):
        train(job(pictures), fake_ports(tmp_path), resume=True)
    assert half.network.read_bytes() == before
    assert train(job(pictures, output__resume_changed=True), fake_ports(tmp_path), resume=True).steps == 10


def test_continue_replaces_the_network_that_the_run_began_from(pictures, tmp_path):
    half = train(job(pictures), fake_ports(tmp_path, stop_after=5))
    state = half.network.with_name(f"{half.network.name}.state")
    network = files.load(half.network)
    network.metadata.training.clear()
    files.save(network, half.network)
    written = state.stat().st_mtime_ns
    os.utime(half.network, ns=(written - 1, written - 1))
    assert train(job(pictures), fake_ports(tmp_path), resume=True).steps == 10


def test_a_network_is_not_newer_than_the_state_that_is_saved_with_it(pictures, tmp_path):
    result = train(job(pictures), fake_ports(tmp_path))
    state = result.network.with_name(f"{result.network.name}.state")
    assert state.stat().st_mtime_ns >= result.network.stat().st_mtime_ns
