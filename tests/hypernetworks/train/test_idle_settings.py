"""Settings that change nothing on the CPU: said when the run is checked and in its log, and true."""

import logging

import pytest
import torch
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, same, weights

IDLE = {
    ("train__unload_encoders", True): "Without a GPU train.unload_encoders changes nothing.",
    ("train__optimizer_on_cpu", True): "Without a GPU train.optimizer_on_cpu changes nothing.",
    ("train__preview_unloads_optimizer", True): "Without a GPU train.preview_unloads_optimizer changes nothing.",
    ("train__attention", "host"): "Without a GPU train.attention gives the same with host as with auto.",
    ("train__unet_storage", "fp8"): "Without a GPU train.unet_storage gives the same with fp8 as with as loaded.",
    ("train__compile_unet", True): "Without a GPU train.compile_unet changes nothing.",
    ("train__precision", "fp32"): "Without a GPU train.precision gives the same with fp32 as with auto.",
}
#: Does not go with fp8.
APART = "train__compile_unet"
WORKING = {"train__unload_encoders": False, "preview__every": "6", "output__sheet": False}


def test_every_such_setting_is_known_here():
    declared = {
        (f"{section}__{name}", value)
        for section, kind in SECTIONS.items()
        for name, _, option in kind.options()
        for value in option.needs_gpu
    }
    assert declared == set(IDLE)


@pytest.mark.parametrize(("setting", "sentence"), IDLE.items())
def test_it_is_said_once_and_true(pictures, tmp_path, caplog, setting, sentence):
    plain = make_job(pictures, **WORKING)
    job = make_job(pictures, **{**WORKING, setting[0]: setting[1]})
    assert make_plan(plain, fake_ports(tmp_path)).idle == ()
    assert make_plan(job, fake_ports(tmp_path)).lines().count(sentence) == 1
    with caplog.at_level(logging.INFO):
        result = train(job, fake_ports(tmp_path / "a"))
    assert caplog.messages.count(sentence) == 1
    assert same(weights(result.network), weights(train(plain, fake_ports(tmp_path / "b")).network))
    assert result.notes == ()


def test_several_are_each_said(pictures):
    together = {setting: sentence for setting, sentence in IDLE.items() if setting[0] != APART}
    job = make_job(pictures, **{**WORKING, **dict(list(together))})
    assert sorted(job.idle_on(torch.device("cpu"))) == sorted(together.values())


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_on_a_gpu_nothing_is_said(pictures, device):
    for setting in IDLE:
        assert make_job(pictures, **{**WORKING, setting[0]: setting[1]}).idle_on(torch.device(device)) == ()
