"""Registers the tab Create Beta Hypernetwork, the first of ours: the host shows them in the order of these names."""

from hypernetwork_workbench.patches import tabs
from modules import script_callbacks

from hypernetwork_workbench import patches

patches.install_all()
script_callbacks.on_before_ui(patches.install_on_top)
tabs.register("create")
script_callbacks.on_script_unloaded(patches.uninstall_all)
