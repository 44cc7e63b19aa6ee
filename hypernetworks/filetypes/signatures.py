"""Files that show what they are by their first bytes."""

from __future__ import annotations

import re

from .kind import Kind

_FIND = "look for the network where you got this file"
_UNPACK = "unpack it, and put the network that is in it in its place"
_OTHER_PROGRAM = "the WebUI does not use such files for pictures"


def _picture(form: str) -> Kind:
    return Kind(f"a picture ({form})", "download the network itself; a picture is often shown beside it")


#: In the order in which they are tried; the place is the byte at which the bytes stand.
_SIGNATURES: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"Rar!\x1a\x07", Kind("a RAR archive", _UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", _UNPACK)),
    (0, b"\x1f\x8b\x08", Kind("a gzip archive", _UNPACK)),
    (4, b"1AY&SY", Kind("a bzip2 archive", _UNPACK)),
    (0, b"\xfd7zXZ\x00", Kind("an xz archive", _UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", Kind("a Zstandard archive", _UNPACK)),
    (0, b"\x04\x22\x4d\x18", Kind("an LZ4 archive", _UNPACK)),
    (0, b"MSCF\x00\x00\x00\x00", Kind("a CAB archive", _UNPACK)),
    (257, b"ustar", Kind("a tar archive", _UNPACK)),
    (2, b"-lh", Kind("an LZH archive", _UNPACK)),
    (0, b"\x89PNG\r\n\x1a\n", _picture("PNG")),
    (0, b"\xff\xd8\xff", _picture("JPEG")),
    (0, b"GIF87a", _picture("GIF")),
    (0, b"GIF89a", _picture("GIF")),
    (8, b"WEBP", _picture("WebP")),
    (0, b"\x00\x00\x00\x0cJXL ", _picture("JPEG XL")),
    (0, b"II*\x00", _picture("TIFF")),
    (0, b"MM\x00*", _picture("TIFF")),
    (0, b"8BPS\x00", _picture("Photoshop")),
    (0, b"CSFCHUNK", _picture("Clip Studio Paint")),
    (0, b"\x00\x00\x01\x00\x01\x00", _picture("icon")),
    (4, b"ftypavif", _picture("AVIF")),
    (4, b"ftyphei", _picture("HEIC")),
    (4, b"ftypmif1", _picture("HEIC")),
    (4, b"ftyp", Kind("a video", _FIND)),
    (0, b"\x1a\x45\xdf\xa3", Kind("a video", _FIND)),
    (8, b"AVI ", Kind("a video", _FIND)),
    (8, b"WAVE", Kind("a sound", _FIND)),
    (0, b"ID3\x03", Kind("a sound", _FIND)),
    (0, b"ID3\x04", Kind("a sound", _FIND)),
    (0, b"OggS", Kind("a sound", _FIND)),
    (0, b"fLaC", Kind("a sound", _FIND)),
    (0, b"%PDF-", Kind("a PDF document", _FIND)),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind("an Office document", _FIND)),
    (0, b"L\x00\x00\x00\x01\x14\x02\x00", Kind("a shortcut", "put in the file that it leads to")),
    (0, b"bplist00", Kind("a shortcut", "put in the file that it leads to")),
    (0, b"d8:announce", Kind("a torrent", "download what it stands for with a torrent program")),
    (0, b"SQLite format 3\x00", Kind("a database", _FIND)),
    (
        0,
        b"GGUF",
        Kind("a GGUF model", "use it in the program that it was made for, such as ComfyUI with its GGUF nodes"),
    ),
    (0, b"lmgg", Kind("a GGML model", _OTHER_PROGRAM)),
    (0, b"fmgg", Kind("a GGML model", _OTHER_PROGRAM)),
    (0, b"tjgg", Kind("a GGML model", _OTHER_PROGRAM)),
    (4, b"TFL3", Kind("a TensorFlow Lite model", _OTHER_PROGRAM)),
    (0, b"ftrt", Kind("a TensorRT engine", "put it into models/Unet-trt")),
    (0, b"ptrt", Kind("a TensorRT engine", "put it into models/Unet-trt")),
    (0, b"\x89HDF\r\n\x1a\n", Kind("a Keras model or another HDF5 file", _OTHER_PROGRAM)),
    (0, b"\x93NUMPY", Kind("a NumPy array", _FIND)),
)
_PROGRAM = Kind("a program", "do not run it if you expected a network, and delete it")
_LONGER: tuple[tuple[re.Pattern[bytes], Kind], ...] = (
    (re.compile(rb"BM.{4}\0{4}", re.DOTALL), _picture("BMP")),
    (re.compile(rb"MZ.{0,30}\0", re.DOTALL), _PROGRAM),
    (re.compile(rb"\x7fELF|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe"), _PROGRAM),
    # ONNX begins with the version of its form, then the name of the program that wrote it, or the graph.
    (re.compile(rb"\x08[\x01-\x14](?:\x12[\x01-\x7f][\w.+-]+|:)"), Kind("an ONNX model", _OTHER_PROGRAM)),
)


def kind_of(head: bytes) -> Kind | None:
    """Return the kind of a file that begins with `head`; None where the first bytes do not tell."""
    for place, signature, kind in _SIGNATURES:
        if head.startswith(signature, place):
            return kind
    return next((kind for pattern, kind in _LONGER if pattern.match(head)), None)
