"""The tab Inspect Hypernetwork."""

from .tab import build

__all__ = ["build"]
