"""Encodings of caption files: read by their mark, else recognised for a whole folder; nothing is read wrong unsaid."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, SettingsError
from hypernetwork_workbench.hypernetworks.data.captions import read_caption
from hypernetwork_workbench.hypernetworks.data.scan import ScanHooks, scan_pictures
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.data.survey.caption_edits import History
from hypernetwork_workbench.hypernetworks.data.survey.conversion import ConversionSettings, changes_to_utf8
from hypernetwork_workbench.hypernetworks.data.survey.survey import SurveyRequest, survey
from hypernetwork_workbench.hypernetworks.data.survey.thumbnails import Thumbnails
from hypernetwork_workbench.hypernetworks.pages.sentences import in_page_words
from PIL import Image

TEXT = "1girl, 青い目、夜の街"
JAPANESE = ["夜の街、雨が降る", "青い目の少女", "1girl, 傘", "猫", "夕焼け、橋の上に立つ"]
CHINESE = ["夜晚的街道，下雨", "蓝眼睛的女孩", "1girl, 雨伞", "猫", "夕阳下，站在桥上"]
TAIWANESE = ["夜晚的街道，下雨", "藍眼睛的女孩", "1girl, 雨傘", "貓", "夕陽下，站在橋上"]
KOREAN = ["밤거리, 비", "파란 눈의 소녀", "1girl, 우산", "고양이", "노을, 다리 위"]
WESTERN = ["une fille à côté", "forêt brûlée, été", "Mädchen, Bäume", "1girl, crème", "größer, Tür"]
RUSSIAN = ["ночь, дождь", "девушка, голубые глаза", "1girl, зонт", "кошка", "закат"]


class Watcher:
    def report(self, done, total, text):
        pass

    def is_interrupted(self):
        return False


def put(folder: Path, captions: dict[str, bytes]) -> Path:
    for name, caption in captions.items():
        Image.new("RGB", (16, 16)).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_bytes(caption)
    return folder


def scan(folder):
    return scan_pictures(DataSettings(folder=str(folder), width=16, height=16), "n", 0, ScanHooks())


def look(folder):
    return survey(SurveyRequest(DataSettings(folder=str(folder), width=16, height=16)), Thumbnails(), Watcher())


@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF8 * 2, "utf-8"),
    ],
)
def test_marked_texts_are_read(tmp_path, mark, codec):
    (tmp_path / "a.txt").write_bytes(mark + f"{TEXT}\r\n".encode(codec))
    assert read_caption(tmp_path / "a.png") == TEXT


def test_the_end_sign_of_old_systems_is_no_part_of_a_caption(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a cat\r\n\x1a")
    assert read_caption(tmp_path / "a.png") == "a cat"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (TEXT.encode("utf-16-le"), "UTF-16 without a byte order mark"),
        ("a cat".encode("utf-16-be"), "UTF-16 without a byte order mark"),
        (b"a\0cat", "the character NUL"),
        (b"\0\0\0\0", "the character NUL"),
        ("夜空".encode("utf-16-le"), r"U\+001C"),  # without ASCII there is no NUL, and it happens to be UTF-8
        (b"a \x07 cat", r"U\+0007"),
        (b"a \x1b[31mcat", r"U\+001B"),
        ("青い目".encode("iso2022_jp"), "JIS"),
        (codecs.BOM_UTF16_LE + b"abc", "damaged"),
        (b"\xff\xd8\xff\xe0\x10JFIF", "not UTF-8"),
        (b"x" * 40_001, "larger than 40,000 bytes"),
    ],
)
def test_what_is_no_text_is_refused_by_name(tmp_path, data, reason):
    put(tmp_path, {"a": data, "b": b"fine"})
    with pytest.raises(DatasetError, match=rf"^a\.txt: the caption cannot be read \(.*{reason}"):
        read_caption(tmp_path / "a.png")
    found = scan(tmp_path)
    assert [one.path.name for one in found.left_out] == ["a.png"]
    assert found.left_out[0].sentence.startswith("a.txt: the caption cannot be read (")
    assert [sample.written for sample in found.samples] == ["fine"]


@pytest.mark.parametrize(
    ("codec", "captions", "words"),
    [
        ("cp932", JAPANESE, "Japanese text in Shift-JIS"),
        ("euc_jp", JAPANESE, "Japanese text in EUC-JP"),
        ("iso2022_jp", JAPANESE, "ISO2022-JP"),
        ("gb18030", CHINESE, "Chinese text in GBK"),
        ("big5", TAIWANESE, "Chinese text in Big5"),
        ("cp949", KOREAN, "Korean text in CP949"),
        ("cp1252", WESTERN, "Western text in Windows-1252"),
        ("latin-1", WESTERN, "Western text in Windows-1252"),
        ("cp1251", RUSSIAN, "Cyrillic text in Windows-1251"),
        ("utf-16-le", [*JAPANESE[:3], *KOREAN[:2]], "UTF-16-LE"),
        ("utf-16-be", [*JAPANESE[:3], *CHINESE[:2]], "UTF-16-BE"),
    ],
)
def test_a_folder_in_another_encoding_is_recognised_converted_and_given_back(tmp_path, codec, captions, words):
    put(tmp_path, {f"{number}x": text.encode(codec) for number, text in enumerate(captions)})
    before = {path: path.read_bytes() for path in tmp_path.glob("*.txt")}
    seen = look(tmp_path)
    named = [one for one in seen.scan.left_out if one.caption]
    assert seen.scan.samples == ()
    assert len(named) == len(captions)
    assert sum(f"it is not UTF-8 but {words}: “{text}" in one.sentence for one in named for text in captions) >= 4
    assert all(words in one.sentence for one in named)
    assert all("“Convert to UTF-8” in the tab Dataset" in in_page_words(one.sentence, {}) for one in named)
    edit = History(tmp_path / "edits").apply("edit", changes_to_utf8(seen, ConversionSettings()))
    after = {int(sample.path.stem[0]): sample.written for sample in look(tmp_path).samples}
    assert after == dict(enumerate(captions))
    History(tmp_path / "edits").undo(edit)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.txt")} == before


def test_a_short_caption_is_told_with_the_others_of_its_folder(tmp_path):
    put(tmp_path, {"a": "夜雨".encode("euc_jp")})
    (found,) = scan(tmp_path).left_out
    assert found.caption.codec == ""
    assert "it is not UTF-8 and may be " in found.sentence
    seen = look(tmp_path)
    with pytest.raises(SettingsError, match=r"^encoding: choose it here, since it is not certain for a\.txt"):
        changes_to_utf8(seen, ConversionSettings())
    (change,) = changes_to_utf8(seen, ConversionSettings(encoding="Japanese, EUC-JP"))
    assert change.after == "夜雨".encode()
    put(tmp_path, {f"{number}x": text.encode("euc_jp") for number, text in enumerate(JAPANESE)})
    assert {one.caption.codec for one in scan(tmp_path).left_out} == {"euc_jp"}


@pytest.mark.parametrize(
    ("codec", "captions", "word"),
    [("euc_jp", JAPANESE, "猫"), ("gb18030", CHINESE, "猫"), ("gb18030", CHINESE, "猫, 猫")],
)
def test_a_caption_that_is_utf_8_by_chance_is_not_trained_among_others(tmp_path, codec, captions, word):
    put(tmp_path, {"chance": word.encode(codec)})
    assert scan(tmp_path).left_out == ()  # nobody could tell
    put(tmp_path, {f"{number}x": text.encode(codec) for number, text in enumerate(captions)})
    put(tmp_path, {"utf8": "青い目の少女、夜".encode(), "ascii": b"1girl"})
    found = scan(tmp_path)
    assert [sample.path.stem for sample in found.samples] == ["ascii", "utf8"]
    assert any("chance.txt: it is not certain how to read the caption" in one.sentence for one in found.left_out)
    changes = {change.path.stem: change.after for change in changes_to_utf8(look(tmp_path), ConversionSettings())}
    assert changes["chance"] == word.encode()
    assert "utf8" not in changes


def test_letters_with_accents_beside_western_text_are_not_doubted(tmp_path):
    put(tmp_path, {f"{number}x": text.encode("cp1252") for number, text in enumerate(WESTERN)})
    put(tmp_path, {"utf8": "Mädchen, Bäume".encode()})
    assert [sample.written for sample in scan(tmp_path).samples] == ["Mädchen, Bäume"]


def test_folders_and_mixed_encodings_are_judged_by_themselves(tmp_path):
    for name, codec, captions in (("ja", "cp932", JAPANESE), ("zh", "gb18030", CHINESE)):
        (tmp_path / name).mkdir()
        put(tmp_path / name, {f"{number}x": text.encode(codec) for number, text in enumerate(captions)})
    assert {one.path.parent.name: one.caption.codec for one in scan(tmp_path).left_out} == {
        "ja": "cp932",
        "zh": "gb18030",
    }
    put(tmp_path / "ja", {"other": "девушка, голубые глаза и рыжие волосы".encode("cp1251")})
    told = {one.path.stem: one.caption.codec for one in scan(tmp_path / "ja").left_out}
    assert told["other"] == "cp1251"
    assert told["0x"] == "cp932"
    assert set(told.values()) <= {"cp932", "cp1251", ""}


def test_files_that_are_not_in_the_chosen_encoding_are_named_and_none_is_touched(tmp_path):
    put(tmp_path, {"a": "夜の街".encode("cp932"), "b": "é".encode("cp1252")})
    before = {path: path.read_bytes() for path in tmp_path.glob("*.txt")}
    with pytest.raises(SettingsError, match=r"^encoding: b\.txt is in another one; nothing was converted"):
        changes_to_utf8(look(tmp_path), ConversionSettings(encoding="Japanese, Shift-JIS"))
    assert {path: path.read_bytes() for path in tmp_path.glob("*.txt")} == before


def test_without_the_library_a_caption_is_refused_and_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    put(tmp_path, {"a": "夜の街".encode("cp932"), "b": b"fine"})
    (found,) = scan(tmp_path).left_out
    assert found.sentence.startswith("a.txt: the caption cannot be read (it is not UTF-8 text")
    assert "with charset-normalizer installed" in found.sentence


def test_a_caption_that_can_be_read_is_never_converted(tmp_path):
    put(tmp_path, {"a": b"fine", "b": codecs.BOM_UTF16_LE + "夜".encode("utf-16-le")})
    with pytest.raises(SettingsError, match="there is nothing to convert"):
        changes_to_utf8(look(tmp_path), ConversionSettings())


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "iso2022_jp"])
def test_what_its_bytes_tell_is_read_so_whatever_is_chosen_for_the_others(tmp_path, codec):
    put(tmp_path, {"a": "青い目の猫1".encode("euc_jp"), "b": "1girl, 夜".encode(codec)})
    changes = changes_to_utf8(look(tmp_path), ConversionSettings(encoding="Japanese, EUC-JP"))
    assert [change.after for change in changes] == ["青い目の猫1".encode(), "1girl, 夜".encode()]
