"""Which pictures are sampled together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...ports import PictureRequest

#: Pixels of the pictures that are sampled together: many small pictures, but one of 512 x 512 at a time.
_PIXELS_AT_ONCE = 512 * 512


def batches(requests: Sequence[PictureRequest]) -> Iterator[list[PictureRequest]]:
    """Yield batches of successive requests that differ only in prompt and seed, at most as many as fit."""
    batch: list[PictureRequest] = []
    for request in requests:
        at_once = max(1, _PIXELS_AT_ONCE // (request.width_px * request.height_px))
        if batch and (len(batch) >= at_once or replace(batch[0], prompt=request.prompt, seed=request.seed) != request):
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch
