"""Letters in pictures: Japanese, Chinese, Korean, Arabic and emoji in fonts that have them, and never a box."""

import shutil
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base import lettering
from PIL import Image, ImageDraw, ImageFont, features

HERE = {path.name: path for path in lettering._files()}
CJK = HERE.get("NotoSansCJK-Regular.ttc")
DEJAVU = HERE.get("DejaVuSans.ttf")
CACHES = (lettering._of, lettering._of_whole, lettering._files)


@pytest.fixture
def fonts(monkeypatch, tmp_path):
    """Return a function that says which font files this computer has."""

    def have(*paths: Path) -> None:
        for path in paths:
            shutil.copy(path, tmp_path)
        monkeypatch.setattr(lettering, "_FOLDERS", (str(tmp_path),))
        monkeypatch.setattr(lettering, "_PACKAGE", "no_such_package")
        for cache in CACHES:
            cache.cache_clear()

    yield have
    for cache in CACHES:
        cache.cache_clear()


def drawn(text: str, size_px: int = 16) -> bytes:
    picture = Image.new("L", (400, 40), "white")
    lettering.write(ImageDraw.Draw(picture), (4, 20), text, size_px)
    return picture.tobytes()


def in_font(path: Path, text: str, size_px: int = 16) -> bytes:
    picture = Image.new("L", (400, 40), "white")
    font = ImageFont.truetype(str(path), size_px)
    ImageDraw.Draw(picture).text((4, 20), text, fill="black", font=font, anchor="lm")
    return picture.tobytes()


@pytest.mark.skipif(CJK is None, reason="no font with Japanese here")
@pytest.mark.parametrize("text", ["黒髪の少女、夜空", "简体中文提示词", "검은머리소녀", "ＦＵＬＬカナｶﾅ"])
def test_japanese_chinese_and_korean_are_drawn_in_a_font_that_has_them(fonts, text):
    fonts(CJK)
    assert lettering.plain(text, 16) == text
    assert drawn(text) == in_font(CJK, text)


@pytest.mark.parametrize("text", ["黒髪の少女、夜空", "简体中文提示词", "繁體中文", "검은머리소녀", "ночь"])
def test_the_font_of_the_standalone_program_has_them_where_the_computer_has_none(fonts, monkeypatch, text):
    package = lettering._PACKAGE
    pytest.importorskip(package, reason="the environment is older than the pin of the font")
    fonts()
    assert lettering.plain(text, 16) is None
    monkeypatch.setattr(lettering, "_PACKAGE", package)
    for cache in CACHES:
        cache.cache_clear()
    assert lettering.plain(text, 16) == text


@pytest.mark.parametrize("text", ["黒髪の少女", "검은 머리", "สวัสดี", "مرحبا", "𓀀", "\ue000", "\uffff"])
def test_a_letter_that_no_font_has_is_never_drawn(fonts, text):
    fonts()
    assert lettering.plain(text, 16) is None or "U+" in lettering.plain(text, 16)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("night 🌙", "night (crescent moon)"),
        ("👩\u200d👧", "(woman)(girl)"),
        ("♥\ufe0f", "(black heart suit)"),
        ("ＡＢ Ñandú", "AB Nandu"),
    ],
)
def test_what_no_font_has_is_named_or_written_more_simply(fonts, text, expected):
    fonts()
    assert lettering.plain(text, 16) == expected


@pytest.mark.skipif(DEJAVU is None or not features.check("raqm"), reason="no font with Arabic here")
@pytest.mark.parametrize("text", ["שלום עולם", "مرحبا بالعالم abc"])
def test_a_line_from_right_to_left_is_drawn_as_a_whole_in_one_font(fonts, text):
    fonts(DEJAVU)
    assert lettering.plain(text, 16) == text
    assert drawn(text) == in_font(DEJAVU, text)


def test_letters_from_right_to_left_are_not_drawn_where_pillow_cannot_order_them(fonts, monkeypatch):
    fonts(*filter(None, [DEJAVU]))
    monkeypatch.setattr(features, "check", lambda _name: False)
    assert lettering.plain("שלום", 16) is None


def test_a_damaged_font_is_passed_over(fonts, tmp_path):
    fonts()
    (tmp_path / "NotoSansCJK-damaged.ttc").write_bytes(b"no font")
    assert lettering.plain("black hair", 16) == "black hair"
    assert lettering.plain("黒髪", 16) is None


@pytest.mark.parametrize("text", ["one two three " * 20, "w" * 300, "è" * 200, "", "short"])
def test_lines_fit_and_say_where_they_are_cut(fonts, text):
    fonts()
    plain = lettering.plain(text, 11)
    lines = lettering.lines(plain, 11, 192)
    assert len(lines) <= 2
    assert all(lettering.length(line, 11) <= 192 for line in lines)
    assert lines[-1].endswith(("…", "...")) == (len(text) > 20)


def test_half_of_a_pair_of_codes_and_line_breaks_do_no_harm(fonts):
    fonts()
    assert lettering.plain("a\ud83c\n b", 16) == "a? b"
