"""install.py: what the WebUI brings is never touched, and one line says what was done."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypernetwork_workbench.hypernetworks.jobs.path_limits import placed

import install
from tests import sources

#: What the host pins, or what its own pins depend on.
HOSTS = {"torch", "torchvision", "gradio", "numpy", "pydantic", "fastapi", "pillow", "safetensors", "transformers"}


@pytest.fixture
def installed(monkeypatch):
    """Versions by package as they are found; what pip is asked for is recorded and succeeds."""
    versions = {"torch": "2.1.2+cu121", "numpy": "1.26.2", "pillow": "9.5.0", "safetensors": "0.4.2", "psutil": "5.9.5"}

    def version(package):
        if package not in versions:
            raise importlib.metadata.PackageNotFoundError(package)
        return versions[package]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return versions


def test_nothing_is_run_where_nothing_is_missing(installed, monkeypatch):
    monkeypatch.setattr(install, "to_install", list)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was run"))
    assert install.install() == "Hypernetwork Workbench: nothing had to be installed."


def test_only_what_python_lacks_is_installed(installed):
    assert install.to_install((3, 10)) == ["tomli>=2.0.1,<3"]
    assert install.to_install((3, 11)) == []
    installed["tomli"] = "2.0.1"
    assert install.to_install((3, 10)) == []
    assert not HOSTS & set(install.OWN)
    assert "--no-deps" in install.pip_command(["tomli"])


def test_an_installation_and_its_failure_are_one_line(installed, monkeypatch):
    monkeypatch.setattr(install, "to_install", lambda: ["tomli>=2.0.1,<3"])
    answers = [(0, ""), (1, "retrying\nERROR: No matching distribution found\n"), (1, "")]

    def run(command, **_):
        assert command[:4] == [sys.executable, "-m", "pip", "install"]
        return subprocess.CompletedProcess(command, answers[0][0], "", answers[0][1])

    monkeypatch.setattr(subprocess, "run", run)
    assert install.install() == "Hypernetwork Workbench: installed tomli>=2.0.1,<3."
    del answers[0]
    assert install.install().endswith("could not be installed (ERROR: No matching distribution found).")
    del answers[0]
    assert install.install().endswith("could not be installed (pip gave no reason).")


def test_a_host_that_is_too_old_is_named_and_left_as_it_is(installed, monkeypatch):
    monkeypatch.setattr(install, "to_install", list)
    installed["torch"] = "1.13.1"
    del installed["psutil"]
    assert install.install().endswith("it needs at least torch 2.1 (here: 1.13.1), psutil 5.0 (here: none).")


def test_the_hosts_package_index_is_used(monkeypatch):
    monkeypatch.setenv("INDEX_URL", "https://example.org/simple")
    assert install.pip_command(["x"])[-2:] == ["--index-url", "https://example.org/simple"]


def test_it_runs_and_loads_in_a_folder_with_blanks_and_other_letters(tmp_path):
    folder = tmp_path / "Meine Räume" / "超网络 ext"
    folder.mkdir(parents=True)
    for name in ("install.py", "hypernetwork_workbench.py", "preload.py"):
        shutil.copy(sources.ROOT / name, folder)
    for name in ("hypernetworks", "patches"):
        shutil.copytree(sources.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = """
import install
print(install.install())
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork
from hypernetwork_workbench.hypernetworks.network.structure import Structure
from hypernetwork_workbench.hypernetworks.train.settings import job
path = __import__("pathlib").Path("netz 超.pt")
files.save(Hypernetwork.create(Structure(), (8,), 1), path)
print(files.load(path).widths, files.__file__)
"""
    environment = {**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr.decode()
    said = result.stdout.decode().splitlines()
    assert said[0] == "Hypernetwork Workbench: nothing had to be installed."
    assert said[1] == f"(8,) {folder / 'hypernetworks' / 'files' / '__init__.py'}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("night", r"D:\data sets\böse\night"),
        (r"night\deep", r"D:\data sets\böse\night\deep"),
        ("night/deep", r"D:\data sets\böse\night\deep"),
        (r"d:\DATA SETS\Böse\x", r"d:\DATA SETS\Böse\x"),
        (r"E:\more\x", r"E:\more\x"),
        (r"..\other", None),
        (r"night\..\..\other", None),
        (r"C:\Windows", None),
        (r"\Windows", None),
        ("C:night", None),
        (r"\\server\share\x", None),
        ("//server/share/x", None),
        (r"\\?\C:\Windows", None),
        (r"D:\data sets\bösewicht", None),
    ],
)
def test_windows_paths_are_held_inside_their_folders(text, expected):
    roots = [PureWindowsPath(r"D:\data sets\böse"), PureWindowsPath("E:/more")]
    path = placed(text, roots)
    assert path == (None if expected is None else PureWindowsPath(expected))


def test_a_path_of_another_system_is_a_name_below_the_folder():
    assert placed(r"C:\Windows", [PurePosixPath("/data")]) == PurePosixPath(r"/data/C:\Windows")
    assert placed("/etc", [PurePosixPath("/data")]) is None
