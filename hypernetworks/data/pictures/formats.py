"""What a picture file is: told by its content, and by its ending alone only where the content does not tell."""

from __future__ import annotations

import importlib
import struct
from dataclasses import dataclass
from pathlib import Path

import PIL
from PIL import Image

from ...filetypes import signatures, texts

#: Formats of Pillow and of its plug-ins. Not all: it has an outside program interpret EPS, reads no picture from others
#: such as PDF, and decodes those of games in Python, which takes minutes, and for a file that is cut never ends.
_FORMATS = (
    *("PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF", "JXL", "JPEG2000", "PSD", "ICNS", "QOI", "DCX"),
    *("BMP", "DIB", "ICO", "CUR", "PPM", "PCX", "SGI", "SUN", "XPM", "XBM", "MSP", "FLI", "TGA", "IM", "PCD", "MPO"),
)
#: The first bytes of these are so long that no other file has them.
_CERTAIN = frozenset(_FORMATS[: _FORMATS.index("BMP")])
HEAD_BYTES = 4096
_ACCEPTED_BYTES = 16
_BRANDS_BYTES = 64


@dataclass(frozen=True)
class _PlugIn:
    """A package that brings a format to Pillow: by being imported, or by a function of its module."""

    what: str
    package: str
    module: str
    function: str = ""
    #: Pillow's versions below which another one of the package is needed; to install a newer one would replace Pillow.
    older: tuple[tuple[tuple[int, int], str], ...] = ()

    @property
    def requirement(self) -> str:
        """What to install with this Pillow."""
        here = tuple(map(int, PIL.__version__.split(".")[:2]))
        return self.package + next((version for below, version in self.older if here < below), "")


_OLDER_HEIF = (((10, 1), "<0.16"), ((11, 1), "<1"))
_PLUG_INS = {
    "HEIF": _PlugIn("a HEIC picture", "pillow-heif", "pillow_heif", "register_heif_opener", _OLDER_HEIF),
    "AVIF": _PlugIn("an AVIF picture", "pillow-avif-plugin", "pillow_avif"),
    "JXL": _PlugIn("a JPEG XL picture", "pillow-jxl-plugin", "pillow_jxl"),
}
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")

_RAW = "it is the raw file of a camera; save it as PNG or JPEG with the camera's program"
_WORK = "it is the working file of a drawing program; save it as PNG there"
_LINES = "it is a drawing of lines, not of pixels; save it as PNG"
_TEXTURE = "it is a texture of a game; save it as PNG"
_LIGHT = "it has a range of light that no training here uses; save it as PNG"
#: Endings of files that people take for pictures and that cannot be read.
_OF_CAMERAS = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc"),
    *(".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl"),
    *(".sr2", ".srf", ".srw", ".x3f"),
)
_OF_PROGRAMS = (
    *(".afdesign", ".afphoto", ".clip", ".cmc", ".csp", ".fla", ".kra", ".lip", ".mdp", ".ora", ".pdn"),
    *(".procreate", ".psb", ".sai", ".sai2", ".xcf"),
)
_UNREAD = {
    **dict.fromkeys(_OF_CAMERAS, _RAW),
    **dict.fromkeys(_OF_PROGRAMS, _WORK),
    **dict.fromkeys((".ai", ".cdr", ".emf", ".eps", ".ps", ".svg", ".svgz", ".wmf"), _LINES),
    **dict.fromkeys((".exr", ".hdr"), _LIGHT),
    **dict.fromkeys((".blp", ".dds", ".ftc", ".ftu", ".vtf"), _TEXTURE),
}
#: Formats by whose first bytes some of these begin too.
_SHARED = {("TIFF",), ("PSD",)}
#: Endings of plug-ins' formats, which count where they are not installed too.
_OF_PLUG_INS = (".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif", ".jxl")


class UnfitPictureError(ValueError):
    """A file is no picture that can be read; the message is the reason, without its name."""


def ending(path: Path) -> str:
    """Return the ending of a name in lower case, such as `.png`; blanks and dots behind it do not count."""
    return Path(path.name.rstrip(" .\u3000")).suffix.lower()


def is_named_so(path: Path) -> bool:
    """Tell whether a file is a picture by its ending, be it one that cannot be read."""
    Image.init()
    own = ending(path)
    return own in _UNREAD or own in _OF_PLUG_INS or Image.EXTENSION.get(own) in _FORMATS


def formats_of(path: Path, head: bytes, size: int) -> tuple[str, ...]:
    """Return the formats of Pillow that a file may be of; the right one is known by its first bytes, or by its ending.

    Args:
        head: the first `HEAD_BYTES` of the file.
        size: bytes of the file.

    Raises:
        UnfitPictureError: it is none that can be read here; says what it is, and what to do.
    """
    found = _by_content(head)
    own = ending(path)
    if own in _UNREAD and (not found or found in _SHARED):
        raise UnfitPictureError(_UNREAD[own])
    named = Image.EXTENSION.get(own, "")
    if not is_certain(found) and _is_told_by_ending(named):
        return (named, *found)
    if not found:
        raise UnfitPictureError(_what_else(head, size))
    return found


def may_be_picture(head: bytes) -> tuple[str, ...]:
    """Return the formats that a file with such first bytes may be of, whatever its name; see `is_certain`."""
    plug_in = _of_plug_in(head)
    return (plug_in,) if plug_in else _by_content(head)


def is_certain(formats: tuple[str, ...]) -> bool:
    """Tell whether first bytes of these formats are enough; else other files may begin in the same way."""
    return any(one in _CERTAIN for one in formats)


def _by_content(head: bytes) -> tuple[str, ...]:
    Image.init()
    plug_in = _of_plug_in(head)
    if plug_in and not _install(plug_in):
        return ()
    return tuple(name for name in _FORMATS if name in Image.OPEN and _accepts(name, head[:_ACCEPTED_BYTES]))


def _accepts(format_: str, start: bytes) -> bool:
    accept = Image.OPEN[format_][1]
    try:
        # Pillow answers with a text where it knows the format and cannot read it.
        return accept is not None and accept(start) not in (None, False) and not isinstance(accept(start), str)
    except (SyntaxError, IndexError, TypeError, struct.error):  # a file of a few bytes
        return False


def is_of_plug_in(formats: tuple[str, ...]) -> bool:
    """Tell whether a plug-in reads a picture of these formats."""
    return any(one in _PLUG_INS for one in formats)


def misfit(formats: tuple[str, ...]) -> str | None:
    """Return what to do where a plug-in that is installed fails in itself; None for formats of Pillow itself."""
    plug_in = next((_PLUG_INS[one] for one in formats if one in _PLUG_INS), None)
    if plug_in is None:
        return None
    return f"the package {plug_in.package} that is installed does not fit this Pillow; install {plug_in.requirement}"


def _is_told_by_ending(format_: str) -> bool:
    """Tell whether nothing at the start of a picture tells that it is of a format; it may look like another one's."""
    return format_ in _FORMATS and format_ in Image.OPEN and Image.OPEN[format_][1] is None


def _of_plug_in(head: bytes) -> str | None:
    """Return the format that a file has whose first bytes are those of a plug-in's."""
    if head.startswith(_JXL):
        return "JXL"
    if head[4:8] != b"ftyp":
        return None
    length = min(int.from_bytes(head[:4], "big"), _BRANDS_BYTES)
    brands = {head[8:12], *(head[place : place + 4] for place in range(16, length, 4))}
    if brands & {*_AVIF_BRANDS}:
        return "AVIF"
    return "HEIF" if brands & {*_HEIF_BRANDS} else None


def _install(format_: str) -> bool:
    """Let Pillow read a format by its plug-in; return whether it can."""
    plug_in = _PLUG_INS[format_]
    if format_ not in Image.OPEN:
        try:
            module = importlib.import_module(plug_in.module)
        except ImportError:
            return False
        if plug_in.function:
            getattr(module, plug_in.function)()
    return format_ in Image.OPEN


def _what_else(head: bytes, size: int) -> str:
    if not head:
        return "it is empty"
    plug_in = _of_plug_in(head)
    if plug_in in Image.OPEN:
        plug = _PLUG_INS[plug_in]
        return f"it is {plug.what}, damaged or of a kind that the package {plug.package} does not read; save it as PNG"
    if plug_in:
        return f"it is {_PLUG_INS[plug_in].what}; install the package {_PLUG_INS[plug_in].requirement} to have it read"
    kind = signatures.kind_of(head) or texts.kind_of(head, size, is_composition=False)
    if kind is None:
        return "what is in it is no picture of a known kind"
    if kind.what.startswith("a picture"):
        return f"it is {kind.what}, which is not read here; save it as PNG"
    return f"it is {kind.what}, not a picture"
