import errno
import os
import stat
import subprocess
import sys

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base import atomic
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError, TrainingError
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

NETWORK = Hypernetwork.create(Structure(), [8], 0)


def test_the_file_appears_whole_and_nothing_else_does(tmp_path):
    path = tmp_path / "n.bin"
    with atomic.atomic_write(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_leaves_the_old_file(tmp_path):
    path = tmp_path / "n.bin"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic.atomic_write(path) as file:
            file.write(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions are another matter elsewhere")
def test_a_replaced_file_keeps_its_mode_and_a_new_one_has_the_usual(tmp_path):
    path = tmp_path / "n.bin"
    atomic.write_bytes(path, b"1")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o640)
    atomic.write_text(path, "ä")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_bytes() == "ä".encode()


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
@pytest.mark.parametrize("name", ["n.pt", "n.safetensors"])
def test_a_full_disk_leaves_the_old_network_whole_and_says_so(moment, name, tmp_path, monkeypatch):
    path = tmp_path / name
    files.save(NETWORK, path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if moment == "write":
        real = os.fdopen

        def narrow(descriptor, mode):
            file = real(descriptor, mode, buffering=0)

            class Full:
                def __getattr__(self, attribute):
                    return full if attribute == "write" else getattr(file, attribute)

                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    file.close()

            return Full()

        monkeypatch.setattr(os, "fdopen", narrow)
    elif moment == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(atomic.Path, "replace", full)
    with pytest.raises(HypernetworkFileError, match=rf"^{name}: .*No space left on device; nothing was changed$"):
        files.save(Hypernetwork.create(Structure(), [8], 1), path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert torch.equal(next(files.load(path).parameters()), next(NETWORK.parameters()))


def test_a_folder_that_refuses_leaves_the_old_network_whole_and_says_so(tmp_path, monkeypatch):
    path = tmp_path / "n.pt"
    files.save(NETWORK, path)
    before = path.read_bytes()
    real = os.open

    def read_only(name, flags, *rest):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(name, flags, *rest)

    # The rights of a folder do not bind the superuser, whom tests may run as.
    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(HypernetworkFileError, match="Permission denied; nothing was changed"):
        files.save(NETWORK, path)
    assert path.read_bytes() == before


def test_a_folder_in_the_way_or_missing_is_named(tmp_path):
    (tmp_path / "n.pt").mkdir()
    with pytest.raises(HypernetworkFileError, match=r"n\.pt: cannot be written, a folder has this name"):
        files.save(NETWORK, tmp_path / "n.pt")
    with pytest.raises(HypernetworkFileError, match="No such file or directory"):
        files.save(NETWORK, tmp_path / "missing" / "n.pt")
    with pytest.raises(TrainingError), atomic.atomic_write(tmp_path / "missing" / "x", TrainingError):
        pass


@pytest.mark.skipif(os.name != "posix", reason="these are kinds of files of POSIX")
@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path, kind):
    path = tmp_path / "n.json"
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    before = path.lstat()
    with pytest.raises(HypernetworkFileError, match=rf"n\.json: cannot be written, {kind} has this name"):
        atomic.write_text(path, "{}")
    assert path.lstat().st_ino == before.st_ino


def test_what_killed_processes_left_is_swept_and_nothing_else(tmp_path, monkeypatch):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    alive = os.getppid()
    host = atomic._HOST
    other = "0" * 8 if host != "0" * 8 else "1" * 8
    swept = [f".n.{host}-{dead.pid}-0a1b2c3d.part", f".n.{host}-{os.getpid()}-0a1b2c3d.part", ".年.0a1b2c3e.part"]
    kept = [f".n.{host}-{alive}-0a1b2c3d.part", f".n.{other}-{dead.pid}-0a1b2c3d.part", ".n.0a1b2c3d.part"]
    kept += ["n.part", ".n.part", ".n.xyz.part", f".n.{host}-{dead.pid}-0a1b2c3d.part.txt", "n.pt"]
    for name in (*swept, *kept):
        (tmp_path / name).touch()
    os.utime(tmp_path / swept[2], (0, 0))
    with atomic.atomic_write(tmp_path / "new.pt"):
        now = next(path.name for path in tmp_path.glob(".new.*.part"))
        assert atomic.sweep(tmp_path) == len(swept)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, now])
        # Where nobody else can be writing the others of ours go too.
        assert atomic.sweep(tmp_path, is_held=True) == 3
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept[3:], now])
    assert atomic.sweep(tmp_path / "missing") == 0
