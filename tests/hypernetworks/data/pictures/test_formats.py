"""Pictures of every format, whatever their names; what is none is named, with what to do."""

from __future__ import annotations

import io
import random
import struct
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pillow_avif  # noqa: F401 - registers itself
import pillow_heif
import pillow_jxl  # noqa: F401 - registers itself
import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError
from hypernetwork_workbench.hypernetworks.data.images import has_size, open_picture
from hypernetwork_workbench.hypernetworks.data.pictures import formats
from hypernetwork_workbench.hypernetworks.data.pictures.finding import find_pictures
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from PIL import Image, PngImagePlugin

RED = (200, 40, 40)
#: Formats that every Pillow can write, with the mode that they need.
WRITTEN = {
    **dict.fromkeys(("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "JPEG2000", "PPM", "TGA", "PCX", "SGI", "IM"), "RGB"),
    **dict.fromkeys(("ICO", "ICNS"), "RGB"),
    "GIF": "P",
    "MSP": "1",
    "XBM": "1",
}
#: A Photoshop file and others that Pillow reads alone, of a red of 16 x 12.
PSD = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 12, 16, 8, 3) + bytes(14)
PSD += b"".join(bytes([channel]) * (16 * 12) for channel in RED)
QOI = b"qoif" + struct.pack(">IIBB", 16, 12, 3, 0) + (b"\xfe" + bytes(RED)) * (16 * 12) + bytes(7) + b"\1"
XPM = b'/* XPM */\nstatic char *a[] = {\n"16 12 1 1",\n"x c #C82828",\n' + b'"xxxxxxxxxxxxxxxx",\n' * 12 + b"};\n"
SUN = struct.pack(">8I", 0x59A66A95, 16, 12, 24, 16 * 12 * 3, 1, 0, 0) + bytes(RED[::-1]) * (16 * 12)
READ = {"PSD": PSD, "QOI": QOI, "XPM": XPM, "SUN": SUN}
#: Those that nothing at their start tells; their endings do.
BY_ENDING = {"TGA": ".tga", "IM": ".im"}


#: Icons have one of a few sizes.
SIZES = {"ICO": (32, 32), "ICNS": (1024, 1024)}


def data_of(format_: str) -> bytes:
    if format_ in READ or format_ in BY_PLUG_IN:
        return (READ | BY_PLUG_IN)[format_]
    data = io.BytesIO()
    Image.new("RGB", SIZES.get(format_, (16, 12)), RED).convert(WRITTEN[format_]).save(data, format_)
    return data.getvalue()


def _made_by_plug_in(format_: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (16, 12), RED).save(data, format_)
    return data.getvalue()


pillow_heif.register_heif_opener()
BY_PLUG_IN = {format_: _made_by_plug_in(format_) for format_ in ("HEIF", "AVIF", "JXL")}


def is_red(path: Path) -> bool:
    found = np.asarray(open_picture(path), dtype=int).reshape(-1, 3).mean(0)
    return bool(np.abs(found - np.asarray(RED)).max() <= 8)


@pytest.fixture(params=["", ".PNG", ".jfif", ".dat", ".webp", ".jpg ", ".2024 summer", ".", ".heic"])
def name(request: pytest.FixtureRequest) -> str:
    return f"cat{request.param}"


@pytest.mark.parametrize("format_", [one for one in (*WRITTEN, *READ) if one not in BY_ENDING])
def test_a_picture_is_found_and_read_whatever_its_name(tmp_path: Path, format_: str, name: str):
    (tmp_path / name).write_bytes(data_of(format_))
    assert find_pictures(tmp_path).pictures == (tmp_path / name,)
    assert WRITTEN.get(format_) == "1" or is_red(tmp_path / name)
    assert has_size(tmp_path / name, SIZES.get(format_, (12, 16)))


@pytest.mark.parametrize("format_", BY_ENDING)
def test_formats_that_their_content_does_not_tell_are_read_under_their_endings(tmp_path: Path, format_: str):
    ending = BY_ENDING[format_]
    for name in ("a", "b"):
        (tmp_path / f"{name}{ending if name == 'a' else '.dat'}").write_bytes(data_of(format_))
    (tmp_path / f"c{ending.upper()}").write_bytes(data_of("PNG"))
    (tmp_path / f"d{ending.upper()} ").write_bytes(data_of(format_))
    found = find_pictures(tmp_path).pictures
    assert [path.name for path in found] == [f"a{ending}", f"c{ending.upper()}", f"d{ending.upper()} "]
    assert is_red(found[2])
    assert is_red(tmp_path / f"a{ending}")
    assert is_red(tmp_path / f"c{ending.upper()}")


def test_every_ending_of_a_picture_is_trained_or_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    Image.init()
    other = {"PDF", "MPEG", "HDF5", "GRIB", "BUFR", "IPTC", "FITS", "PALM", "MCIDAS", "BLP", "FTEX", "PIXAR", "GBR"}
    endings = [one for one, format_ in Image.EXTENSION.items() if format_ not in other]
    endings += [*formats._UNREAD, *formats._OF_PLUG_INS]
    for number, ending in enumerate(endings):
        (tmp_path / f"{number}{ending}").write_bytes(b"nothing of the kind")
    (tmp_path / "good.png").write_bytes(data_of("PNG"))
    assert len(read_dataset(DataSettings(folder=str(tmp_path), width=64, height=64), "n")) == 1
    said = [record.message for record in caplog.records if record.message.startswith("Left out: ")]
    named = {line.removeprefix("Left out: ").partition(":")[0] for line in said}
    assert named == {f"{number}{ending}" for number, ending in enumerate(endings)}


OTHER_FILES = {
    "a.txt": b"a cat",
    "a.caption": b"P6 is the name of a car",
    "notes": b"BMW, P5, Python; #define nothing",
    "names.dat": b"P2P network notes\nP3 x",
    "model.safetensors": struct.pack("<Q", 40) + b"{}",
    "a.bin": struct.pack("<Q", 40) + bytes(200),
    "b.bin": b"\0\0\1\0" + bytes(200),
    "c.bin": b"\x0a\x05\x01\x08" + bytes(200),
    "a.npz": b"PK\3\4" + bytes(60),
    "film.m4v": b"\0\0\0\x20ftypmp42\0\0\0\0mp42isom" + bytes(60),
    "Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60),
    "a.h": b"#define cat_width 4\n#define cat 1\nint main;\n",
    "empty": b"",
    "short": b"B",
    "program": b"MZ" + bytes(200),
}


def test_other_files_are_neither_trained_nor_named(tmp_path: Path):
    for name, data in OTHER_FILES.items():
        (tmp_path / name).write_bytes(data)
    draw = random.Random(15)
    for number in range(300):
        (tmp_path / f"r{number}.dat").write_bytes(draw.randbytes(draw.choice((1, 3, 40, 400))))
    assert find_pictures(tmp_path, captions=(".caption",)).pictures == ()


NAMED = {
    "a.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "it is a HEIC picture; install the package pillow-heif"),
    "phone.jpg": (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "it is a HEIC picture; install the package pillow-heif"),
    "b": (b"\xff\x0a" + bytes(30), "it is a JPEG XL picture; install the package pillow-jxl-plugin"),
    "c.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(9), "it is a JPEG XL picture; install the package pillow-jxl-plugin"),
    "d.cr2": (b"II*\0\x10\0\0\0CR\2\0", "it is the raw file of a camera; save it as PNG or JPEG"),
    "e.NEF": (b"MM\0*\0\0\0\x08", "it is the raw file of a camera"),
    "f.kra": (b"PK\3\4" + bytes(60), "it is the working file of a drawing program; save it as PNG there"),
    "g.psb": (PSD[:5] + b"\2" + PSD[6:], "it is the working file of a drawing program"),
    "h.svg": (b"<svg/>", "it is a drawing of lines, not of pixels; save it as PNG"),
    "i.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "it is a drawing of lines, not of pixels"),
    "j.exr": (b"v/1\x01", "it has a range of light that no training here uses"),
    "k.png": (b"", "it is empty"),
    "k.PNG. ": (b"", "it is empty"),
    "l.jpg": (b"<!DOCTYPE html><html><head><title>404</title>", "it is .*page.*, not a picture"),
    "m.webp": (b"\x1a\x45\xdf\xa3" + bytes(40), "it is a video, not a picture"),
    "n.jpeg": (
        b"version https://git-lfs.github.com/spec/v1\n",
        "it is the pointer of Git LFS to a file",
    ),
    "o.png": (
        b"CSFCHUNK" + bytes(40),
        r"it is a picture \(Clip Studio Paint\), which is not read",
    ),
    "p.gif": (b"\1\2\3\4" * 20, "what is in it is no picture of a known kind"),
    "q.bmp": (b"BM" + bytes(60), "Unsupported BMP header type"),
}


@pytest.fixture
def without_plug_ins(monkeypatch: pytest.MonkeyPatch):
    """Take the plug-ins out of Pillow and of Python."""
    Image.init()
    for format_, plug_in in formats._PLUG_INS.items():
        monkeypatch.delitem(Image.OPEN, format_, raising=False)
        monkeypatch.setitem(sys.modules, plug_in.module, None)


@pytest.mark.usefixtures("without_plug_ins")
@pytest.mark.parametrize("name", NAMED)
def test_what_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, name: str):
    data, reason = NAMED[name]
    (tmp_path / name).write_bytes(data)
    assert find_pictures(tmp_path).pictures == (tmp_path / name,)
    with pytest.raises(DatasetError, match=rf"^{name}: the picture cannot be read \({reason}") as caught:
        open_picture(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


class _AsPng(PngImagePlugin.PngImageFile):
    """Stands for a plug-in: after its first bytes there is a PNG."""

    format_description = "as a plug-in brings it"

    def _open(self) -> None:
        self.fp = io.BytesIO(self.fp.read()[64:])
        super()._open()


@pytest.fixture
def unused_plug_ins(monkeypatch: pytest.MonkeyPatch):
    """Let nothing have imported or registered the plug-ins yet."""
    Image.init()
    for format_, plug_in in formats._PLUG_INS.items():
        monkeypatch.delitem(Image.OPEN, format_, raising=False)
        for name in [name for name in sys.modules if name.partition(".")[0] == plug_in.module]:
            monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("unused_plug_ins")
@pytest.mark.parametrize("name", ["a.dat", "no ending", "IMG_1.HEIC", "a.jpg", "a.jxl", "a.avif"])
@pytest.mark.parametrize("format_", BY_PLUG_IN)
def test_a_plug_in_that_is_installed_is_used(tmp_path: Path, format_: str, name: str):
    (tmp_path / name).write_bytes(BY_PLUG_IN[format_])
    assert find_pictures(tmp_path).pictures == (tmp_path / name,)
    assert is_red(tmp_path / name)
    assert has_size(tmp_path / name, (12, 16))


@pytest.mark.parametrize("format_", BY_PLUG_IN)
def test_a_damaged_picture_of_a_plug_in_is_called_damaged(tmp_path: Path, format_: str):
    whole = BY_PLUG_IN[format_]
    (tmp_path / "a").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(DatasetError, match=r"^a: the picture cannot be read \((its data are damaged|Invalid input: )"):
        open_picture(tmp_path / "a")


def test_a_plug_in_that_is_installed_and_does_not_know_a_kind_is_not_asked_for(tmp_path: Path):
    (tmp_path / "a.heic").write_bytes(BY_PLUG_IN["HEIF"].replace(b"heic", b"he\0c", 1))
    with pytest.raises(DatasetError, match=r"it is a HEIC picture, damaged or of a kind that the package pillow-heif"):
        open_picture(tmp_path / "a.heic")


@pytest.mark.parametrize(
    ("pillow", "wanted"), [("9.5.0", "pillow-heif<0.16"), ("10.4.0", "pillow-heif<1"), ("11.1.0", "pillow-heif")]
)
def test_a_plug_in_is_asked_for_that_does_not_replace_pillow(monkeypatch: pytest.MonkeyPatch, pillow: str, wanted: str):
    monkeypatch.setattr("PIL.__version__", pillow)
    assert formats._PLUG_INS["HEIF"].requirement == wanted


@pytest.mark.usefixtures("without_plug_ins")
def test_a_plug_in_of_another_pillow_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class OfAnother(_AsPng):
        format = "JXL"

        def load(self) -> None:
            self._im.load()

    monkeypatch.setitem(sys.modules, "pillow_jxl", ModuleType("pillow_jxl"))
    monkeypatch.setitem(Image.OPEN, "JXL", (OfAnother, lambda head: head.startswith(b"\xff\x0a")))
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a".ljust(64, b"\0") + data_of("PNG"))
    with pytest.raises(DatasetError, match="the package pillow-jxl-plugin that is installed does not fit this Pillow"):
        open_picture(tmp_path / "a.jxl")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize("name", ["a.eps", "a.png", "a.EPS.jpg", "a", "a.ps"])
@pytest.mark.parametrize("start", [b"", b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 32, 90) + bytes(20)])
def test_nothing_starts_an_outside_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, start: bytes):
    started: list[object] = []
    for function in ("check_call", "Popen", "run", "check_output"):
        monkeypatch.setattr(f"subprocess.{function}", lambda *call, **_: started.append(call))
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", "gs", raising=False)
    (tmp_path / name).write_bytes(start + EPS)
    find_pictures(tmp_path)
    with pytest.raises(DatasetError, match="cannot be read"):
        open_picture(tmp_path / name)
    assert not has_size(tmp_path / name, (8, 8))
    assert started == []


@pytest.mark.parametrize("format_", [*WRITTEN, *READ, *BY_PLUG_IN])
def test_changed_bytes_end_in_a_sentence(tmp_path: Path, format_: str):
    draw = random.Random(f"15 {format_}")
    whole = data_of(format_)
    path = tmp_path / f"x{BY_ENDING.get(format_, '')}"
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 3, 20))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        if draw.random() < 0.3:
            del data[draw.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            open_picture(path)
        except DatasetError as error:
            assert str(error).startswith(f"{path.name}: the picture cannot be read (")  # noqa: PT017 - either will do
