"""What `pip install .` gives: the core with a public face, and nothing of the extension."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.texts.toml import tomllib

import hypernetwork_workbench
import install
from tests import sources

pytestmark = pytest.mark.slow

USE = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"modules", "gradio", "fastapi", "diffusers", "transformers", "ldm", "sgm", "peft"}:
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, Blocker())
sys.path.insert(0, sys.argv[1])
import torch
import hypernetwork_workbench as workbench

assert workbench.__file__.startswith(sys.argv[1]), workbench.__file__
for name in workbench.__all__:
    assert getattr(workbench, name).__doc__, name
network = workbench.Hypernetwork.create(workbench.Structure((1, 2, 1), init_std=0.5), (8,), 1)
workbench.save(network, sys.argv[2])
again = workbench.load(sys.argv[2])
x = torch.ones(1, 2, 8)
k_in, v_in = workbench.compose("a:0.5 > a").transform(x, {"a": again})
assert not torch.equal(k_in, x) and not torch.equal(k_in, v_in)
try:
    workbench.apply(object(), again)
except workbench.WorkbenchError as error:
    assert "has no U-Net" in str(error)
from hypernetwork_workbench.hypernetworks.pages import sentences
from hypernetwork_workbench.hypernetworks.train import run
assert "ready" in sentences.done("ready")
assert not {"patches", "hypernetworks", "adapters", "library"} & sys.modules.keys()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it from a copy: setuptools leaves its own files beside the sources."""
    copy = tmp_path_factory.mktemp("sources")
    skip = shutil.ignore_patterns("__pycache__", "*.ckpt", "*.safetensors", "*.png")
    for part in (*sources.PARTS, "localizations", "javascript"):
        shutil.copytree(sources.ROOT / part, copy / part, ignore=skip)
    for name in (*sources.TOP, "pyproject.toml", "LICENSE"):
        shutil.copy(sources.ROOT / name, copy)
    (copy / "tests").mkdir()
    (copy / "tests" / "__init__.py").touch()
    build = [
        "-m",
        "pip",
        "wheel",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
        "-w",
        str(copy / "dist"),
        str(copy),
    ]
    result = subprocess.run([sys.executable, *build], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (found,) = (copy / "dist").iterdir()
    return found


def test_the_wheel_has_every_file_of_the_core_and_nothing_of_the_extension(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {
        f"hypernetwork_workbench/{path.relative_to(sources.ROOT).as_posix()}"
        for room in ("hypernetworks", "adapters")
        for path in (sources.ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == wanted | {"hypernetwork_workbench/__init__.py", "hypernetwork_workbench/py.typed"}


def test_it_works_without_a_webui(wheel: Path, tmp_path: Path):
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    command = [sys.executable, "-I", "-c", USE, str(place), str(tmp_path / "a.pt")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_it_needs_what_the_extension_needs():
    project = tomllib.loads((sources.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert hypernetwork_workbench.__version__ == project["version"]
    needed = {name: ".".join(map(str, oldest)) for name, oldest in install.NEEDED.items()}
    found = dict(re.fullmatch(r"([\w-]+)>=([\d.]+).*", text).groups() for text in project["dependencies"])
    own = {name: found.pop(name) for name in install.OWN}
    assert found == needed
    assert all(install.OWN[name][0].startswith(f"{name}>={oldest}") for name, oldest in own.items())


def test_the_face_has_the_version_of_the_project():
    from hypernetwork_workbench import library

    assert library.__version__ == hypernetwork_workbench.__version__


def test_the_checkout_has_the_names_of_the_library_and_loads_them_when_asked():
    """Python finds its folder before the installed package, for a program that is started there."""
    code = (
        "import sys\n"
        "import hypernetwork_workbench as workbench\n"
        "from hypernetwork_workbench import hypernetworks\n"
        "assert 'hypernetwork_workbench.library' not in sys.modules and 'torch' not in sys.modules\n"
        "from hypernetwork_workbench import library\n"
        "assert all(getattr(workbench, name) is getattr(library, name) for name in library.__all__)\n"
        "assert not hasattr(workbench, 'nothing')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=sources.ROOT)
    assert result.returncode == 0, result.stderr
