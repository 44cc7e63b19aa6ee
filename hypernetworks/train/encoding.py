"""The datasets of a run as the U-Net takes them, with what earlier runs kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..data.dataset import Dataset
from ..data.latents import EncodedDataset, encode
from ..ports import Ports
from .plan import latent_cache
from .settings.job import Job

_log = logging.getLogger(__name__)


def encode_parts(job: Job, parts: Sequence[Dataset], ports: Ports) -> list[EncodedDataset]:
    """Encode parts of a dataset, or takes what is kept of them; keeps what is new, within the limit of `job`.

    Raises:
        DatasetError: a picture cannot be read any more, or the user stopped it.
    """
    cache = latent_cache(job, ports) if job.data.cache else None
    encoded = [encode(part, ports.encoder, ports.progress, cache) for part in parts]
    if cache is not None:
        cache.remember_pictures({sample.picture_digest: sample.size for part in parts for sample in part.samples})
        gone = cache.prune()
        if gone:
            _log.info("%d kept latents of other runs were deleted to stay below %d MB.", gone, cache.limit_mb)
    return encoded
