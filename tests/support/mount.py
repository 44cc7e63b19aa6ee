"""The project as tools see a package that is installed: by a link of that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import sources


def mounted(place: Path) -> Path:
    """Return a folder in `place` that holds the package `hypernetwork_workbench`; skips where links cannot be made."""
    mount = place / "mount"
    mount.mkdir()
    try:
        (mount / "hypernetwork_workbench").symlink_to(sources.ROOT, target_is_directory=True)
    except OSError as error:
        pytest.skip(f"this system lets no test make a link to a folder: {error}")
    return mount
