"""The nodes in a real ComfyUI; without COMFYUI_DIR this is skipped. COMFYUI_PYTHON is its Python, if not this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests import sources
from tests.real_comfyui import walk

#: Each difference is a share of the largest value.
SAME = 1e-5


@pytest.mark.skipif(not os.environ.get("COMFYUI_DIR"), reason="COMFYUI_DIR: not set")
def test_the_nodes_do_what_the_definition_says(tmp_path: Path):
    networks, nodes = tmp_path / "networks", tmp_path / "hypernetwork-workbench"
    networks.mkdir()
    nodes.symlink_to(sources.ROOT / "adapters" / "comfyui", target_is_directory=True)
    for seed, (name, activation) in enumerate((("a.pt", "linear"), ("b.pt", "relu"), ("c.safetensors", "relu"))):
        structure = Structure((1, 2, 1), activation, init_std=0.2)
        files.save(Hypernetwork.create(structure, (32, 64, *walk.TEXT.values()), seed), networks / name)
    home = os.environ["COMFYUI_DIR"]
    result = subprocess.run(
        [os.environ.get("COMFYUI_PYTHON", sys.executable), walk.__file__, str(nodes), str(networks)],
        cwd=home,
        env={**os.environ, "PYTHONPATH": home},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["names"] == ["None", "a", "b", "c"]
    assert "activation relu" in told["inspect"]
    for family in walk.TEXT:
        assert set(told["far"][family]) == set(walk.WAYS)
        assert told["far"][family]["strength 0"] == 0
        assert max(told["far"][family].values()) < SAME
