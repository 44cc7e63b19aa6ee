"""Registers the tab Create Beta Hypernetwork, the first of ours: the host shows them in the order of these names."""

from hypernetwork_workbench.patches import tab_create
from modules import script_callbacks

from hypernetwork_workbench import patches

patches.install_all()
script_callbacks.on_before_ui(patches.settle)
script_callbacks.on_ui_train_tabs(tab_create.build)
script_callbacks.on_script_unloaded(patches.uninstall_all)
