"""The tab Create Beta Hypernetwork."""

from .tab import build

__all__ = ["build"]
