"""The embedded host on a tiny checkpoint of random weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_checkpoint, webui_parts


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny checkpoint."""
    return tiny_checkpoint.write(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def host(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return the host with its model loaded, the WebUI's parts it lacks stood in for, and nothing of the extension.

    Each file starts it anew: a process has one host, and files of another folder may have started it their way.
    """
    from standalone import host as embedded

    running = embedded.start(ckpt=checkpoint, data_dir=tmp_path_factory.mktemp("data"), extension=False)
    with webui_parts.added():
        yield running
        running.stop()


@pytest.fixture(autouse=True)
def with_api() -> None:
    """Return the host serves its HTTP API, whatever another start of it said meanwhile."""
    options = sys.modules.get("modules.shared_cmd_options")
    if options is not None:
        options.cmd_opts.api = True


@pytest.fixture
def patched(host: Any) -> Iterator[Any]:
    """Return the host with all patch sets on for one test, and its networks gone afterwards."""
    from hypernetwork_workbench import patches

    patches.install_all()
    yield host
    patches.uninstall_all()
    shared = host.module("shared")
    for path in Path(shared.cmd_opts.hypernetwork_dir).iterdir():
        path.unlink()
    shared.reload_hypernetworks()
    shared.loaded_hypernetworks.clear()
    host.module("progress").finished_tasks.clear()  # the next test may give its task the same name
