"""Mounts this folder as the package `hypernetwork_workbench`, so that no generic name enters `sys.modules`."""

from pathlib import Path

__version__ = "0.1.0"
__path__ = [str(Path(__file__).resolve().parent)]
