"""A run makes way where others have written meanwhile, where names are odd, and where it is killed at it."""

import errno
import os
from dataclasses import replace

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base import disk
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, TrainingError
from hypernetwork_workbench.hypernetworks.embedding.vectors import no_network
from hypernetwork_workbench.hypernetworks.files.create import create_file
from hypernetwork_workbench.hypernetworks.train import records, resume
from hypernetwork_workbench.hypernetworks.train.resume import make_way
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.job import CreateSettings
from hypernetwork_workbench.hypernetworks.train.state import make_state

from tests.support.fake_ports import fake_ports
from tests.support.fake_words import BOTH, word_ports
from tests.support.runs import make_job, read_log, same, weights

LARGE = {"layer_structure": [1, 100, 100, 1], "dropout_structure": [0, 0, 0, 0]}
SAVING = {"output__overwrite": True, "output__save_every": "4", "output__sheet": False, "train__max_steps": 10}


def job(pictures, **changes):
    return make_job(pictures, **SAVING | changes)


def listing(folder):
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def record_of(ports, name):
    return records.read_record(ports.log_dir / name, ports.network_dir, ports.embedding_dir)


def dies_at_once(ports):
    def predict(*_):
        raise MemoryError

    ports.denoiser.predict = predict
    return ports


def made(ports, **structure):
    settings = CreateSettings(name="fake", overwrite=True, **{"widths": (12,), "activation": "relu"} | structure)
    return create_file(settings, (12, 16), ports.network_dir)


@pytest.mark.parametrize(
    "anew",
    [{"activation": "tanh"}, {"layer_structure": (1, 4, 4, 1)}, {"widths": (12, 16)}, {"layer_norm": True}, None],
    ids=["another activation", "other layers", "other widths", "other parts", "none"],
)
def test_the_earlier_run_writes_its_own_network_whatever_the_file_is_by_now(pictures, tmp_path, anew):
    ports = fake_ports(tmp_path)
    changes = {"network__file": str(made(ports)), "network__dropout_structure": "", "output__resume_changed": True}
    first = train(job(pictures, **changes), ports)
    before = files.load(first.network)
    assert make_way(ports.log_dir / "fake", ports.network_dir) == "fake-earlier"
    if anew is None:
        first.network.unlink()
    else:
        made(ports, **anew)
    again = train(record_of(ports, "fake-earlier").job, fake_ports(tmp_path), resume=True)
    after = files.load(again.network)
    assert (after.widths, after.structure.activation) == (before.widths, "relu")
    assert after.structure.layer_structure == before.structure.layer_structure
    assert same(weights(again.network), before.state_dict())


def test_a_run_that_goes_on_without_its_file_ends_as_one_without_a_break(pictures, tmp_path):
    changes = {"network__dropout_structure": "", "output__name": "other"}
    results = []
    for part in ("whole", "halves"):
        ports = fake_ports(tmp_path / part, stop_after=5 if part == "halves" else None)
        start = job(pictures, **changes, network__file=str(made(ports)))
        results.append(train(start, ports))
    made(ports).unlink()
    rest = train(start, fake_ports(tmp_path / "halves"), resume=True)
    assert same(weights(rest.network), weights(results[0].network))


def test_a_state_that_tells_of_an_impossible_network_is_refused(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    train(job(pictures, network__file=str(made(ports)), network__dropout_structure=""), ports)
    saved = resume.read_state(ports.network_dir / "fake.pt.state")
    for wrong in ({"activation": "sin(x)"}, {"layer_structure": "1, 2, 1"}, {"layer_structure": [1, 1e9, 1]}):
        origin = replace(saved.origin, structure=saved.origin.structure | wrong)
        with pytest.raises(TrainingError, match=r"fake\.pt\.state: the saved state does not fit"):
            replace(saved, origin=origin).network(files.load(ports.network_dir / "fake.pt"))
    captured = saved.captured | {"network": {"pairs.60000.0.linear.0.weight": None}}
    origin = replace(saved.origin, structure=saved.origin.structure | LARGE)
    with pytest.raises(TrainingError, match=r"fake\.pt\.state: the saved state does not fit"):
        replace(saved, origin=origin, captured=captured).network(no_network())


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


@pytest.mark.parametrize("moves", range(9))
def test_a_move_that_is_killed_is_ended_by_the_next_start(pictures, tmp_path, monkeypatch, moves):
    ports = fake_ports(tmp_path)
    first = train(job(pictures, preview__every="5"), ports)
    before = listing(first.log.parent)
    whole, state = weights(first.network), first.network.with_name("fake.pt.state").read_bytes()
    done = []

    def put(source, target):
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(source)
        disk.put(source, target)

    really_unlink = type(tmp_path).unlink

    def unlink(path, missing_ok=False):
        if path.name == "job.toml":
            raise KeyboardInterrupt
        really_unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(resume, "put", put)
        for name in ("_put_back", "_drop"):
            patch.setattr(resume, name, lambda *_: None)
        if moves == 8:  # all is moved, and the settings are not yet taken away
            patch.setattr(type(tmp_path), "unlink", unlink)
        with pytest.raises(KeyboardInterrupt):
            make_way(first.log.parent, ports.network_dir)
    assert train(job(pictures, train__seed=5, output__save_every="0"), fake_ports(tmp_path)).steps == 10
    folders = {path.name for path in ports.log_dir.iterdir() if (path / "job.toml").is_file()}
    assert folders == {"fake", "fake-earlier"}
    kept = record_of(ports, "fake-earlier")
    after = listing(kept.paths.folder)
    assert after.pop("fake-earlier-running.state") == state
    for one in (before, after):
        one.pop("job.toml")
    assert after == {name.replace("fake-0", "fake-earlier-0"): data for name, data in before.items()}
    assert not (kept.paths.folder / ".moving").exists()
    assert same(weights(train(kept.job, fake_ports(tmp_path), resume=True).network), whole)
    assert len(read_log(kept.paths.log)) == 10


def test_a_killed_move_that_fails_at_the_next_start_is_ended_by_the_one_after_it(pictures, tmp_path, monkeypatch):
    ports = fake_ports(tmp_path)
    first = train(job(pictures), ports)
    before = listing(first.log.parent)
    for error in (KeyboardInterrupt, PermissionError(13, "Permission denied")):
        done = []

        def put(source, target, error=error, done=done):
            if len(done) == 2:
                raise error
            done.append(source)
            disk.put(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(resume, "put", put)
            if error is KeyboardInterrupt:
                for name in ("_put_back", "_drop"):
                    patch.setattr(resume, name, lambda *_: None)
            with pytest.raises((KeyboardInterrupt, SettingsError)):
                make_way(first.log.parent, ports.network_dir)
    assert make_way(first.log.parent, ports.network_dir) == "fake-earlier"
    kept = record_of(ports, "fake-earlier")
    assert len(listing(kept.paths.folder)) == len(before) + 1
    assert not first.log.parent.with_name("fake-earlier-2").exists()


def test_a_run_that_was_killed_while_it_moved_does_not_mix_with_what_came_meanwhile(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    first = train(job(pictures), ports)
    aside = first.log.parent.with_name("fake-earlier")
    aside.mkdir()
    for name in (".moving", "log.csv"):
        (aside / name).write_text("somebody's")
    train(job(pictures), fake_ports(tmp_path))
    assert (aside / "log.csv").read_text() == "somebody's"
    assert record_of(ports, "fake-earlier-2").steps == 10


def test_a_state_on_another_disk_moves_and_one_that_does_not_fit_there_stays(tmp_path, monkeypatch):
    source, target = tmp_path / "a.state", tmp_path / "b.state"
    source.write_bytes(b"12")

    def rename(_source, _target):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(type(source), "rename", rename)

    def full(_source, place):
        place.write_bytes(b"1")
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(disk.shutil, "copy2", full)
        with pytest.raises(OSError, match="full"):
            disk.put(source, target)
    assert (source.read_bytes(), target.exists()) == (b"12", False)
    disk.put(source, target)
    assert (source.exists(), target.read_bytes()) == (False, b"12")
    target.unlink()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="ross-device"):
        disk.put(tmp_path / "folder", target)
    assert not target.exists()
