"""What is remembered of files: an unchanged one is not read again, a changed one is."""

from __future__ import annotations

import os
import time

import pytest
from hypernetwork_workbench.hypernetworks.data.remembered import Recent, Remembered


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "夜.png"
    write(path, b"one")
    return path


def write(path, data, age_s=60.0):
    path.write_bytes(data)
    changed = time.time() - age_s
    os.utime(path, (changed, changed))


def digest(remembered, path, reads):
    def read(of):
        reads.append(of)
        return of.read_bytes().decode()

    return remembered.digest(path, read)


def test_an_unchanged_file_is_read_once(file):
    remembered, reads = Remembered(), []
    assert [digest(remembered, file, reads) for _ in range(3)] == ["one"] * 3
    assert reads == [file]


@pytest.mark.parametrize("age_s", [60.0, 30.0])
def test_a_changed_file_is_read_again_though_it_is_as_long(file, age_s):
    remembered, reads = Remembered(), []
    digest(remembered, file, reads)
    other = file.with_name("new.png")
    write(other, b"two", age_s)
    other.replace(file)
    assert digest(remembered, file, reads) == "two"


def test_a_file_that_was_written_just_now_is_not_trusted_to_stay(file):
    remembered, reads = Remembered(), []
    write(file, b"one", age_s=0.0)
    changed = file.stat().st_mtime_ns
    digest(remembered, file, reads)
    file.write_bytes(b"two")
    os.utime(file, ns=(changed, changed))  # within one tick of the disk's clock
    assert digest(remembered, file, reads) == "two"


def test_what_was_found_is_found_once_and_none_is_a_finding():
    remembered, calls = Remembered(), []
    for _ in range(2):
        assert remembered.found("a", lambda: calls.append(1)) is None
    assert calls == [1]


def test_the_longest_unused_is_dropped():
    recent = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    recent.get("a")
    recent.put("c", 3)
    assert dict(recent.items()) == {"a": 1, "c": 3}
    assert recent.get("b") is None
