"""Pictures, captions and folders: damaged files, sizes that no memory holds, names that no system takes."""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError
from hypernetwork_workbench.hypernetworks.data.captions import read_caption
from hypernetwork_workbench.hypernetworks.data.images import open_raw
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image

from . import Case, NotHandledError

_DRAWN = 12
_ENDINGS = (".png", ".jpg", ".webp", ".bmp", ".gif", ".tif")


def cases() -> Iterator[Case]:
    """Yield files that are refused, those that must be read, and pictures with bytes changed at random."""
    for name, (ending, write) in _REFUSED.items():
        yield Case(f"picture: {name}", partial(_refused, ending, write))
    for name, make in _DATASETS.items():
        yield Case(f"dataset: {name}", make)
    for ending in _ENDINGS:
        for number in range(_DRAWN):
            yield Case(f"picture: changed bytes {ending} {number}", partial(_changed, ending, number))


def _refused(ending: str, write: Callable[[Path], Any], folder: Path) -> str:
    path = folder / f"x{ending}"
    write(path)
    try:
        open_raw(path)
    except WorkbenchError as error:
        return str(error)
    raise NotHandledError("the picture was taken")


def _changed(ending: str, number: int, folder: Path) -> str:
    draw = random.Random(f"14 {ending} {number}")
    path = folder / f"x{ending}"
    Image.effect_mandelbrot((64, 48), (-2, -1, 1, 1), 20).convert("RGB").save(path)
    data = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 5, 40))):
        data[draw.randrange(len(data))] = draw.randrange(256)
    if draw.random() < 0.3:
        del data[draw.randrange(len(data)) :]
    path.write_bytes(data)
    try:
        open_raw(path)
    except WorkbenchError as error:
        return str(error)
    return "still readable"


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, *chunks: bytes) -> Callable[[Path], Any]:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")
    return lambda path: path.write_bytes(data)


def _jpeg_of(side: int) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        Image.new("RGB", (8, 8)).save(path)
        data = bytearray(path.read_bytes())
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = struct.pack(">HH", side, side)
        path.write_bytes(data)

    return write


def _pipe(path: Path) -> None:
    if hasattr(os, "mkfifo"):
        os.mkfifo(path)


_REFUSED: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a PNG of 400 million pixels": (".png", _png(20_000, 20_000)),
    "a PNG of a trillion pixels": (".png", _png(2**20, 2**20)),
    "a PNG without a width": (".png", _png(0, 5)),
    "a JPEG of 4 billion pixels": (".jpg", _jpeg_of(65_000)),
    "text that unpacks to a gigabyte": (
        ".png",
        _png(8, 8, _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 27), 9))),
    ),
    "many texts": (".png", _png(8, 8, *[_chunk(b"tEXt", b"a\0b") for _ in range(100_000)])),
    "a colour profile that unpacks to much": (
        ".png",
        _png(8, 8, _chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1 << 27), 9))),
    ),
    "a folder": (".png", Path.mkdir),
    "nothing": (".png", Path.touch),
    "text": (".jpg", lambda path: path.write_text("<html>")),
    "a TIFF in a circle": (".tif", lambda path: path.write_bytes(b"II*\0\x08\0\0\0\0\0\x08\0\0\0")),
}


def _look(folder: Path, **settings: Any) -> Any:
    data = DataSettings.from_mapping({"folder": str(folder), "width": 64, "height": 64, **settings})
    return read_dataset(data, "x")


def _picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64)).save(path)


def _sentence(work: Callable[[], Any]) -> str:
    try:
        work()
    except WorkbenchError as error:
        return str(error)
    raise NotHandledError("it was taken")


def _long_caption(folder: Path) -> str:
    _picture(folder / "a.png")
    (folder / "a.txt").write_text("x" * 10_000_000)
    return _sentence(lambda: _look(folder))


def _caption_of_bytes(folder: Path) -> str:
    _picture(folder / "a.png")
    (folder / "a.txt").write_bytes(bytes(range(128, 256)))
    return _sentence(lambda: _look(folder))


def _caption_pipe(folder: Path) -> None:
    _picture(folder / "a.png")
    _pipe(folder / "a.txt")
    read_caption(folder / "a.png")


def _caption_folder(folder: Path) -> None:
    _picture(folder / "a.png")
    (folder / "a.txt").mkdir()
    _look(folder)


def _long_name(folder: Path) -> None:
    path = folder / ("n" * 248 + ".png")
    _picture(path)
    if len(_look(folder).samples) != 1:
        raise NotHandledError("the picture is not there")


def _loop(folder: Path) -> None:
    _picture(folder / "in" / "a.png")
    (folder / "in" / "loop").symlink_to(folder, target_is_directory=True)
    if len(_look(folder).samples) != 1:
        raise NotHandledError("a picture counts twice")


def _link_to_itself(folder: Path) -> None:
    _picture(folder / "a.png")
    (folder / "b.png").symlink_to(folder / "b.png")
    _look(folder)


def _large(folder: Path) -> None:
    Image.new("L", (9000, 9000)).save(folder / "a.png", compress_level=1)
    sample = _look(folder, framing="buckets").samples[0]
    if sample.size != (9000, 9000):
        raise NotHandledError(f"another size: {sample.size}")


def _large_jpeg(folder: Path) -> None:
    Image.new("L", (9000, 9000)).save(folder / "a.jpg")
    raw = open_raw(folder / "a.jpg")
    if raw.width * raw.height > 64_000_000:
        raise NotHandledError(f"it takes all its memory: {raw.size}")


def _regex(pattern: str, name: str, folder: Path) -> str | None:
    _picture(folder / f"{name}.png")
    try:
        _look(folder, filename_regex=pattern)
    except WorkbenchError as error:
        return str(error)
    return None


_DATASETS: dict[str, Callable[[Path], str | None]] = {
    "a caption of 10 MB": _long_caption,
    "a caption that is no text": _caption_of_bytes,
    "a pipe as caption": _caption_pipe,
    "a folder as caption": _caption_folder,
    "a name too long for its caption": _long_name,
    "folders in a circle": _loop,
    "a link to itself": _link_to_itself,
    "a picture of 81 million pixels": _large,
    "a JPEG of 81 million pixels": _large_jpeg,
    "a regex that tries everything": partial(_regex, "(a+)+$", "a" * 200 + "b"),
    "a regex of alternatives": partial(_regex, "(a|aa)+$", "a" * 200 + "b"),
    "a regex of a high power": partial(_regex, ".*.*.*.*.*.*.*.*=", "a" * 240),
    "a deep regex": partial(_regex, "(" * 5000 + ")" * 5000, "a"),
    "no folder": lambda folder: _sentence(lambda: _look(folder / "none")),
    "a folder with a NUL": lambda folder: _sentence(lambda: _look(Path(f"{folder}/a\0b"))),
    "a folder of a long name": lambda folder: _sentence(lambda: _look(folder / ("d" * 5000))),
}
