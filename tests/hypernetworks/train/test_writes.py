"""A run on a disk that is full, and where something stands in its way."""

import errno
import os
import shutil
import subprocess
import sys

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.tracking import logs
from hypernetwork_workbench.hypernetworks.train.tracking.logs import CsvLog, PackageLog
from hypernetwork_workbench.hypernetworks.train.tracking.metrics import StepRecord
from hypernetwork_workbench.hypernetworks.train.tracking.notes import Notes

from tests.support import faults
from tests.support.fake_ports import fake_ports
from tests.support.faults import writes
from tests.support.runs import make_job, read_log, same, weights

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the faults are made with the means of POSIX")


@pytest.mark.parametrize("case", list(writes.cases()), ids=lambda case: case.name)
def test_nothing_is_lost_and_one_sentence_tells(case, tmp_path):
    sentence = faults.said(case, tmp_path)
    assert sentence is None or "\n" not in sentence


def record(step):
    return StepRecord(step, 1, 0.5, 0.1, 2, 1.0)


def test_the_lines_of_a_log_wait_for_room(tmp_path, monkeypatch):
    notes = Notes()
    log = CsvLog(tmp_path / "log.csv", None, notes=notes)
    log.after_step(record(1))

    class Full:
        name = log._file.name
        room = 7

        def write(self, data):
            if not self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            part, self.room = bytes(data[: self.room]), 0
            return real.write(part)

    real, log._file = log._file, Full()
    log.after_step(record(2))
    log.after_step(record(3))
    log._file = real
    log.after_step(record(4))
    log.close()
    assert [row["step"] for row in read_log(tmp_path / "log.csv")] == ["1", "2", "3", "4"]
    assert len(notes.lines) == 1
    assert str(tmp_path) in notes.lines[0]
    assert "No space left" in notes.lines[0]


def test_a_torn_log_is_read_as_far_as_it_is_whole(tmp_path):
    path = tmp_path / "log.csv"
    log = CsvLog(path, None)
    for step in range(1, 4):
        log.after_step(record(step))
    log.close()
    with path.open("ab") as file:
        file.write(b'4,1,\xff\x00"0.5\r')
    log = CsvLog(path, None, resumed_step=3)
    log.after_step(record(4))
    log.close()
    assert [row["step"] for row in read_log(path)] == ["1", "2", "3", "4"]


def test_a_package_that_fails_is_left_out_for_the_rest_of_the_run():
    class Failing:
        def __init__(self):
            self.calls = 0

        def after_step(self, _record):
            self.calls += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        add_pictures = close = after_step

    notes, failing = Notes(), Failing()
    log = PackageLog("TensorBoard", failing, notes)
    log.after_step(record(1))
    log.after_step(record(2))
    log.close()
    assert failing.calls == 1
    assert notes.lines == ["TensorBoard failed, and the run goes on without it: [Errno 28] No space left on device"]


def test_copies_previews_and_states_that_find_no_room_do_not_end_a_run(pictures, tmp_path, monkeypatch):
    from hypernetwork_workbench.hypernetworks.train import saving
    from hypernetwork_workbench.hypernetworks.train.tracking import previews

    def full(_network, path, *_, **_how):
        raise HypernetworkFileError(f"{path.name}: cannot be written to {path.parent}: No space left on device")

    real = files.save
    monkeypatch.setattr(
        saving.files, "save", lambda net, path, **how: (real if path.stem == "fake" else full)(net, path, **how)
    )
    monkeypatch.setattr(previews, "save_picture", full)
    changes = {"output__save_every": "5", "preview__every": "6", "output__sheet": False}
    done = train(make_job(pictures, **changes), fake_ports(tmp_path / "full"))
    monkeypatch.undo()
    whole = train(make_job(pictures, output__sheet=False), fake_ports(tmp_path / "whole"))
    assert same(weights(done.network), weights(whole.network))
    assert any("fake-000005.pt" in note for note in done.notes)
    assert any("preview" in note for note in done.notes)


def test_tensorboard_where_a_file_has_the_name_of_its_folder_is_refused_before_the_run(pictures, tmp_path):
    place = tmp_path / "logs" / "fake" / "tensorboard"
    place.parent.mkdir(parents=True)
    place.touch()
    with pytest.raises(logs.SettingsError, match=r"tensorboard is a file, where the run needs a folder"):
        train(make_job(pictures), fake_ports(tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        "log.csv",
        "job.toml",
        "length.json",
        "sheet.png",
        "fake-running.state",
        "fake-best.pt",
        "fake-unfinished.pt.state",
    ],
)
def test_a_folder_with_the_name_of_a_file_of_the_run_is_refused_before_it(pictures, tmp_path, name):
    (tmp_path / "logs" / "fake" / name).mkdir(parents=True)
    with pytest.raises(logs.SettingsError, match=rf"{name} is a folder, where the run writes a file"):
        train(make_job(pictures), fake_ports(tmp_path))
    assert not (tmp_path / "hypernetworks" / "fake.pt").exists()


SMALL_DISK = """
import sys, logging
from pathlib import Path
logging.basicConfig(level=logging.WARNING)
from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError
disk, pictures = map(Path, sys.argv[1:])
changes = {"network__layer_structure": "1, 64, 1", "network__dropout_structure": "", "train__max_steps": 40,
           "output__save_every": "2", "preview__every": "2", "preview__prompt": "a cat", "output__sheet": False}
try:
    train(make_job(pictures, **changes), fake_ports(disk))
except WorkbenchError as error:
    print(error)
"""


def test_on_a_disk_of_8_mb_what_was_made_stays_and_the_sentence_names_the_disk(pictures, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=False).returncode:
        pytest.skip("this system lets no test mount a disk; the cases of a full disk stand in for it")
    try:
        from tests import sources
        from tests.support.mount import mounted

        path = os.pathsep.join([str(mounted(tmp_path)), str(sources.ROOT)])
        done = subprocess.run(
            [sys.executable, "-c", SMALL_DISK, disk, pictures],
            capture_output=True,
            text=True,
            cwd=sources.ROOT,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            timeout=600,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert done.returncode == 0
        assert str(disk) in done.stdout + done.stderr
        assert "No space left" in done.stdout + done.stderr
        found = [path for path in disk.rglob("*.pt") if files.load(path)]
        assert found
        assert not list(disk.rglob("*.part"))
    finally:
        subprocess.run(["umount", disk], check=True)
