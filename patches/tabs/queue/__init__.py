"""The tab Queue: the jobs that wait for their turn, in their order."""

from .tab import build

__all__ = ["ORDER", "build"]

#: Place among our tabs.
ORDER = 27
