"""The tags of TIFFs and of EXIF data, looked at before Pillow reads all of them into memory."""

from __future__ import annotations

import struct
from typing import IO

_MAX_TAGS = 65_535
#: Bytes of a value by its kind; of an unknown kind nothing is read.
_KINDS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_BIG_TIFF = 43
#: Damaged tags that claim a little more than there is cost nothing.
_SLACK_BYTES = 1 << 16


def has_sane_tags(file: IO[bytes], size: int) -> bool:
    """Tell whether the tags of a TIFF, or of EXIF data, of `size` bytes hold no more than that.

    Several may name the same bytes, so that Pillow would read some kilobytes into as many gigabytes.
    """
    file.seek(0)
    head = file.read(16).ljust(16, b"\0")
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        return True
    is_big = struct.unpack_from(f"{order}H", head, 2)[0] == _BIG_TIFF
    place, count, entry = (
        (struct.Struct(f"{order}8xQ"), struct.Struct(f"{order}Q"), struct.Struct(f"{order}HHQ8x"))
        if is_big
        else (struct.Struct(f"{order}4xI"), struct.Struct(f"{order}H"), struct.Struct(f"{order}HHI4x"))
    )
    file.seek(min(place.unpack_from(head)[0], size))
    counted = file.read(count.size)
    if len(counted) < count.size:
        return True
    entries = file.read(min(count.unpack(counted)[0], _MAX_TAGS) * entry.size)
    whole = entries[: len(entries) // entry.size * entry.size]
    total = sum(number * _KINDS.get(kind, 0) for _, kind, number in entry.iter_unpack(whole))
    return total <= 2 * size + _SLACK_BYTES
