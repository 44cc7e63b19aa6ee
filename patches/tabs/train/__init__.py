"""The tab Train Gamma."""

from .tab import build

__all__ = ["build"]
