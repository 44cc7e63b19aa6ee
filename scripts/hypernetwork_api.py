"""Registers the HTTP API."""

from hypernetwork_workbench.patches.api import app
from modules import script_callbacks

script_callbacks.on_app_started(app.register)
