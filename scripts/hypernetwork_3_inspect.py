"""Registers the tab Inspect Hypernetwork."""

from hypernetwork_workbench.patches import tab_inspect
from modules import script_callbacks

from hypernetwork_workbench import patches

patches.install_all()
script_callbacks.on_ui_train_tabs(tab_inspect.build)
