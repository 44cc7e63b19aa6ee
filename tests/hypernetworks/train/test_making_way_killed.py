"""A run that makes way loses nothing where that is killed, a mark of it stays, or the disk is full."""

import errno
import os

import pytest
from hypernetwork_workbench.hypernetworks.base import disk
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.train import resume
from hypernetwork_workbench.hypernetworks.train.resume import make_way
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.earlier_runs import dies_at_once, job, listing, make_way_killed, record_of
from tests.support.fake_ports import fake_ports
from tests.support.runs import read_log, same, weights


@pytest.mark.parametrize("moves", range(9))
def test_a_move_that_is_killed_is_ended_by_the_next_start(pictures, tmp_path, moves):
    ports = fake_ports(tmp_path)
    first = train(job(pictures, preview__every="5"), ports)
    before = listing(first.log.parent)
    whole, state = weights(first.network), first.network.with_name("fake.pt.state").read_bytes()
    # The last: all is moved, and the settings are not yet taken away.
    make_way_killed(first.log.parent, ports.network_dir, moves, "job.toml" if moves == 8 else "")
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
    make_way_killed(first.log.parent, ports.network_dir, 2)

    def put(source, target):
        if source.name == "log.csv":
            raise PermissionError(13, "Permission denied")
        disk.put(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(resume, "put", put)
        with pytest.raises(SettingsError, match="Permission denied"):
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


def test_a_mark_that_stays_changes_no_other_run(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    train(job(pictures, train__seed=3), ports)
    assert make_way(ports.log_dir / "fake", ports.network_dir) == "fake-earlier"
    aside = ports.log_dir / "fake-earlier"
    (aside / ".moving").touch()
    before = listing(aside)
    for _ in range(3):
        with pytest.raises(MemoryError):
            train(job(pictures, train__seed=77, output__state_minutes=0), dies_at_once(fake_ports(tmp_path)))
        for name in ("length.json", "log.csv"):  # as where the disk was full before them
            (ports.log_dir / "fake" / name).unlink()
    assert listing(aside) == before
    assert {path.name for path in ports.log_dir.iterdir() if (path / "job.toml").is_file()} == {"fake", "fake-earlier"}


def test_a_mark_that_cannot_be_taken_away_refuses_no_start(pictures, tmp_path, monkeypatch):
    ports = fake_ports(tmp_path)
    first = train(job(pictures), ports)
    really_unlink = type(tmp_path).unlink

    def unlink(path, missing_ok=False):
        if path.name == ".moving":
            raise PermissionError(13, "Permission denied")
        really_unlink(path, missing_ok)

    monkeypatch.setattr(type(tmp_path), "unlink", unlink)
    for number in ("", "-2", "-3"):
        assert train(job(pictures, train__seed=5), fake_ports(tmp_path)).steps == 10
        assert record_of(ports, f"fake-earlier{number}").steps == 10
    assert len(read_log(first.log)) == 10


def test_what_was_continued_after_a_killed_move_gets_a_name_of_its_own(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    first = train(job(pictures), ports)
    state = first.network.with_name("fake.pt.state").read_bytes()
    make_way_killed(first.log.parent, ports.network_dir, 1)
    assert train(job(pictures), fake_ports(tmp_path), resume=True).steps == 10
    assert make_way(first.log.parent, ports.network_dir) == "fake-earlier-2"
    assert (ports.log_dir / "fake-earlier" / "fake-earlier-running.state").read_bytes() == state
    assert record_of(ports, "fake-earlier-2").is_resumable


def test_a_copy_that_does_not_fit_on_the_disk_is_taken_away_again(pictures, tmp_path, monkeypatch):
    ports = fake_ports(tmp_path)
    first = train(job(pictures), ports)
    before = listing(tmp_path)

    def full(_source, target):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(resume.shutil, "copy2", full)
    copy = first.log.parent / "fake-000008.pt"
    with pytest.raises(SettingsError, match="No space left"):
        make_way(first.log.parent, ports.network_dir, begun_from=copy)
    assert listing(tmp_path) == before
    assert not first.log.parent.with_name("fake-earlier").exists()
