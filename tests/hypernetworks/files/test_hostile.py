"""Every broken or hostile file ends in one named error: nothing executed, nothing touched, memory bounded."""

import time

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files, report
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.base.outside import shown_name

from tests.support import hostile
from tests.support.memory import peak_memory

MEGABYTE = 1 << 20


def snapshot(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("replaced", [False, True], ids=["own torch.load", "host's torch.load"])
@pytest.mark.parametrize("name", sorted(hostile.CASES))
def test_a_hostile_file_ends_in_its_error(name, replaced, tmp_path, monkeypatch):
    make, reason = hostile.CASES[name]
    path = make(tmp_path)
    if replaced:
        monkeypatch.setattr(torch, "load", lambda *_, **__: None)
    before = snapshot(tmp_path)
    size = path.lstat().st_size if name not in {"null_in_name", "name_too_long"} and path.exists() else 0
    start = time.thread_time()
    with peak_memory() as peak, pytest.raises(HypernetworkFileError, match=reason) as caught:
        files.load(path)
    assert time.thread_time() - start < 5
    assert peak.bytes < 4 * size + 64 * MEGABYTE
    assert str(caught.value).startswith(f"{shown_name(path)}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 800
    assert snapshot(tmp_path) == before
    assert not hostile.marker(path).exists()


def test_the_corpus_is_large():
    assert len(hostile.CASES) >= 40


@pytest.mark.parametrize("name", sorted(hostile.CASES))
def test_a_report_of_a_hostile_file_fails_or_names_the_problem(name, tmp_path):
    path = hostile.CASES[name][0](tmp_path)
    try:
        described = report.describe(path)
    except HypernetworkFileError:
        return
    assert described.problem
    assert not any(described.readers.values())


def test_the_hostile_pickles_do_execute_where_nothing_stops_them(tmp_path):
    path = hostile.CASES["calls_eval"][0](tmp_path)
    torch.load(path, weights_only=False)["x"].close()
    assert hostile.marker(path).exists()
