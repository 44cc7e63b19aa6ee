"""Registers the tab Inspect Hypernetwork."""

from hypernetwork_workbench.patches import tabs

from hypernetwork_workbench import patches

patches.install_all()
tabs.register("inspect")
