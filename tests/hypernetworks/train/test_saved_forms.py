"""The file that a run writes: its form, the precision of its weights, and what it tells model sites."""

from __future__ import annotations

import datetime
import hashlib
import json

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.file_forms import PRECISIONS
from hypernetwork_workbench.hypernetworks.train.records import read_record
from hypernetwork_workbench.hypernetworks.train.run import train
from safetensors import safe_open

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, same, weights

SAFE = {"output__file_form": ".safetensors", "output__sheet": False}
ABOUT = {
    "output__title": "夜の絵",
    "output__author": "Someone",
    "output__license": "CC-BY-4.0",
    "output__description": "Night, in ink.",
    "output__tags": "ink, night",
    "output__trigger_phrase": "ink style",
}


def header(path):
    with safe_open(path, "pt") as opened:
        return opened.metadata()


@pytest.mark.parametrize("form", [".pt", ".safetensors"])
@pytest.mark.parametrize("precision", list(PRECISIONS))
def test_all_files_of_a_run_have_its_form_and_precision(pictures, tmp_path, form, precision):
    changes = {"output__file_form": form, "output__precision": precision, "output__sheet": False}
    result = train(make_job(pictures, **changes, output__save_every="6"), fake_ports(tmp_path))
    assert result.network.name == f"fake{form}"
    copies = sorted(path.name for path in result.log.parent.glob(f"fake-*{form}"))
    assert copies == [f"fake-000006{form}", f"fake-000012{form}"]
    for path in (result.network, *result.log.parent.glob(f"fake-*{form}")):
        assert {tensor.dtype for tensor in files.read_document(path).tensors()} == {PRECISIONS[precision]}
    whole = train(make_job(pictures, output__sheet=False), fake_ports(tmp_path / "whole"))
    rounded = {name: tensor.to(PRECISIONS[precision]).float() for name, tensor in weights(whole.network).items()}
    assert same(weights(result.network), rounded)


def test_a_run_in_half_precision_goes_on_with_all_digits(pictures, tmp_path):
    changes = {"output__precision": "fp16", **SAFE}
    whole = train(make_job(pictures, **changes), fake_ports(tmp_path / "a"))
    ports = fake_ports(tmp_path / "b")
    half = train(make_job(pictures, **changes, train__max_steps=6), ports)
    assert (half.network.with_name(f"{half.network.name}.state")).exists()
    rest = train(make_job(pictures, **changes), ports, resume=True)
    assert same(weights(whole.network), weights(rest.network))


def test_a_run_may_go_on_with_another_form(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    train(make_job(pictures, output__sheet=False, train__max_steps=6), ports)
    rest = train(make_job(pictures, **SAFE), ports, resume=True)
    assert (rest.steps, rest.steps_now, rest.network.name) == (12, 6, "fake.safetensors")
    whole = train(make_job(pictures, output__sheet=False), fake_ports(tmp_path / "whole"))
    assert same(weights(whole.network), weights(rest.network))


def test_only_the_last_copies_are_kept_in_each_form(pictures, tmp_path):
    result = train(make_job(pictures, **SAFE, output__save_every="2", output__keep_last=2), fake_ports(tmp_path))
    assert sorted(path.name for path in result.log.parent.glob("fake-*.safetensors*")) == [
        "fake-000010.safetensors",
        "fake-000010.safetensors.state",
        "fake-000012.safetensors",
        "fake-000012.safetensors.state",
    ]


def test_the_list_of_runs_finds_the_file(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    result = train(make_job(pictures, **SAFE), ports)
    record = read_record(result.log.parent, ports.network_dir)
    assert record.paths.network == result.network
    assert record.is_resumable


def test_weights_that_are_too_large_for_fp16_are_saved_whole_and_that_is_told(pictures, tmp_path):
    changes = {"optimizer__name": "SGD", "schedule__rate": "1e9", "train__max_steps": 1, "output__sheet": False}
    result = train(make_job(pictures, **changes, output__precision="fp16"), fake_ports(tmp_path))
    largest = max(weight.abs().max() for weight in weights(result.network).values())
    assert largest > torch.finfo(torch.float16).max
    assert "A weight is too large for fp16, so the network was saved in fp32." in result.notes


def test_model_sites_read_what_the_file_is(pictures, tmp_path):
    result = train(make_job(pictures, **SAFE, **ABOUT), fake_ports(tmp_path))
    told = {key.removeprefix("modelspec."): text for key, text in header(result.network).items() if "modelspec." in key}
    date = datetime.datetime.fromisoformat(told.pop("date"))
    assert abs((datetime.datetime.now() - date).total_seconds()) < 3600
    data = result.network.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    assert told.pop("hash_sha256") == f"0x{hashlib.sha256(data[start:]).hexdigest()}"
    assert told == {
        "sai_model_spec": "1.0.0",
        "implementation": "https://github.com/AUTOMATIC1111/stable-diffusion-webui",
        "title": "夜の絵",
        "author": "Someone",
        "license": "CC-BY-4.0",
        "description": "Night, in ink.",
        "tags": "ink, night",
        "trigger_phrase": "ink style",
        "resolution": "32x32",
        "prediction_type": "epsilon",
        **({"architecture": told["architecture"]} if "architecture" in told else {}),
    }
    training = files.load(result.network).metadata.training
    assert training["settings"]["output"]["author"] == "Someone"
    assert json.loads(header(result.network)["training"]) == training


def test_what_nobody_has_told_is_left_out(pictures, tmp_path):
    told = header(train(make_job(pictures, **SAFE), fake_ports(tmp_path)).network)
    assert told["modelspec.title"] == "fake"
    assert not {"modelspec.author", "modelspec.license", "modelspec.tags", "modelspec.description"} & told.keys()
