"""Registers our tabs, before the rest of us: the host runs scripts in the order of their names."""

from hypernetwork_workbench.patches import tabs
from modules import script_callbacks

from hypernetwork_workbench import patches

patches.install_all()
script_callbacks.on_before_ui(patches.install_on_top)
tabs.register_all()
script_callbacks.on_script_unloaded(patches.uninstall_all)
