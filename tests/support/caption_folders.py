"""Folders of pictures with captions as people write them, made from a seed, with what each caption is meant to be."""

from __future__ import annotations

import codecs
import io
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from PIL import Image

ALL_LINES, TAG_LINES, FIRST_LINE, ONE_LINE = "all lines", "one tag a line", "first line", "one line at random"

_WORDS = {
    "plain": "1girl|solo|blue_eyes|a red house|(smile:1.2)|masterpiece|7 birds|night|v1.5|it's raining",
    "japanese": "夜の街|雨が降る|青い目|傘を持つ少女|夕焼け|橋の上に立つ|長い髪|振り返る|笑顔の女の子|目線|桜の木",
    "chinese": "夜晚的街道|正在下雨|蓝眼睛|撑伞的少女|夕阳西下|站在桥上|长头发|回头看|微笑的女孩|看镜头|樱花树",
    "taiwanese": "夜晚的街道|正在下雨|藍眼睛|撐傘的少女|夕陽西下|站在橋上|長頭髮|回頭看|微笑的女孩|看鏡頭|櫻花樹",
    "korean": "밤거리|비가 내린다|파란 눈|우산을 든 소녀|노을|다리 위에 서다|긴 머리|뒤돌아보기|웃는 여자아이|벚나무",
    "western": "une fille à côté|forêt brûlée|ciel étoilé|Mädchen am Fluß|schöne Brücke|Bäume|été|chaîne dorée|größer",
    "russian": "ночной город|идёт дождь|голубые глаза|девушка с зонтом|закат|на мосту|длинные волосы|улыбка",
}
_WORDS_OF = {language: words.split("|") for language, words in _WORDS.items()}
_FOREIGN = [
    ("cp932", "japanese"),
    ("euc_jp", "japanese"),
    ("iso2022_jp", "japanese"),
    ("gb18030", "chinese"),
    ("gbk", "chinese"),
    ("big5", "taiwanese"),
    ("euc_kr", "korean"),
    ("cp949", "korean"),
    ("cp1252", "western"),
    ("latin-1", "western"),
    ("cp1251", "russian"),
]
#: Encodings in which a short text may be UTF-8 by chance.
_OF_PAIRS = ("cp932", "euc_jp", "gb18030", "gbk", "big5")
_MARKED = [
    (b"", "utf-8"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
]
#: Names of pictures, and the words in them.
_NAMES = [
    ("1girl, solo", "1girl, solo"),
    ("00012-0-red_house", "red house"),
    ("0007", ""),
    ("12 cats", "cats"),
    ("２人_夜", "２人 夜"),
    ("００３　空", "空"),
    ("v1.5 Cat", "v1.5 Cat"),
    ("IMG_0001", "IMG 0001"),
    ("photo (1)", "photo (1)"),
    ("3d-Render", "3d-Render"),
    ("ガラスの城", "ガラスの城"),
    ("Ünïcode Tag", "Ünïcode Tag"),
    ("a.b.c", "a.b.c"),
]
_SEPARATORS = [", ", ",", "、", "，", " , ", ",  ", "，　"]
_BREAKS = ["\n", "\r\n", "\r"]
#: Folders with what their names say of repeats; None where they must be refused.
_FOLDERS: list[tuple[str, int | None, str]] = [
    ("10_cats", 10, "cats"),
    ("１２_夜の街", 12, "夜の街"),
    ("3 _a cat", 3, "a cat"),
    ("7_", 7, ""),
    ("2＿red_hat", 2, "red hat"),
    ("0_later", 0, "later"),
    ("-3_cat", None, ""),
    ("3.5_x", None, ""),
    ("98765432_title", None, ""),
    ("0,5_half", None, ""),
]


@dataclass
class Meant:
    """What one picture is meant to be.

    Attributes:
        captions: the texts that it may be trained with; empty where it must be left out.
        file: name of the caption file that a sentence must name then.
        data: what that file holds, and the text that it is meant to be, where it is in another encoding.
        repeats: how often it is shown; 0 where its folder is passed over.
    """

    captions: list[str]
    tags: list[str] | None = None
    file: str = ""
    data: bytes = b""
    text: str = ""
    repeats: int = 1


@dataclass
class CaptionFolder:
    """A folder that was made.

    Attributes:
        settings: those of the dataset.
        pictures: what each picture is meant to be.
        unused: caption files that no picture uses.
        refused: a folder that the one sentence about all must name; empty where there is none.
    """

    settings: dict[str, object]
    pictures: dict[Path, Meant] = field(default_factory=dict)
    unused: set[Path] = field(default_factory=set)
    refused: str = ""


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (90, 40, 200)).save(file, "PNG")
    return file.getvalue()


_PNG = _picture()


class Maker:
    """Makes the folder of a seed."""

    def __init__(self, place: Path, seed: int) -> None:
        self.draw = Random(seed)
        self.lines = self.draw.choice([ALL_LINES, ALL_LINES, TAG_LINES, FIRST_LINE, ONE_LINE])
        self.codec, self.language = "", self.draw.choice(["plain", "japanese", "chinese", "korean", "western"])
        if self.draw.random() < 0.3:
            self.codec, self.language = self.draw.choice(_FOREIGN)
        self.has_faults = not self.codec and self.draw.random() < 0.3
        self.made = CaptionFolder(
            {
                "folder": str(place),
                "width": 16,
                "height": 16,
                "caption_lines": self.lines,
                "shuffle_tags": seed % 3 == 0,
            }
        )
        if self.draw.random() < 0.3:
            self._numbered(place)
        else:
            self._fill(place, "", 1)
        for path in self.draw.sample(sorted(self.made.pictures), 1):
            self._strays(path)

    def _numbered(self, place: Path) -> None:
        self.made.settings["folder_repeats"] = True
        chosen = [self.draw.choice(_FOLDERS[:5]), *self.draw.sample(_FOLDERS, self.draw.randint(0, 2))]
        for name, repeats, class_tokens in dict.fromkeys(chosen):
            self._fill(place / name, class_tokens, repeats or 0)
            if repeats is None and not self.made.refused:
                self.made.refused = name
        refused = sorted(name for name, repeats, _ in chosen if repeats is None)
        self.made.refused = refused[0] if refused else ""

    def _fill(self, place: Path, class_tokens: str, repeats: int) -> None:
        place.mkdir(parents=True, exist_ok=True)
        count = self.draw.randint(1, 7)
        self.has_short = self.codec in _OF_PAIRS and count > 3  # with none beside it nobody could tell
        for stem, words in self.draw.sample(_NAMES, count):
            picture = place / (stem + self.draw.choice([".png", ".png", ".PNG", ".Png"]))
            picture.write_bytes(_PNG)
            meant = self._captioned(picture) or Meant([class_tokens or words])
            meant.repeats = repeats
            self.made.pictures[picture] = meant

    def _captioned(self, picture: Path) -> Meant | None:
        """Write the caption file of a picture; return None where it gets none."""
        stem, name = picture.stem, picture.name
        forms = [
            *[[f"{stem}.txt"]] * 4,
            [f"{stem}.TXT"],
            [f"{stem}.Txt"],
            [f"{stem}.caption"],
            [f"{stem}.CAPTION"],
            [f"{name}.txt"],
            [f"{name}.TXT"],
            [f"{stem.swapcase()}.txt"],
            [unicodedata.normalize("NFD", stem) + ".txt"],
            [f"{stem}.txt", f"{name}.txt"],
            [f"{stem}.txt", f"{stem}.caption"],
            [f"{name}.Txt", f"{stem}.caption"],
        ]
        if self.draw.random() < 0.1:
            return None
        first, *others = self.draw.choice(forms)
        for other in others:
            picture.with_name(other).write_bytes(b"unused")
            self.made.unused.add(picture.with_name(other))
        if self.has_faults and self.draw.random() < 0.3:
            return self._faulty(picture.with_name(first))
        return self._written(picture.with_name(first))

    def _written(self, path: Path) -> Meant:
        is_western = self.language in ("western", "russian")
        separator = self.draw.choice([one for one in _SEPARATORS if one.isascii()] if is_western else _SEPARATORS)
        several = self.draw.random() < 0.35
        lines = [self._tags() for _ in range(self.draw.randint(2, 4) if several else 1)]
        if self.draw.random() < 0.05 and not self.codec:
            lines = []
        if self.has_short and self.draw.random() < 0.15:
            lines = [[self.draw.choice(["貓" if self.codec == "big5" else "猫", "夜", "雨", "犬"])]]
        texts = [separator.join(tags) for tags in lines]
        pieces = [self.draw.choice(["", "", " ", "\t"]) + text + self.draw.choice(["", "", "  "]) for text in texts]
        gap = self.draw.choice(_BREAKS)
        text = (gap * self.draw.choice([1, 1, 2])).join(pieces) + gap * self.draw.choice([0, 1, 1])
        meant = Meant(self._meant(texts, lines), self._meant_tags(lines), path.name, text=text)
        if self.codec and not text.isascii():
            path.write_bytes(text.encode(self.codec))
            meant.captions, meant.data = [], path.read_bytes()
        else:
            mark, codec = self.draw.choice(_MARKED)
            path.write_bytes(mark + text.encode(codec))
        return meant

    def _tags(self) -> list[str]:
        words = self.draw.sample(_WORDS_OF[self.language], self.draw.randint(1, 5))
        words += self.draw.sample(_WORDS_OF["plain"], self.draw.randint(0, 2))
        self.draw.shuffle(words)
        return list(dict.fromkeys(words))

    def _meant(self, texts: list[str], lines: list[list[str]]) -> list[str]:
        plain = [" ".join(text.split()) for text in texts]
        if self.lines == TAG_LINES:
            return [", ".join(tag for tags in lines for tag in tags)]
        if self.lines == ALL_LINES or not plain:
            return [" ".join(plain)]
        return plain[:1] if self.lines == FIRST_LINE else plain

    def _meant_tags(self, lines: list[list[str]]) -> list[str] | None:
        """Return the tags that are shuffled; None where a line break or a draw lies between them."""
        if self.lines == TAG_LINES:
            return [tag for tags in lines for tag in tags]
        if self.lines == FIRST_LINE or len(lines) == 1:
            return lines[0] if lines else []
        return None

    def _faulty(self, path: Path) -> Meant:
        text = ", ".join([*self._tags(), "1girl, solo"])
        path.write_bytes(
            self.draw.choice(
                [
                    text.encode("utf-16-le"),
                    text.encode("utf-16-be"),
                    text.encode() + b"\0",
                    codecs.BOM_UTF16_LE + text.encode("utf-16-le") + b"x",
                    codecs.BOM_UTF32_LE + text.encode("utf-16-le") + b"x",
                    text.encode() + b"\x07",
                    text.encode() + b"\xff",
                    _PNG,
                    text.encode() * 4000,
                ]
            )
        )
        return Meant([], file=path.name)

    def _strays(self, picture: Path) -> None:
        """Put files beside a picture that are no captions of it."""
        for name in ("notes.txt", "LICENSE.TXT", f"{picture.stem} copy.txt", f"{picture.stem}.txt.bak", ".hidden.txt"):
            if self.draw.random() < 0.3:
                picture.with_name(name).write_bytes(b"something else")
                if name.lower().endswith(".txt") and not name.startswith("."):
                    self.made.unused.add(picture.with_name(name))
