"""Training: settings -> dataset -> batches -> loss -> optimizer -> files."""

from .optim import schedules

__all__ = ["schedules"]
