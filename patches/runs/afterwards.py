"""What is done in the host after a run, however it ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from modules import devices, shared

from ...hypernetworks.base.errors import lack_of_memory_told
from ...hypernetworks.train.settings.job import Job
from ..embedding import words
from ..patching import capabilities


@contextmanager
def embeddings_listed(job: Job) -> Iterator[None]:
    """Let the host read its embeddings again after a run that trains some, however it ends."""
    try:
        yield
    finally:
        if not capabilities.attention_has_hooks():
            words.list_again(job)


@contextmanager
def freed_memory() -> Iterator[None]:
    """Free the memory and refresh the host's lists afterwards; running out of memory becomes a TrainingError."""
    try:
        with lack_of_memory_told():
            yield
    finally:
        gc.collect()
        devices.torch_gc()
        shared.reload_hypernetworks()
