"""Conversion of captions to UTF-8: from the encoding that is certain or chosen, all of them or none."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data.captions import Foreign
from hypernetwork_workbench.hypernetworks.data.survey.conversion import ConversionSettings, changes_to_utf8


def found(*captions: Foreign | None):
    """Return a survey in which these captions could not be read; None is a picture that could not."""
    return SimpleNamespace(scan=SimpleNamespace(left_out=[SimpleNamespace(caption=one) for one in captions]))


def foreign(folder: Path, name: str, data: bytes, codec: str) -> Foreign:
    (folder / name).write_bytes(data)
    return Foreign(folder / name, codec, "it is not UTF-8")


def converted(survey, **settings) -> dict[str, str]:
    changes = changes_to_utf8(survey, ConversionSettings(**settings))
    assert all(change.before == change.path.read_bytes() for change in changes)
    return {change.path.name: change.after.decode("utf-8") for change in changes}


def test_what_is_certain_is_converted_and_the_rest_is_left(tmp_path):
    sure = foreign(tmp_path, "a.txt", "夜".encode("cp932"), "cp932")
    unsure = foreign(tmp_path, "b.txt", "夜".encode("euc_jp"), "")
    assert converted(found(sure, None, unsure)) == {"a.txt": "夜"}
    assert converted(found(unsure), encoding="Japanese, EUC-JP") == {"b.txt": "夜"}
    with pytest.raises(SettingsError, match=r"^encoding: choose it here, since it is not certain for b\.txt"):
        converted(found(unsure))


def test_a_choice_counts_but_where_the_bytes_tell(tmp_path):
    sure = foreign(tmp_path, "a.txt", "夜".encode("cp932"), "cp932")
    wide = foreign(tmp_path, "b.txt", "夜".encode("utf-16-le"), "utf-16-le")
    assert converted(found(sure, wide), encoding="Western, Windows-1252") == {"a.txt": "–é", "b.txt": "夜"}


def test_one_file_in_another_encoding_keeps_all_as_they_are(tmp_path):
    fits = foreign(tmp_path, "a.txt", "夜".encode("euc_jp"), "")
    other = foreign(tmp_path, "b.txt", b"\xff\xff", "")
    with pytest.raises(SettingsError, match=r"^encoding: b\.txt is in another one; nothing was converted$"):
        converted(found(fits, other), encoding="Japanese, EUC-JP")


def test_nothing_to_convert_is_told():
    with pytest.raises(SettingsError, match="there is nothing to convert"):
        converted(found(None))
