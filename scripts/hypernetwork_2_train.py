"""Registers the tab Train Gamma."""

from hypernetwork_workbench.patches import tab_train
from modules import script_callbacks

from hypernetwork_workbench import patches

patches.install_all()
script_callbacks.on_ui_train_tabs(tab_train.build)
