"""Registers the extension's options in the Settings tab, and for the host without a page."""

from hypernetwork_workbench.patches import switches
from modules import script_callbacks

script_callbacks.on_ui_settings(switches.register)
script_callbacks.on_before_ui(switches.register)
