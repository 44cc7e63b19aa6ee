"""The journal of a tagger's captions: what a kill leaves of it is read again."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError
from hypernetwork_workbench.hypernetworks.data.survey.caption_journal import CaptionJournal


def test_captions_are_pending_until_they_are_written(tmp_path):
    path = tmp_path / "queue" / "captions.jsonl"
    first = CaptionJournal(path)
    first.note("aa", "絵, night\u2028")
    mark = CaptionJournal(path).mark
    assert (mark, CaptionJournal(path).pending) == (first.mark, {"aa": "絵, night\u2028"})
    first.settle()
    first.note("bb", "day")
    again = CaptionJournal(path)
    assert (again.done, again.pending) == ({"aa"}, {"bb": "day"})
    assert again.mark == first.mark != mark
    assert CaptionJournal(path, is_new=True).mark != again.mark
    assert not path.exists()


def test_half_a_line_costs_that_caption_and_no_other(tmp_path):
    path = tmp_path / "captions.jsonl"
    first = CaptionJournal(path)
    for picture in ("aa", "bb"):
        first.note(picture, picture)
    path.write_bytes(path.read_bytes()[:-4])
    again = CaptionJournal(path)
    assert again.pending == {"aa": "aa"}
    again.note("cc", "cc")
    assert CaptionJournal(path).pending == {"aa": "aa", "cc": "cc"}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[1]", b'{"journal": "no"}', b'{"journal": "00"'])
def test_a_file_of_another_form_counts_as_none(tmp_path, content):
    path = tmp_path / "captions.jsonl"
    path.write_bytes(content)
    assert CaptionJournal(path).pending == {}
    assert not path.exists()


def test_a_disk_that_refuses_it_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="cannot be kept"):
        CaptionJournal(tmp_path / "file" / "captions.jsonl").note("aa", "aa")
