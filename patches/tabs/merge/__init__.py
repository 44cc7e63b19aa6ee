"""The tab Merge Hypernetworks."""

from .tab import build

__all__ = ["build"]
