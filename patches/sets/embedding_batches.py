"""Patch set: the host's trainer of embeddings makes batches with newer versions of torch too.

Its `GroupedBatchSampler` hands the dataset to torch's `Sampler`, which takes no argument any more.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from torch.utils.data import Sampler

from ..patching import Patch, PatchSet


@functools.cache
def sampler_refuses_data() -> bool:
    """Tell whether this version of torch has a `Sampler` that takes no dataset."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Sampler([])  # type: ignore[call-arg]
    except TypeError:
        return True
    return False


def _make_init(_original: Callable[..., Any]) -> Callable[..., Any]:
    def __init__(self: Any, data_source: Any, batch_size: int) -> None:  # noqa: N807 - takes the place of one
        self.batch_size = batch_size
        self.groups = data_source.groups
        count = len(data_source)
        self.len = count // batch_size
        # Each group of pictures of one size gets the whole batches of its share of an epoch. What remains of the shares
        # is the probability of each group to get one of the remaining batches.
        shares = [len(group) * self.len / count for group in self.groups]
        self.base = [int(share) for share in shares]
        self.n_rand_batches = left = self.len - sum(self.base)
        self.probs = [(share - whole) / left if left else 0 for share, whole in zip(shares, self.base, strict=True)]

    return __init__


patch_set = PatchSet(
    "batches",
    "Batches of the WebUI's embedding training with newer PyTorch",
    [Patch("modules.textual_inversion.dataset:GroupedBatchSampler.__init__", _make_init, when=sampler_refuses_data)],
    mends=True,
)
