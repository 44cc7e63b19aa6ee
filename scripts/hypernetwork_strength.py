"""Registers the rows of hypernetworks beside txt2img and img2img."""

from hypernetwork_workbench.patches import infotext, xyz_grid
from hypernetwork_workbench.patches.strength import HypernetworkStrength
from modules import script_callbacks

__all__ = ["HypernetworkStrength"]

script_callbacks.on_infotext_pasted(infotext.strip_tags)
# A grid may be loaded after this script.
script_callbacks.on_before_ui(xyz_grid.patch_set.install)
