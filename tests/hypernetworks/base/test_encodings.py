"""Texts as bytes: what is written by marks is read, the rest is named with what it looks like."""

import sys
import time

import pytest
from hypernetwork_workbench.hypernetworks.base.encodings import EncodingError, decode, likely, ranked

TEXT = "[data]\r\nfolder = 'D:/絵/夜' # é\n"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("text", [TEXT, "", "a", "👩‍🎨", "表示"])
def test_utf_8_is_read_with_and_without_its_mark(codec, text):
    assert decode(text.encode(codec)) == text


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_what_shells_and_editors_write_with_a_mark_is_read(codec):
    assert decode(f"\ufeff{TEXT}".encode(codec)) == TEXT


@pytest.mark.parametrize("data", ["\ufeff\ufeff夜".encode(), "夜\x1a".encode(), "\ufeff夜\x1a".encode("utf-16-le")])
def test_what_joining_and_dos_leave_around_a_text_is_no_part_of_it(data):
    assert decode(data) == "夜"


@pytest.mark.parametrize(
    ("codec", "text", "words"),
    [
        ("cp932", "1girl, 青い目, 黒髪", "Japanese text in Shift-JIS"),
        ("cp932", "folder = 'D:/絵/練習用'", "Japanese text in Shift-JIS"),
        ("gb18030", "1女孩, 蓝眼睛, 黑发", "Chinese text in GBK"),
        ("gb18030", "[data]\nfolder = 'D:/图片/我的训练集'", "Chinese text in GBK"),
        ("big5", "黑頭髮的女孩", "Chinese text in Big5"),
        ("euc_jp", "1girl, 青い目, 黒髪", "Japanese text in EUC-JP"),
        ("cp949", "소녀, 파란 눈", "Korean text in CP949"),
        ("cp1251", "девочка, синие глаза", "Cyrillic text in Windows-1251"),
        ("cp1252", "folder = 'C:/Users/Jérôme/images'", "Western text in Windows-1252"),
    ],
)
def test_pages_of_one_language_are_told_and_nothing_is_guessed_silently(codec, text, words):
    with pytest.raises(EncodingError, match=f"it is not UTF-8; it looks like {words}; save it as UTF-8") as caught:
        decode(text.encode(codec))
    assert caught.value.likely[0] == codec
    assert text.encode(codec).decode(caught.value.likely[0]) == text


def test_a_page_that_is_less_likely_is_told_too():
    assert "cp949" in likely("소녀, 파란 눈".encode("cp949"))  # these bytes are Chinese as well


def test_a_long_text_is_told_from_its_start():
    assert likely("青い目, 黒髪\n".encode("cp932") * 20_000)[0] == "cp932"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("1girl, 青い目".encode("utf-16-le"), "it looks like UTF-16 without a byte order mark; save it as UTF-8"),
        ("1girl, solo".encode("utf-16-be"), "it looks like UTF-16 without a byte order mark; save it as UTF-8"),
        (b"a\0b", "the character NUL in it"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "the character NUL in it"),
        (b"\xff\xfea", "its byte order mark is that of UTF-16-LE, and it is damaged"),
        ("青い目".encode("iso2022_jp"), "Japanese text in JIS; save it as UTF-8"),
    ],
)
def test_what_is_no_readable_text_is_refused_with_the_reason(data, reason):
    with pytest.raises(EncodingError, match=reason):
        decode(data)


def test_without_the_library_the_place_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    with pytest.raises(EncodingError, match=r"it is not UTF-8 text .* at byte 1"):
        decode(b"a\xff")


def test_texts_are_ranked_together_and_certain_only_where_nothing_else_is_near():
    short = ["猫", "夜", "傘"]
    codecs, is_certain = ranked([short[0].encode("euc_jp")])
    assert "euc_jp" in codecs
    assert not is_certain
    codecs, is_certain = ranked([text.encode("euc_jp") for text in (*short, "青い目の少女", "夕焼けの橋")])
    assert (codecs[0], is_certain) == ("euc_jp", True)
    assert ranked([b"\xff\xd8\xff\xe0\x10JFIF\x81"]) == ((), False)


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp932", "夜の猫 1girl, "),
        ("cp932", "1girl青い目"),
        ("gb18030", "1女孩solo蓝眼睛, "),
        ("euc_jp", "夜の猫 1girl\n"),
        ("cp949", "소녀 1girl, "),
    ],
)
@pytest.mark.parametrize("count", [1, 10, 2000])
def test_words_of_ascii_close_to_others_make_no_other_page(codec, text, count):
    assert likely((text * count).encode(codec))[0] == codec


def test_megabytes_in_another_page_are_told_in_time():
    data = "青い目の少女, 黒髪\n".encode("cp932") * 200_000
    start = time.thread_time()
    assert likely(data)[0] == "cp932"
    assert time.thread_time() - start < 4
