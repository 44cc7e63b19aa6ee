"""Stamps of files."""

import os

from hypernetwork_workbench.hypernetworks.base.stamps import stamp


def test_a_file_has_another_stamp_once_it_is_written_anew(tmp_path):
    path = tmp_path / "a.pt"
    assert stamp(path) is None
    path.write_bytes(b"12")
    os.utime(path, ns=(1, 10))
    assert stamp(path) == stamp(str(path)) == (10, 2)
    path.write_bytes(b"123")
    os.utime(path, ns=(1, 10))
    assert stamp(path) == (10, 3)
    os.utime(path, ns=(1, 11))
    assert stamp(path) == (11, 3)
