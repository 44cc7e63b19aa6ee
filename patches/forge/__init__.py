"""The core's ports on Forge and reForge, which keep and run checkpoints in a way of their own."""

from .ports import ports

__all__ = ["ports"]
