"""The sizes of TIFF's kinds of values: tags may hold what the file has room for, and not one value more."""

import io
import struct

import pytest
from hypernetwork_workbench.hypernetworks.data.pictures.tags import has_sane_tags

#: TIFF 6.0, section 2; IFD of its supplement 1; LONG8, SLONG8 and IFD8 of BigTIFF.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
LENGTH = 8 + 2 + 12 + 4
#: Twice the file, and what damaged tags may claim beyond it.
ROOM = 2 * LENGTH + (1 << 16)


def is_sane(kind: int, *counts: int, order: str = "<") -> bool:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    tags = b"".join(struct.pack(f"{order}HHII", 300, kind, count, 0) for count in counts)
    data = head + struct.pack(f"{order}H", len(counts)) + tags + bytes(4)
    return has_sane_tags(io.BytesIO(data), LENGTH)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", range(20))
def test_a_value_has_the_size_of_its_kind(kind, order):
    size = SIZES.get(kind)
    if size is None:  # nothing is read of an unknown kind
        assert is_sane(kind, 2**32 - 1, order=order)
        return
    assert is_sane(kind, ROOM // size, order=order)
    assert not is_sane(kind, ROOM // size + 1, order=order)


def test_what_all_tags_hold_is_added_up():
    assert is_sane(1, *[ROOM // 8] * 8)
    assert not is_sane(1, *[ROOM // 8 + 1] * 8)
