"""The queue of jobs, in one SQLite file so that it outlives its process: who waits, who works, what came of it.

A kind of job is one decorated class in the room `kinds`; what is done when its turn comes is the host's.
"""

from .entry import Entry
from .kind import KINDS, QueuedJob, job_kind, job_of, own_sections
from .store import Queue

__all__ = ["KINDS", "Entry", "Queue", "QueuedJob", "job_kind", "job_of", "own_sections"]
