"""Registers the extension's options in the Settings tab, and for the host without a page."""

from hypernetwork_workbench.patches import options
from modules import script_callbacks

script_callbacks.on_ui_settings(options.register)
script_callbacks.on_before_ui(options.register)
