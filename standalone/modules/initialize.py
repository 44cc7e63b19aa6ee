"""The start of the host without a page, named as the WebUI's."""

from __future__ import annotations

import sys

from hypernetwork_workbench.standalone import host


def imports() -> None:
    """Do nothing: what is needed is imported where it is."""


def initialize() -> None:
    """Prepare the host as the command line says, and load its model."""
    host.prepare(sys.argv[1:]).module("sd_models").get_model()
