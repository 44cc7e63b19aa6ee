"""Caches that somebody has damaged: what does not fit is made again."""

import os

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.forms import Array, Record
from hypernetwork_workbench.hypernetworks.data.encoding.cache import Cache
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support import faults
from tests.support.fake_ports import fake_ports
from tests.support.faults import caches
from tests.support.runs import make_job

#: No folder can be made where these are: a run says so before it begins.
REFUSED = {f"cache: {name} in place of the folder" for name in ("a file", "a pipe", "a device")}


@pytest.mark.parametrize("case", list(caches.cases()), ids=lambda case: case.name)
def test_what_does_not_fit_in_a_cache_is_made_again(case, tmp_path):
    refusal = faults.said(case, tmp_path)
    assert refusal is None if case.name not in REFUSED else refusal.startswith("data.cache: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes by name")
def test_what_is_in_the_way_of_one_picture_keeps_no_other_from_being_kept(pictures, tmp_path):
    train(make_job(pictures), fake_ports(tmp_path))
    kept = sorted((tmp_path / "logs" / "latents").glob("*.safetensors"))
    for path in kept:
        path.unlink()
    os.mkfifo(kept[0])
    train(make_job(pictures, output__name="again"), fake_ports(tmp_path))
    assert len([path for path in kept if path.is_file()]) == len(kept) - 1


def test_a_header_that_is_too_long_is_not_even_parsed(tmp_path, caplog):
    text = b'{"mean":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'.ljust(5000)
    (tmp_path / "x.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    assert Cache(tmp_path, 1).load("x", Record({"mean": Array((0,), torch.float32)})) is None
    assert "its header is too long" in caplog.text
