"""Forge or reForge with the extension; without FORGE_DIR and FORGE_CHECKPOINT these tests are skipped.

FORGE_FLAGS are flags of its own to start it with, such as `--unet-in-fp16` for a checkpoint of SDXL in little memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_host import webui, workplace

MINUTES = 30
NAMES = ("FORGE_DIR", "FORGE_CHECKPOINT")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips this folder where no Forge is named; gives its tests the time that a large model takes on a CPU."""
    missing = [name for name in NAMES if not os.environ.get(name)]
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(60 * MINUTES))
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"{' and '.join(missing)}: not set"))


@pytest.fixture(scope="session")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webui.WebUI]:
    """Return Forge with the extension; it recognises checkpoints by their shapes, so the demo's will not do."""
    folder = tmp_path_factory.mktemp("forge")
    (folder / "extensions").mkdir()
    workplace.add_extension(folder)
    # A live preview would have reForge download a small autoencoder for it.
    settings = {"sd_checkpoint_hash": "", "samples_save": False, "grid_save": False, "live_previews_enable": False}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    home, checkpoint = (Path(os.environ[name]) for name in NAMES)
    flags = os.environ.get("FORGE_FLAGS", "").split()
    with webui.running(folder, "--always-cpu", *flags, webui=home, checkpoint=checkpoint) as host:
        yield host
