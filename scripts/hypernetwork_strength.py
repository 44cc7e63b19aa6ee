"""Registers the rows of hypernetworks beside txt2img and img2img."""

from hypernetwork_workbench.patches.rows import infotext
from hypernetwork_workbench.patches.rows.script import HypernetworkStrength
from modules import script_callbacks

__all__ = ["HypernetworkStrength"]

script_callbacks.on_infotext_pasted(infotext.strip_tags)
