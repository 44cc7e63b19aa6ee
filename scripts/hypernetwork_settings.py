"""Registers the extension's options in the Settings tab, and for the host without a page."""

from modules import script_callbacks

from hypernetwork_workbench import patches

script_callbacks.on_ui_settings(patches.register_switches)
script_callbacks.on_before_ui(patches.register_switches)
script_callbacks.on_script_unloaded(patches.forget_switches)
