"""Who may import whom: the core knows no host, only `patches/` touches it, and no generic name enters sys.modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
from hypernetwork_workbench.hypernetworks.texts.toml import tomllib

from tests import sources
from tests.support import architecture
from tests.support.mount import mounted
from tests.support.rooms_contract import RoomsContract

HOST = {"modules", "ldm", "sgm", "gradio", "k_diffusion"}
#: What other programs bring.
OTHERS = {"diffusers", "comfy", "peft"}
GENERIC = ("patches", "hypernetworks", "adapters")
SCRIPT_LINES = 60

BLOCKER = """
import importlib.abc, pkgutil, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {host!r}:
            raise ImportError(f"{{name}} belongs to the host")

sys.meta_path.insert(0, Blocker())
import hypernetwork_workbench.adapters as adapters
import hypernetwork_workbench.hypernetworks as core
rooms = (core, adapters)
names = [each.name for room in rooms for each in pkgutil.walk_packages(room.__path__, room.__name__ + ".")]
for name in names:
    __import__(name)
print(len(names))
"""

EVERYTHING = """
import pkgutil, sys
import hypernetwork_workbench.hypernetworks as core
for module in pkgutil.walk_packages(core.__path__, core.__name__ + "."):
    __import__(module.name)
import hypernetwork_workbench.adapters.diffusers
from standalone import host
host.mount()
from hypernetwork_workbench import patches
for module in pkgutil.walk_packages(patches.__path__, patches.__name__ + "."):
    __import__(module.name)
print(sorted({generic!r} & sys.modules.keys()))
"""


def _relative(path: Path) -> str:
    return path.relative_to(sources.ROOT).as_posix()


def _host_imports(part: str) -> list[str]:
    return [
        f"{_relative(path)}:{line} imports {name}"
        for path in sources.paths()
        if _relative(path).startswith(part)
        for name, line in sources.imports(path)
        if name.split(".")[0] in HOST
    ]


def _python(code: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(sources.ROOT), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=sources.ROOT, env=environment
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().splitlines()[-1]


def test_the_reader_of_imports_sees_host_imports():
    assert _host_imports("patches/"), "patches/ touches the host: a reader that sees none there sees nothing anywhere"


def test_the_core_imports_no_host():
    assert _host_imports("hypernetworks/") == []
    assert _host_imports("adapters/") == []


def test_the_core_and_the_adapters_import_where_no_host_can_be_imported():
    assert int(_python(BLOCKER.format(host=HOST | OTHERS))) > 10


def test_no_generic_name_enters_sys_modules():
    assert _python(EVERYTHING.format(generic=set(GENERIC))) == "[]"


def test_no_source_imports_a_generic_name():
    wrong = [
        f"{_relative(path)}:{line} imports {name}"
        for path in [*sources.paths(), *(sources.ROOT / "tests").rglob("*.py")]
        for name, line in sources.imports(path)
        if name.split(".")[0] in GENERIC
    ]
    assert wrong == []


def test_imports_keep_their_contracts(tmp_path):
    mount = mounted(tmp_path)
    (mount / "tests").symlink_to(sources.ROOT / "tests", target_is_directory=True)  # the contract of our own
    code = "import sys; from importlinter import cli; sys.exit(cli.lint_imports(sys.argv[1], no_cache=True))"
    result = subprocess.run(
        [sys.executable, "-c", code, str(sources.ROOT / "pyproject.toml")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        cwd=mount,
        env=os.environ | {"PYTHONPATH": str(mount), "PYTHONIOENCODING": "utf-8"},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "5 kept, 0 broken" in result.stdout


def test_the_page_about_the_architecture_has_every_room():
    contracts = tomllib.loads((sources.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    floors = [contract["floors"] for contract in contracts["contracts"] if contract["type"] == "rooms"]
    for heading, expected in zip(("The rooms of the core", "The rooms of the patches"), floors, strict=True):
        rooms = [[name.strip() for name in floor.split("|")] for floor in expected]
        assert architecture.named(heading) == rooms


@pytest.mark.parametrize(
    ("importer", "imported", "is_kept"),
    [
        ("high.top", "low.ground", True),
        ("high.top", "high.other", True),
        ("low.ground", "high.top", False),
        ("high.inner.deep", "low.ground", False),
        ("low.ground", "high.inner.deep", True),
        ("high.inner.deep", "high.top", False),
        ("beside.one", "low.ground", False),
        ("high", "alone", True),
        ("beside.one", "alone", True),
        ("alone", "beside.one", False),
    ],
)
def test_rooms_import_downstairs(importer, imported, is_kept):
    graph = grimp.ImportGraph()
    for name in ("high.top", "high.other", "high.inner.deep", "low.ground", "beside.one", "alone"):
        parts = f"house.{name}".split(".")
        for end in range(1, len(parts) + 1):
            graph.add_module(".".join(parts[:end]))
    graph.add_module("torch", is_squashed=True)
    for end in ("torch", f"house.{imported}"):
        graph.add_import(importer=f"house.{importer}", imported=end, line_number=7, line_contents="")
    floors = ["high", "low | beside", "high.inner", "."]
    contract = RoomsContract("rooms", {}, {"root": "house", "floors": floors})
    check = contract.check(graph, verbose=False)
    assert check.kept is is_kept
    assert check.metadata["wrong"] == ([] if is_kept else [(f"house.{importer}", 7, f"house.{imported}")])
    graph.add_module("house.attic")
    graph.add_module("house.attic.box")
    assert contract.check(graph, verbose=False).metadata["homeless"] == ["house.attic"]


def test_modules_of_a_room_do_not_import_one_another_in_a_circle():
    graph = grimp.ImportGraph()
    steps = {("one", "two"): True, ("two", "three"): True, ("three", "one"): False}
    for (importer, imported), is_kept in steps.items():
        for name in ("house", "house.room", f"house.room.{importer}", f"house.room.{imported}"):
            graph.add_module(name)
        graph.add_import(
            importer=f"house.room.{importer}", imported=f"house.room.{imported}", line_number=1, line_contents=""
        )
        check = RoomsContract("rooms", {}, {"root": "house", "floors": ["room", "."]}).check(graph, verbose=False)
        assert check.kept is is_kept
    assert set(check.metadata["circle"]) == {f"house.room.{name}" for name in ("one", "two", "three")}


def test_scripts_only_register():
    scripts = sorted((sources.ROOT / "scripts").glob("*.py"))
    assert scripts
    long = {path.name: lines for path in scripts if (lines := len(path.read_text().splitlines())) >= SCRIPT_LINES}
    assert long == {}


def test_what_runs_before_anything_is_installed_needs_the_standard_library_only():
    for name in ("__init__.py", "launcher.py", "environment.py"):
        path = sources.ROOT / "standalone" / name
        if path.exists():
            foreign = {module for module, _ in sources.imports(path)} - sys.stdlib_module_names
            assert {module for module in foreign if module.split(".")[0] not in sys.stdlib_module_names} == set(), name
