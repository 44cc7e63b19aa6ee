"""Registers the HTTP API, and the gate before it and before the handlers of the tabs."""

from hypernetwork_workbench.patches.api import app, gate
from modules import script_callbacks

script_callbacks.on_app_started(gate.register)
script_callbacks.on_app_started(app.register)
