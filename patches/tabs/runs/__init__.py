"""The tab Runs: all runs with what came of them, to continue and to compare."""

from .tab import build

__all__ = ["ORDER", "build"]

#: Place among our tabs.
ORDER = 25
