"""Torch files mapped into memory, with names in them that are left out: nothing is executed, nothing else comes out."""

import collections
import contextlib
import os
import pickle

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.files import pickle_reader
from hypernetwork_workbench.hypernetworks.files.torch_reader import read_mapped

from tests.support import hostile


class Callback:
    """An object of a library that trains; it has state, items and a place as a key."""

    def __init__(self):
        self.best = 0.5


class Settings(dict):
    """A mapping of such a library."""


class Steps(list):
    """A list of such a library."""


def skips(name):
    return name.startswith(__name__) or name == "collections.Counter"


def read(path, leave_out=skips):
    with path.open("rb") as file:
        return read_mapped(file, path.stat().st_size, leave_out)


def left_out():
    return {
        "object": Callback(),
        "mapping": Settings(a=Settings(b=1)),
        "list": Steps([1, Callback()]),
        "class": Callback,
        "called": collections.Counter("aab"),
    }


def test_what_is_left_out_is_none_and_all_else_is_there(tmp_path):
    weights = {"a": torch.randn(3, 4), "part": torch.arange(12.0).reshape(3, 4)[1:, ::2], "none": torch.empty(0, 2)}
    content = {**left_out(), "keys": {Callback: 1, "b": 2}, "in": [1, Callback(), (2, Callback)], "weights": weights}
    torch.save(content, tmp_path / "x.ckpt")
    found = read(tmp_path / "x.ckpt")
    for name, weight in weights.items():
        assert torch.equal(found["weights"][name], weight)
    assert found["keys"] == {"b": 2}
    assert found["in"] == [1, None, (2, None)]
    assert [found[name] for name in left_out()] == [None] * len(left_out())


@pytest.mark.parametrize("name", left_out())
def test_what_is_not_left_out_is_refused(name, tmp_path):
    torch.save({"x": left_out()[name]}, tmp_path / "x.ckpt")
    with pytest.raises(HypernetworkFileError, match="asks for"):
        read(tmp_path / "x.ckpt", lambda name: False)
    with pytest.raises(HypernetworkFileError, match="asks for"):
        pickle_reader.read(pickle.dumps(left_out()[name], protocol=2))


def test_the_file_stays_as_it_is_whatever_is_written_into_its_tensors(tmp_path):
    path = tmp_path / "x.ckpt"
    torch.save({"a": torch.ones(2000)}, path)
    before = path.read_bytes()
    found = read(path)["a"]
    found.mul_(2)
    assert found.sum() == 4000
    del found
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", sorted(hostile.CASES))
def test_no_hostile_file_gets_further_than_its_error(name, tmp_path):
    path = hostile.CASES[name][0](tmp_path)
    if name in {"null_in_name", "name_too_long"} or not path.is_file() or not os.access(path, os.R_OK):
        return
    with contextlib.suppress(HypernetworkFileError):
        read(path)
    assert not hostile.marker(path).exists()


@pytest.mark.parametrize("cut", [1, 100, 1000, 5000])
def test_a_file_that_is_cut_is_refused(cut, tmp_path):
    path = tmp_path / "x.ckpt"
    torch.save({"a": torch.ones(2000)}, path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(HypernetworkFileError):
        read(path)


@pytest.mark.parametrize(
    "name", ["two_archives_in_one", "member_twice", "member_that_leads_out", "overlapping_zip_bomb"]
)
def test_members_that_torch_never_writes_are_refused_with_their_reason(name, tmp_path):
    make, reason = hostile.CASES[name]
    with pytest.raises(HypernetworkFileError, match=reason):
        read(make(tmp_path))
