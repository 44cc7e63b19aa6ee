"""Pictures with megabytes beside their pixels are read at once and without them, turned as they say."""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError
from hypernetwork_workbench.hypernetworks.data.images import open_picture, open_raw
from hypernetwork_workbench.hypernetworks.data.pictures.ballast import without_ballast
from hypernetwork_workbench.hypernetworks.data.pictures.parts import shown_alone
from hypernetwork_workbench.hypernetworks.data.pictures.tags import has_sane_tags
from PIL import Image, TiffImagePlugin

from tests.support.memory import peak_memory

MEGABYTE = 1 << 20
#: Of a picture that a camera took upright; 24 x 16 pixels in the file.
EXIF = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
RAW_EXIF = b"Raw profile type exif\0\0"


def saved(format_: str, **options) -> bytes:
    data = io.BytesIO()
    picture = Image.new("RGB", (24, 16), "red")
    picture.paste("blue", (0, 0, 12, 16))
    (picture.quantize(4) if format_ == "GIF" else picture).save(data, format_, **options)
    return data.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*chunks: bytes) -> bytes:
    """Return a PNG with chunks before its pixels and the same behind them."""
    data = saved("PNG")
    more = b"".join(chunks)
    return data[:33] + more + data[33:-12] + more + data[-12:]


def packed(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments: bytes) -> bytes:
    data = saved("JPEG", quality=95)
    return data[:2] + b"".join(segments) + data[2:]


def gif(*extensions: bytes) -> bytes:
    data = saved("GIF")
    start = 13 + (3 << ((data[10] & 7) + 1))
    return data[:start] + b"".join(extensions) + data[start:]


def blocks(count: int) -> bytes:
    return (b"\xff" + b"x" * 255) * count + b"\0"


def tagged(tag: int, value: bytes) -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[tag] = 7
    tags[tag] = value
    return saved("TIFF", tiffinfo=tags)


BALLAST: dict[str, Callable[[], bytes]] = {
    "PNG, a profile that unpacks to 2 MB": lambda: png(chunk(b"iCCP", b"a\0\0" + packed(2 * MEGABYTE))),
    "PNG, a profile that unpacks to 100 MB": lambda: png(chunk(b"iCCP", b"a\0\0" + packed(100 * MEGABYTE))),
    "PNG, a text that unpacks to 2 MB": lambda: png(
        chunk(b"zTXt", b"Raw profile type exif\0\0" + packed(2 * MEGABYTE))
    ),
    "PNG, an international text": lambda: png(chunk(b"iTXt", b"prompt\0\1\0\0\0" + packed(2 * MEGABYTE))),
    "PNG, a text of 40 MB": lambda: png(chunk(b"tEXt", b"workflow\0" + b"x" * (40 * MEGABYTE))),
    "PNG, 50,000 texts": lambda: png(*[chunk(b"tEXt", b"a\0b")] * 50_000),
    "PNG, EXIF data with a wrong checksum": lambda: png(chunk(b"eXIf", EXIF[6:])[:-4] + b"none"),
    "PNG, a packed text of no known packing": lambda: png(chunk(b"zTXt", b"a\0\7x")),
    "PNG, EXIF data of 20 MB": lambda: png(chunk(b"eXIf", b"II*\0" + bytes(20 * MEGABYTE))),
    "PNG, a program's own 50 MB": lambda: png(chunk(b"prVt", bytes(50 * MEGABYTE))),
    "PNG, damaged hints for colours": lambda: png(
        *(chunk(name, b"a") for name in (b"cHRM", b"gAMA", b"pHYs", b"sRGB"))
    ),
    "JPEG, 90 MB of EXIF data": lambda: jpeg(*[segment(0xE1, b"Exif\0\0" + bytes(65_000))] * 1400),
    "JPEG, a profile of 16 MB": lambda: jpeg(
        *(segment(0xE2, b"ICC_PROFILE\0" + bytes((n, 255)) + bytes(65_000)) for n in range(1, 256))
    ),
    "JPEG, XMP data of 16 MB": lambda: jpeg(*[segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + bytes(65_000))] * 255),
    "JPEG, comments of 60 MB": lambda: jpeg(*[segment(0xFE, bytes(65_000))] * 1000),
    "JPEG, data of Photoshop": lambda: jpeg(*[segment(0xED, b"Photoshop 3.0\0" + bytes(65_000))] * 255),
    "JPEG, a damaged list of more": lambda: jpeg(segment(0xE2, b"MPF\0II*\0\x08\0\0\0\x01\0" + bytes(9))),
    "JPEG, a mark of Adobe's that is cut": lambda: jpeg(segment(0xEE, b"Adobe")),
    "GIF, a comment of 20 MB": lambda: gif(b"!\xfe" + blocks(80_000)),
    "GIF, 20 MB of a program": lambda: gif(b"!\xff\x0bXMP DataXMP" + blocks(80_000)),
    "WebP, a profile of 20 MB": lambda: saved("WEBP", lossless=True, icc_profile=bytes(20 * MEGABYTE)),
    "WebP, XMP data of 20 MB": lambda: saved("WEBP", lossless=True, xmp=bytes(20 * MEGABYTE)),
    "TIFF, a profile of 20 MB": lambda: saved("TIFF", icc_profile=bytes(20 * MEGABYTE)),
    "TIFF, XMP data of 20 MB": lambda: tagged(700, bytes(20 * MEGABYTE)),
}


@pytest.mark.parametrize("name", BALLAST)
def test_a_picture_is_read_without_its_ballast(tmp_path: Path, name: str):
    (tmp_path / "a").write_bytes(BALLAST[name]())
    size = (tmp_path / "a").stat().st_size
    start = time.thread_time()
    with peak_memory() as peak:
        found = open_picture(tmp_path / "a")
    assert time.thread_time() - start < 10
    assert peak.bytes < 2.5 * size + 40 * MEGABYTE
    expected = np.asarray(Image.open(io.BytesIO(saved("PNG"))), dtype=int)
    assert np.abs(np.asarray(found, dtype=int) - expected).mean() <= (6 if name.startswith("JPEG") else 0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: png(chunk(b"eXIf", EXIF[6:]), chunk(b"zTXt", b"a\0\0" + packed(3 * MEGABYTE))), id="PNG"),
        pytest.param(
            lambda: png(
                chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(f"\nexif\n32\n{EXIF.hex()}".encode()))
            ),
            id="PNG, packed text",
        ),
        pytest.param(
            lambda: png(chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>')), id="PNG, XMP data"
        ),
        pytest.param(lambda: jpeg(segment(0xFE, b"x"), segment(0xE1, EXIF), segment(0xE1, EXIF)), id="JPEG"),
        pytest.param(lambda: saved("WEBP", exif=EXIF), id="WebP"),
    ],
)
def test_what_tells_how_a_picture_is_turned_stays(tmp_path: Path, data: Callable[[], bytes]):
    (tmp_path / "a").write_bytes(data())
    assert open_picture(tmp_path / "a").size == (16, 24)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_profile_of_the_usual_size_stays(tmp_path: Path, kind: str):
    profile = bytes(range(256)) * 400
    (tmp_path / "a").write_bytes(saved(kind, icc_profile=profile))
    assert open_raw(tmp_path / "a").info["icc_profile"] == profile


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_a_file_without_ballast_is_read_as_it_is(kind: str):
    file = io.BytesIO(saved(kind))
    assert without_ballast(file, kind) is file
    assert file.tell() == 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(7), b"\xff\xd8\xff\xe0\0"])
def test_a_file_that_is_cut_keeps_all_its_bytes(kind: str, data: bytes):
    assert without_ballast(io.BytesIO(data), kind).read() == data


def test_parts_of_a_file_read_like_a_file():
    data = bytes(range(256)) * 1000
    parts = [(0, 10), (100, 70_000), (70_000, 70_001), (200_000, 256_000)]
    whole = b"".join(data[start:end] for start, end in parts)
    file = shown_alone(io.BytesIO(data), parts)
    assert file.read() == whole
    for place in (0, 5, 9, 10, 11, 69_909, 69_910, 69_911, 125_000, len(whole) - 1, len(whole), len(whole) + 5):
        assert file.seek(place) == place
        assert file.read(3) == whole[place : place + 3]
    assert file.seek(-4, io.SEEK_END) == len(whole) - 4
    assert file.seek(1, io.SEEK_CUR) == len(whole) - 3
    assert file.read() == whole[-3:]


def bomb(count: int = 1500, size: int = MEGABYTE) -> bytes:
    """Return EXIF data or a TIFF of which each tag names the same bytes."""
    tags = b"".join(struct.pack("<HHII", 40_000 + number, 7, size, 8) for number in range(count))
    return b"II*\0" + struct.pack("<I", size + 8) + bytes(size) + struct.pack("<H", count) + tags + bytes(4)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bomb, id="TIFF"),
        pytest.param(lambda: saved("WEBP", exif=b"Exif\0\0" + bomb()), id="WebP"),
        pytest.param(lambda: png(chunk(b"eXIf", bomb(size=MEGABYTE // 2))), id="PNG"),
    ],
)
def test_tags_that_all_name_the_same_bytes_take_no_memory(tmp_path: Path, data: Callable[[], bytes]):
    (tmp_path / "a.tif").write_bytes(data())
    with peak_memory() as peak:
        try:
            assert open_picture(tmp_path / "a.tif").size == (24, 16)
        except DatasetError as error:
            assert "its description would take more memory" in str(error)  # noqa: PT017 - only a TIFF
    assert peak.bytes < 60 * MEGABYTE


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_big", [False, True])
def test_tags_are_counted_in_every_form_of_a_tiff(order: str, is_big: bool):
    mark = b"II" if order == "<" else b"MM"
    head, entry = ("HHHQ", "HHQQ") if is_big else ("HI", "HHII")
    start = struct.pack(order + head, *((43, 8, 0, 16) if is_big else (42, 8)))
    for count, is_sane in ((2, True), (400, False)):
        tags = struct.pack(f"{order}{'Q' if is_big else 'H'}", count)
        tags += b"".join(struct.pack(order + entry, number, 7, 9_000, 8) for number in range(count))
        data = mark + start + tags
        assert has_sane_tags(io.BytesIO(data), len(data)) is is_sane
