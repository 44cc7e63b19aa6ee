"""Letters in pictures: every sign in a font of this computer that has it, and never a box in its place."""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from PIL import ImageDraw, ImageFont, features

from .pillow import label_font

log = logging.getLogger(__name__)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

#: Where systems keep their fonts: Linux, Windows and macOS, and what one user installed.
_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "${WINDIR}/Fonts",
    "${LOCALAPPDATA}/Microsoft/Windows/Fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "~/Library/Fonts",
)
#: A package of the standalone program that brings a font.
_PACKAGE = "noto_cjk_sans_jp_regular"
#: Fonts to try before all others, by the beginning of their file's name in lower case, the best first.
_PREFERRED = (
    *(
        "notosanscjk",
        "notosansjp",
        "sourcehansans",
        "ヒラギノ角ゴシック w3",
        "hiragino",
        "yugothm",
        "yugothr",
        "meiryo",
    ),
    *(
        "msgothic",
        "msyh",
        "pingfang",
        "malgun",
        "applesdgothicneo",
        "ipag",
        "takao",
        "vl-",
        "wqy",
        "simsun",
        "droidsans",
    ),
    *("arial unicode", "dejavusans.ttf", "seguisym", "apple symbols", "notosans", "segoeui", "arial"),
)
_ENDINGS = {".ttf", ".ttc", ".otf", ".otc"}
#: Opening a font costs a millisecond; a machine of a designer has thousands.
_MOST_FONTS = 300
#: Categories whose names tell what a sign shows; the name of a letter tells nothing.
_SYMBOLS = {"So", "Sk", "Sm", "Co", "Cn"}
#: A code that Unicode promises never to give to a sign, so that a font answers with its box.
_NO_SIGN = "\uffff"
#: A sign with the accents and joiners behind it, which its font must draw with it.
_CLUSTER = re.compile(
    r"\u200d?[^\u200d](?:[\u0300-\u036f\u200d\u20d0-\u20ff\u3099\u309a\ufe00-\ufe0f\U0001f3fb-\U0001f3ff])*"
)
#: What has no look of its own, and is no loss where a font lacks it.
_UNSEEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U000e0020-\U000e007f]")


def plain(text: str, size_px: int) -> str | None:
    """Return a text as it can be drawn here; None where no font here has all its letters.

    What no font has loses its accent or its full width, and a symbol such as an emoji is named, as (crescent moon).
    """
    whole = text.encode(errors="replace").decode()  # half of a pair of codes is no sign
    text = unicodedata.normalize("NFC", " ".join(whole.split()))
    if _is_right_to_left(text):  # its letters join and run through the whole line, so that one font must have them all
        return text if features.check("raqm") and _of_whole(text, size_px) else None
    drawn = "".join(cluster if _of(cluster, size_px) else _named(cluster) for cluster in _CLUSTER.findall(text))
    return drawn if all(_of(cluster, size_px) for cluster in _CLUSTER.findall(drawn)) else None


def length(text: str, size_px: int) -> float:
    """Return the width in pixels of a text of `plain` in one line."""
    return sum(font.getlength(part) for part, font in _parts(text, size_px))


def lines(text: str, size_px: int, width_px: int, count: int = 2) -> list[str]:
    """Return a text of `plain` in at most `count` lines of at most `width_px`, cut where it does not fit."""
    found = [""]
    for cluster in _CLUSTER.findall(text):
        if length(found[-1] + cluster, size_px) <= width_px or not found[-1]:
            found[-1] += cluster
            continue
        if len(found) == count:
            return [*found[:-1], _cut(found[-1], size_px, width_px)]
        head, _, tail = found[-1].rpartition(" ")
        found = [*found[:-1], head or found[-1], (tail if head else "") + cluster.lstrip()]
    return found


def write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size_px: int) -> None:
    """Draw one line of a text of `plain` in black; `place` is its left end, in the middle of its height, in pixels."""
    left, middle = place
    for part, font in _parts(text, size_px):
        if isinstance(font, ImageFont.FreeTypeFont):
            draw.text((left, middle), part, fill="black", font=font, anchor="lm")
        else:
            draw.text((left, middle - size_px / 2), part, fill="black", font=font)
        left += font.getlength(part)


def _cut(line: str, size_px: int, width_px: int) -> str:
    clusters, end = _CLUSTER.findall(line), "…" if _of("…", size_px) else "..."
    while clusters and length("".join(clusters) + end, size_px) > width_px:
        clusters.pop()
    return "".join(clusters) + end


def _parts(text: str, size_px: int) -> list[tuple[str, Font]]:
    """Return neighbours of the same font together, from left to right."""
    if _is_right_to_left(text) and (whole := _of_whole(text, size_px)):
        return [(text, whole)]
    parts: list[tuple[str, Font]] = []
    for cluster in _CLUSTER.findall(text):
        font = _of(cluster, size_px) or label_font(size_px)
        if parts and parts[-1][1] is font:
            parts[-1] = (parts[-1][0] + cluster, font)
        else:
            parts.append((cluster, font))
    return parts


def _named(cluster: str) -> str:
    """Return what may stand for a cluster: a plain letter, or the name of a symbol; other letters stay as they are."""
    seen = _UNSEEN.sub("", cluster)
    simple = "".join(sign for sign in unicodedata.normalize("NFKD", seen) if not unicodedata.combining(sign))
    if simple.isascii():
        return simple
    if unicodedata.category(seen[0]) not in _SYMBOLS:
        return seen
    name = unicodedata.name(seen[0], "").lower() or f"U+{ord(seen[0]):04X}"
    return f"({name})"


def _is_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(sign) in {"R", "AL"} for sign in text)


@functools.lru_cache(maxsize=64)
def _of_whole(text: str, size_px: int) -> Font | None:
    clusters = _CLUSTER.findall(text)
    return next((font for font in _fonts(size_px) if all(_has(font, cluster) for cluster in clusters)), None)


@functools.lru_cache(maxsize=8192)
def _of(cluster: str, size_px: int) -> Font | None:
    """Return the first font that has all of a cluster; None where there is none."""
    return next((font for font in _fonts(size_px) if _has(font, cluster)), None)


def _has(font: Font, cluster: str) -> bool:
    """Tell whether a font has every sign, which it has not where it draws the box that stands for signs it lacks."""
    return all(_draws(font, sign) for sign in cluster if not _UNSEEN.match(sign))


def _draws(font: Font, sign: str) -> bool:
    if not isinstance(font, ImageFont.FreeTypeFont):
        return sign.isascii() and sign.isprintable()
    if sign.isspace():
        return True
    drawn, box = font.getmask(sign), font.getmask(_NO_SIGN)
    return bool(drawn.size[0]) and (drawn.size, bytes(drawn)) != (box.size, bytes(box))


def _fonts(size_px: int) -> Iterator[Font]:
    """Yield the built-in font, then those of the system, the preferred first."""
    yield _built_in(size_px)
    for path in _files():
        font = _opened(path, size_px)
        if font is not None:
            yield font


_built_in = functools.cache(label_font)


@functools.lru_cache(maxsize=1024)
def _opened(path: Path, size_px: int) -> Font | None:
    try:
        return ImageFont.truetype(str(path), size_px)
    except (OSError, ValueError):  # damaged, no font, or one of pictures, which has sizes of its own
        log.debug("%s cannot be used as a font", path)
        return None


@functools.cache
def _files() -> tuple[Path, ...]:
    folders = [Path(os.path.expandvars(folder)).expanduser() for folder in _FOLDERS]
    package = importlib.util.find_spec(_PACKAGE)
    folders += map(Path, package.submodule_search_locations or ()) if package else ()
    found = {
        Path(folder, name) for root in folders for folder, _, names in os.walk(root) for name in names if _is_font(name)
    }
    return tuple(sorted(found, key=_rank)[:_MOST_FONTS])


def _is_font(name: str) -> bool:
    return Path(name).suffix.lower() in _ENDINGS


def _rank(path: Path) -> tuple[int, bool, str]:
    name = path.name.lower()
    place = next((number for number, start in enumerate(_PREFERRED) if name.startswith(start)), len(_PREFERRED))
    return place, "regular" not in name and "-" in name, str(path)
