"""Registers the tab Dataset."""

from hypernetwork_workbench.patches import tab_dataset
from modules import script_callbacks

from hypernetwork_workbench import patches

patches.install_all()
script_callbacks.on_ui_train_tabs(tab_dataset.build)
