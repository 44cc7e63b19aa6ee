"""Registers our tabs, before the rest of us: the host runs scripts in the order of their names."""

from hypernetwork_workbench.patches import tabs
from hypernetwork_workbench.patches.tabs import waiting
from modules import script_callbacks

from hypernetwork_workbench import patches

patches.install_all()
script_callbacks.on_before_ui(patches.install_on_top)
tabs.register_all()
if hasattr(script_callbacks, "on_after_component"):
    script_callbacks.on_after_component(waiting.connect_host_interrupt)
script_callbacks.on_script_unloaded(patches.uninstall_all)
