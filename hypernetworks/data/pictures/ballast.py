"""Picture files without what lies beside their pixels, such as megabytes of colour profile, texts and comments.

Pillow reads all of it, refuses a picture for a text that is too long or damaged, and takes minutes for some megabytes.
Here a file is shown to it without; what tells how the picture is turned stays, and a profile of the usual size.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from .parts import Part, shown_alone

_MAX_BYTES = 1 << 20
_MAX_EXIF_BYTES = 1 << 16
_MAX_TEXT_BYTES = 3 * _MAX_EXIF_BYTES  # in which each byte takes two signs
_MAX_PARTS = 1_000_000
_MAX_SEGMENTS = 50_000
#: Chunks that the pixels need.
_PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
#: Texts that may tell how the picture is turned.
_PNG_TEXTS = (b"Raw profile type exif", b"XML:com.adobe.xmp")
_CHUNK = struct.Struct(">I4s")
#: Names of what JPEGs have beside their pixels, and what tells how these are to be read.
_JFIF, _EXIF, _XMP, _PROFILE, _ADOBE = (
    b"JFIF\0",
    b"Exif\0",
    b"http://ns.adobe.com/xap/1.0/\0",
    b"ICC_PROFILE\0",
    b"Adobe",
)
_MARK, _COMMENT, _FIRST_OWN, _LAST_OWN = 0xFF, 0xFE, 0xE0, 0xEF
#: The pixels, the end, and markers that stand alone.
_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xDB)}
_MARKER_BYTES = _LENGTH_BYTES = 2
_LOOKED_AT = 32
_MAX_FILL = 1024
_GIF_HEAD_BYTES = 13
_GIF_CONTROL = b"\xf9"


def without_ballast(file: IO[bytes], format_: str) -> IO[bytes]:
    """Return a file that reads like `file`, a picture of a format of Pillow's, without its ballast.

    What does not look like that format is left as it is, for Pillow to judge.
    """
    find = _FINDERS.get(format_)
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    if find is None:
        return file
    return shown_alone(file, find(file, end))


def _of_png(file: IO[bytes], end: int) -> Iterator[Part]:
    yield 0, min(file.seek(8), end)
    place = 8
    known: set[bytes] = set()
    for _ in range(_MAX_PARTS):
        head = file.read(_CHUNK.size)
        if len(head) < _CHUNK.size:
            break
        length, name = _CHUNK.unpack(head)
        after = place + _CHUNK.size + length + 4
        if name in _PNG_CHUNKS or (length <= _MAX_BYTES and _is_of_use(name, file.read(length + 4), known)):
            yield place, min(after, end)
        place = after
        file.seek(place)
        if name == b"IEND":
            return
    if place < end:
        yield place, end


def _is_of_use(name: bytes, data: bytes, known: set[bytes]) -> bool:
    """Tell whether a chunk of a PNG beside its pixels is worth reading, and no second of its kind.

    Args:
        data: with the checksum behind it.
    """
    content, checksum = data[:-4], data[-4:]
    if zlib.crc32(name + content).to_bytes(4, "big") != checksum:
        return False
    keyword, _, rest = content.partition(b"\0")
    kind = keyword if keyword in _PNG_TEXTS else name
    if kind in known:
        return False
    is_useful = {
        b"eXIf": lambda: len(content) <= _MAX_EXIF_BYTES,
        b"iCCP": lambda: rest[:1] == b"\0" and _unpacks(rest[1:]),
        b"tEXt": lambda: keyword in _PNG_TEXTS and len(rest) <= _MAX_TEXT_BYTES,
        b"zTXt": lambda: keyword in _PNG_TEXTS and rest[:1] == b"\0" and _unpacks(rest[1:], _MAX_TEXT_BYTES),
        # A packed text has two more texts before its content; no program packs these.
        b"iTXt": lambda: keyword in _PNG_TEXTS and rest[:1] == b"\0",
    }.get(name, lambda: False)()
    if is_useful:
        known.add(kind)
    return is_useful


def _unpacks(data: bytes, most_bytes: int = _MAX_BYTES) -> bool:
    """Tell whether data unpack, and to no more than these bytes."""
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(data, most_bytes)
    except zlib.error:
        return False
    return not unpacking.unconsumed_tail


class _Segment(NamedTuple):
    """A segment of a JPEG, from its marker on.

    Attributes:
        content: what it begins with after its length.
        length: bytes of its whole content.
    """

    marker: int
    start: int
    end: int
    content: bytes
    length: int

    @property
    def kind(self) -> bytes | None:
        """What a segment beside the pixels holds; None for what nothing here reads, and empty for one of the pixels."""
        if self.marker != _COMMENT and not _FIRST_OWN <= self.marker <= _LAST_OWN:
            return b""
        known = ((0xE0, _JFIF, 14), (0xE1, _EXIF, 0), (0xE1, _XMP, 0), (0xE2, _PROFILE, 0), (0xEE, _ADOBE, 12))
        for marker, name, least in known:
            if self.marker == marker and self.content.startswith(name) and self.length >= least:
                return name
        return None


def _of_jpeg(file: IO[bytes], end: int) -> Iterator[Part]:
    segments = list(_segments(file, end))
    known: set[bytes] = set()
    yield 0, _MARKER_BYTES
    for one in segments:
        kind = one.kind
        if kind is None or kind in known:
            continue
        yield one.start, one.end
        if kind and kind != _PROFILE:  # which comes in several segments
            known.add(kind)
    yield segments[-1].end if segments else _MARKER_BYTES, end


def _segments(file: IO[bytes], end: int) -> Iterator[_Segment]:
    """Yield the segments of a JPEG before its pixels."""
    place = _MARKER_BYTES
    for _ in range(_MAX_SEGMENTS):
        file.seek(place)
        head = file.read(_MARKER_BYTES)
        after = place + _MARKER_BYTES
        while head == b"\xff\xff" and after < place + _MAX_FILL:  # markers may be filled up
            head = head[:1] + file.read(1)
            after += 1
        if len(head) < _MARKER_BYTES or head[0] != _MARK or head[1] in _WITHOUT_LENGTH:
            return
        length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
        content = file.read(min(_LOOKED_AT, max(0, length - _LENGTH_BYTES)))
        if length < _LENGTH_BYTES or after + length > end:
            return
        yield _Segment(head[1], place, after + length, content, length - _LENGTH_BYTES)
        place = after + length


def _of_gif(file: IO[bytes], end: int) -> Iterator[Part]:
    head = file.read(_GIF_HEAD_BYTES)
    colours = 3 << ((head[10] & 7) + 1) if len(head) == _GIF_HEAD_BYTES and head[10] & 0x80 else 0
    place = min(_GIF_HEAD_BYTES + colours, end)
    yield 0, place
    for _ in range(_MAX_PARTS):
        file.seek(place)
        sign, label = file.read(1), file.read(1)
        if sign != b"!":
            break
        after = _end_of_blocks(file)
        if label == _GIF_CONTROL:
            yield place, min(after, end)
        place = after
    if place < end:
        yield place, end


def _end_of_blocks(file: IO[bytes]) -> int:
    """Return where the blocks of a GIF end, each of which begins with its length, the last with 0."""
    for _ in range(_MAX_PARTS):
        length = file.read(1)
        if length in (b"", b"\0"):
            break
        file.seek(length[0], io.SEEK_CUR)
    return file.tell()


_FINDERS: dict[str, Callable[[IO[bytes], int], Iterator[Part]]] = {"PNG": _of_png, "JPEG": _of_jpeg, "GIF": _of_gif}
