"""A run makes way where others have written meanwhile, and where names are odd."""

import os
from dataclasses import replace

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
from hypernetwork_workbench.hypernetworks.base.names import ended
from hypernetwork_workbench.hypernetworks.train.resume import earlier_folders, make_way
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.state import make_state

from tests.support.earlier_runs import dies_at_once, job, record_of
from tests.support.fake_ports import fake_ports
from tests.support.fake_words import BOTH, word_ports


@pytest.mark.parametrize("steps", [0, 1])
def test_the_state_of_another_folder_stays_with_its_run(pictures, tmp_path, steps):
    ports = fake_ports(tmp_path)
    train(job(pictures, output__save_every="0", train__max_steps=20), fake_ports(tmp_path, stop_after=5))
    state = (ports.network_dir / "fake.pt.state").read_bytes()
    daily = replace(fake_ports(tmp_path), log_dir=ports.log_dir / "2026-01-01")
    other = job(pictures, output__save_every="0", output__state_minutes=0, train__seed=5)
    for _ in range(2):
        with pytest.raises(MemoryError):
            train(other, dies_at_once(daily))
        if steps:
            rows = (ports.log_dir / "fake" / "log.csv").read_text().splitlines()
            (daily.log_dir / "fake" / "log.csv").write_text("\n".join(rows[: 1 + steps]) + "\n")
    assert (ports.network_dir / "fake.pt.state").read_bytes() == state
    assert [path.name for path in daily.log_dir.iterdir() if path.is_dir() and path.name != "latents"] == ["fake"]
    assert train(record_of(ports, "fake").job, fake_ports(tmp_path), resume=True).steps == 20


@pytest.mark.parametrize("name", ["x" * 200, "夜" * 66, "夜" * 63 + " 夜夜"], ids=["latin", "kanji", "cut at a blank"])
def test_the_longest_names_can_be_trained_again(pictures, tmp_path, name):
    changes = {"output__name": name, "output__save_every": "0", "output__resume_changed": True}
    for seed in range(3):
        train(job(pictures, **changes, train__seed=seed), fake_ports(tmp_path))
    folders = {path.name for path in fake_ports(tmp_path).log_dir.iterdir() if (path / "job.toml").is_file()}
    assert len(folders) == 3
    assert all(len(one.encode()) <= 200 for one in folders)
    for one in folders - {name}:
        assert one.endswith(("-earlier", "-earlier-2"))
        assert train(record_of(fake_ports(tmp_path), one).job, fake_ports(tmp_path), resume=True).network.stem == one


def test_a_run_does_not_take_the_name_of_a_word_that_it_trains(pictures, tmp_path):
    changes = BOTH | {"output__name": "Fake", "embedding__names": "faKe-earlier, blip", "output__resume_changed": True}
    for seed in range(2):
        train(job(pictures, **changes, train__seed=seed), word_ports(tmp_path))
    kept = record_of(word_ports(tmp_path), "Fake-earlier-2")
    copies = {path.name for path in kept.paths.folder.glob("*-000004.pt")}
    assert copies == {"Fake-earlier-2-000004.pt", "faKe-earlier-000004.pt", "blip-000004.pt"}
    assert train(kept.job, word_ports(tmp_path), resume=True).steps == 10


def test_a_run_can_begin_from_a_copy_of_the_earlier_one_with_its_optimizer(pictures, tmp_path, caplog):
    ports = fake_ports(tmp_path)
    first = train(job(pictures), ports)
    copy = first.log.parent / "fake-000008.pt"
    state = make_state(job(pictures), files.load(copy), ports.denoiser)
    for weight in state.learner.parameters():
        weight.grad = weight.detach().clone()
    state.optimizer.step()
    beside = files.optimizer_path(copy)
    files.save_optimizer_state(beside, "AdamW", state.optimizer.state_dict(), files.short_hash(copy))
    before = copy.read_bytes(), beside.read_bytes()
    changes = {"network__file": str(copy), "network__dropout_structure": "", "output__save_every": "0"}
    with caplog.at_level("INFO"):
        half = train(job(pictures, **changes), fake_ports(tmp_path, stop_after=5))
    assert "Going on with the optimizer state beside fake-000008.pt." in caplog.messages
    assert (copy.read_bytes(), beside.read_bytes()) == before
    aside = first.log.parent.with_name("fake-earlier")
    assert (aside / "fake-earlier-000008.pt").read_bytes() == before[0]
    assert {path.name for path in half.log.parent.glob("*-0*")} == {copy.name, beside.name}
    assert train(record_of(ports, "fake").job, fake_ports(tmp_path), resume=True).steps == 10


def test_copies_without_their_states_are_kept_too(pictures, tmp_path):
    first = train(job(pictures, output__keep_last=2, train__max_steps=18), fake_ports(tmp_path))
    for path in (*first.log.parent.glob("*.state"), *first.network.parent.glob("*.state")):
        path.unlink()
    first.log.write_text("\n".join(first.log.read_text().splitlines()[:-2]) + "\n")  # it did not end
    train(job(pictures, output__keep_last=2), fake_ports(tmp_path))
    copies = {path.name for path in first.log.parent.parent.glob("*/*-0*.pt")}
    assert copies == {"fake-000004.pt", "fake-000008.pt", "fake-earlier-000012.pt", "fake-earlier-000016.pt"}


@pytest.mark.parametrize("forms", [(".pt", ".safetensors"), (".safetensors", ".pt")], ids=" then ".join)
def test_states_beside_both_forms_of_file_go_along_and_the_newest_is_what_continues(pictures, tmp_path, forms):
    changes = {"output__save_every": "0"}
    train(job(pictures, **changes, output__file_form=forms[0]), fake_ports(tmp_path))
    longer = job(pictures, **changes, output__file_form=forms[1], train__max_steps=14)
    train(longer, fake_ports(tmp_path), resume=True)
    ports = fake_ports(tmp_path)
    with pytest.raises(MemoryError):
        train(job(pictures, **changes, train__seed=9), dies_at_once(ports))
    assert not list(ports.network_dir.glob("*.state"))
    with pytest.raises(TrainingError, match=r"no saved state of fake .*; the run before it is called fake-earlier now"):
        train(job(pictures, **changes, train__seed=9), fake_ports(tmp_path), resume=True)
    kept = record_of(ports, "fake-earlier")
    again = train(kept.job, fake_ports(tmp_path), resume=True)
    assert (again.steps, again.steps_now) == (14, 0)


def test_two_states_beside_keep_each_its_name(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    first = train(job(pictures, output__save_every="0"), ports)
    state = first.network.with_name("fake.pt.state")
    older = state.with_name("fake.safetensors.state")
    older.write_bytes(state.read_bytes())
    os.utime(older, ns=(0, 0))
    assert make_way(first.log.parent, ports.network_dir) == "fake-earlier"
    names = {path.name for path in (ports.log_dir / "fake-earlier").glob("*.state")}
    assert names == {"fake-earlier-running.state", "fake.safetensors.state"}


def test_all_earlier_runs_of_the_longest_names_are_found(tmp_path):
    folder = tmp_path / ("夜" * 66)
    names = [ended(folder.name, ending) for ending in ("-earlier", "-earlier-2", "-earlier-10")]
    for name in (*names, ended(folder.name, "-early"), folder.name):
        (tmp_path / name).mkdir()
    assert sorted(path.name for path in earlier_folders(folder)) == sorted(names)
