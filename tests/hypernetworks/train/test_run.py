"""What a run leaves and tells besides its network."""

import os

import pytest
from hypernetwork_workbench.hypernetworks.base import atomic
from hypernetwork_workbench.hypernetworks.base.errors import TrainingError
from hypernetwork_workbench.hypernetworks.train import run
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job


def test_a_run_that_fails_in_its_first_step_leaves_no_weights(pictures, tmp_path):
    for failing, kept in ((1, False), (2, True)):
        ports, calls = fake_ports(tmp_path / str(failing)), []

        def predict(*arguments, whole=ports.denoiser.predict, calls=calls, failing=failing):
            calls.append(1)
            if len(calls) == failing:
                raise TrainingError("the model is gone")
            return whole(*arguments)

        ports.denoiser.predict = predict
        with pytest.raises(TrainingError, match="the model is gone"):
            train(make_job(pictures), ports)
        assert (ports.log_dir / "fake" / "fake-unfinished.pt").exists() == kept


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ((810.4, 800.0), "The steps took 800 MB at most in addition to model and network; 810 MB were expected."),
        ((None, 800.0), "The steps took 800 MB at most in addition to model and network."),
        ((None, None), None),
    ],
)
def test_the_memory_that_the_steps_took_is_told(pictures, tmp_path, monkeypatch, caplog, told, sentence):
    caplog.set_level("INFO")
    monkeypatch.setattr(run, "to_tell", lambda *_: told)
    result = train(make_job(pictures, train__max_steps=1, output__sheet=False), fake_ports(tmp_path))
    assert (result.estimated_mb, result.memory_mb) == told
    found = [record.getMessage() for record in caplog.records if "The steps took" in record.getMessage()]
    assert found == ([sentence] if sentence else [])


def test_what_a_killed_run_left_half_written_goes_with_the_next_one(pictures, tmp_path):
    """Of a living process: in the folders of the run nobody else is writing, but beside it somebody may."""
    ports = fake_ports(tmp_path)
    part = f".a.{atomic._HOST}-{os.getppid()}-0123abcd.part"
    folders = [ports.log_dir / "fake", ports.log_dir / "fake" / "previews", ports.network_dir]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / part).write_text("half")
    train(make_job(pictures, train__max_steps=1, output__sheet=False), ports)
    assert [(folder / part).exists() for folder in folders] == [False, False, True]
