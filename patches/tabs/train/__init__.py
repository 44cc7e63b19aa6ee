"""The tab Train Gamma."""

from .tab import build

__all__ = ["ORDER", "build"]

#: Place among our tabs.
ORDER = 20
