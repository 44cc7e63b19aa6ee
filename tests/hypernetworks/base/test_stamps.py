"""Stamps of files."""

import os

import pytest
from hypernetwork_workbench.hypernetworks.base.stamps import stamp


def test_a_file_has_another_stamp_once_it_is_written_anew(tmp_path):
    path = tmp_path / "a.pt"
    assert stamp(path) is None
    path.write_bytes(b"12")
    os.utime(path, ns=(1, 10))
    number = path.stat().st_ino
    assert stamp(path) == stamp(str(path)) == (10, 2, number)
    path.write_bytes(b"123")
    os.utime(path, ns=(1, 10))
    assert stamp(path) == (10, 3, number)
    os.utime(path, ns=(1, 11))
    assert stamp(path) == (11, 3, number)


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_to_another_file_of_the_same_archive_has_another_stamp(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"12")
        os.utime(tmp_path / name, ns=(1, 10))
    link = tmp_path / "link"
    link.symlink_to("a")
    before = stamp(link)
    link.unlink()
    link.symlink_to("b")
    assert before == stamp(tmp_path / "a") != stamp(link) == stamp(tmp_path / "b")
