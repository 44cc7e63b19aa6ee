"""The tab Create Beta Hypernetwork."""

from .tab import build

__all__ = ["ORDER", "build"]

#: Place among our tabs.
ORDER = 10
