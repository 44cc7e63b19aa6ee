"""The tab Merge Hypernetworks."""

from .tab import build

__all__ = ["ORDER", "build"]

#: Place among our tabs.
ORDER = 40
