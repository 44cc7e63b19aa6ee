"""Registers the extension's options in the Settings tab."""

from hypernetwork_workbench.patches import options
from modules import script_callbacks

script_callbacks.on_ui_settings(options.register)
