"""Registers the picker and strength slider beside txt2img and img2img."""

from hypernetwork_workbench.patches.strength import HypernetworkStrength

__all__ = ["HypernetworkStrength"]
