"""Logs of others' packages hold the numbers of the run, the same ones as the CSV file."""

import json
import struct
import sys
import time

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.train.records import read_record
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.output import OutputSettings

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, read_log

SECONDS_TO_WRITE = 60
SERIES = {
    "loss/train": "loss",
    "rate": "rate",
    "gradient_norm": "gradient_norm",
    "loss/validation": "validation_loss",
}
CHANGES = {
    "preview__every": "6",
    "train__validation_share": 0.3,
    "schedule__rate": "0.01:5,0.002",
    "output__sheet": False,
}


def of_csv(result, column):
    """Return the numbers of a column by their steps."""
    return {int(row["step"]): pytest.approx(float(row[column])) for row in read_log(result.log) if row[column]}


def test_tensorboard_holds_losses_settings_and_previews(pictures, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = train(make_job(pictures, output__tensorboard=True, **CHANGES), fake_ports(tmp_path))
    events = EventAccumulator(str(result.log.parent / "tensorboard"))
    events.Reload()
    for series, column in SERIES.items():
        assert {event.step: event.value for event in events.Scalars(series)} == of_csv(result, column)
    assert len(events.Scalars("loss/train")) == 12
    assert [event.step for event in events.Images("preview/1")] == [6, 12]
    assert events.Scalars("hparam/loss")[0].value == of_csv(result, "loss")[12]


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """In its offline mode the real package writes to a file what it would send."""
    for name, value in {"MODE": "offline", "SILENT": "true", "CONSOLE": "off", "ERROR_REPORTING": "false"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    for name in ("CONFIG", "CACHE", "DATA", "ARTIFACT"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "wandb"))


NAMED = {"output__log_project": "inks", "output__log_prefix": "march-", "output__sheet": False}


def test_wandb_has_the_project_and_the_run_of_the_settings(offline, pictures, tmp_path):
    logs = tmp_path / "all logs"
    train(make_job(pictures, output__wandb=True, **NAMED, output__log_dir=str(logs)), fake_ports(tmp_path))
    (path,) = logs.glob("wandb/offline-run-*/*.wandb")
    (run,) = [record.run for record in wandb_records(path) if record.HasField("run")]
    assert (run.project, run.display_name) == ("inks", "march-fake")


@pytest.mark.parametrize(
    ("names", "place"),
    [
        ({}, "logs/fake/tensorboard"),
        (NAMED, "logs/fake/tensorboard/march-fake/inks"),
        ({"output__log_dir": "{}/all"}, "all/fake"),
        ({"output__log_dir": "{}/all", "output__log_run": "夜 2", "output__log_prefix": "a-"}, "all/a-夜 2"),
    ],
)
def test_tensorboard_writes_to_the_folder_of_the_settings(pictures, tmp_path, names, place):
    names = {name: one.format(tmp_path) if isinstance(one, str) else one for name, one in names.items()}
    ports = fake_ports(tmp_path)
    job = make_job(pictures, output__tensorboard=True, **{"output__sheet": False, "train__max_steps": 1} | names)
    result = train(job, ports)
    record = read_record(result.log.parent, ports.network_dir)
    assert record.paths.tensorboard == tmp_path / place
    assert list((tmp_path / place).glob("events.out.tfevents.*"))


@pytest.mark.parametrize("field", ["log_project", "log_run", "log_prefix"])
def test_names_of_logs_are_no_paths(field):
    with pytest.raises(SettingsError, match="must not contain /") as caught:
        OutputSettings(name="x", **{field: "../up"})
    assert caught.value.field == field


def test_wandb_holds_losses_settings_and_previews(offline, pictures, tmp_path):
    result = train(make_job(pictures, output__wandb=True, **CHANGES), fake_ports(tmp_path))
    (path,) = result.log.parent.glob("wandb/offline-run-*/*.wandb")
    records = wandb_records(path)
    lines = [
        {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.HasField("history")
    ]
    for series, column in SERIES.items():
        assert {line["_step"]: line[series] for line in lines if series in line} == of_csv(result, column)
    sizes = {
        line["_step"]: (line["preview.width"], line["preview.height"]) for line in lines if "preview.width" in line
    }
    assert sizes == {6: (32, 32), 12: (32, 32)}
    assert len(list(path.parent.glob("files/media/images/*.png"))) == 2
    (run,) = [record.run for record in records if record.HasField("run")]
    assert (run.project, run.display_name) == ("hypernetworks", "fake")
    settings = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert settings["schedule.rate"] == "0.01:5,0.002"
    assert [record.exit.exit_code for record in records if record.HasField("exit")] == [0]


def wandb_records(path):
    """Return the records of a file of wandb, whose own process may still write it when the run has ended."""
    give_up = time.monotonic() + SECONDS_TO_WRITE
    while True:
        records = records_written(path)
        if records and records[-1].HasField("exit"):
            return records
        assert time.monotonic() < give_up, f"{path} has no end: {len(records)} records"
        time.sleep(0.05)


def records_written(path):
    """Return the records in the file by now: a header of 7 bytes, then LevelDB's log format in blocks of 32 KiB."""
    from wandb.proto import wandb_internal_pb2

    data, records, place, part = path.read_bytes(), [], 7, b""
    while place + 7 <= len(data):
        room = 32768 - place % 32768
        if room < 7:
            place += room
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        if place + 7 + length > len(data):
            break
        part += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            records.append(wandb_internal_pb2.Record.FromString(part))
            part = b""
    return records


@pytest.mark.parametrize(("kind", "package"), [("wandb", "wandb"), ("tensorboard", "torch.utils.tensorboard")])
def test_a_missing_package_is_named(pictures, tmp_path, monkeypatch, kind, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SettingsError, match=rf"^output\.{kind}: needs the package {kind}"):
        train(make_job(pictures, **{f"output__{kind}": True}), fake_ports(tmp_path))
