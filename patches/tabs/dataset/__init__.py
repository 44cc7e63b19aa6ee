"""The tab Dataset."""

from .tab import build

__all__ = ["build"]
