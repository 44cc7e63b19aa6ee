"""Registers the HTTP API."""

from hypernetwork_workbench.patches import api
from modules import script_callbacks

script_callbacks.on_app_started(api.register)
