"""The tab Train Tuning."""

from .tab import build

__all__ = ["ORDER", "build"]

#: Place among our tabs.
ORDER = 22
