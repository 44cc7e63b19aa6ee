"""Begins with the jobs of the queue once the host has started."""

from hypernetwork_workbench.patches.queue import adding
from modules import script_callbacks

script_callbacks.on_app_started(adding.begin)
