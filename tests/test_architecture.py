"""docs/ARCHITECTURE.md and the docstring of `patches` name every place where the host is touched."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests import sources
from tests.support import architecture

#: Packages that a host brings.
HOST = {"modules", "gradio", "ldm", "sgm", "k_diffusion", "backend", "ldm_patched"}
#: Modules that hold others; with them the name that is imported is a module.
FOLDERS = {"modules", "modules.hypernetworks", "modules.textual_inversion"}
#: Calls that change a module of torch for longer than themselves.
CHANGES = {"register_forward_hook", "register_forward_pre_hook", "requires_grad_"}


def _paths() -> list[Path]:
    return [path for path in sources.paths() if path.parts[len(sources.ROOT.parts)] in ("patches", "scripts")]


def _relative(path: Path) -> str:
    return path.relative_to(sources.ROOT).as_posix()


def _host_names(path: Path) -> dict[str, str]:
    """Return the modules of the host that a file imports anywhere, by the names they have there."""
    found: dict[str, str] = {}
    for node in ast.walk(sources.tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = node.module or ""
            for alias in node.names:
                found[alias.asname or alias.name] = f"{module}.{alias.name}" if module in FOLDERS else module
    return {name: module for name, module in found.items() if module.split(".")[0] in HOST}


def _texts(path: Path) -> Iterator[str]:
    """Modules that are named in texts: targets of patches, and what is imported only where it is there."""
    for node in ast.walk(sources.tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = re.fullmatch(r"(\w+(?:\.\w+)+)(?::[\w.]+)?", node.value)
            if found and found[1].split(".")[0] in HOST:
                yield found[1]


def _changes(path: Path) -> bool:
    """Tell whether a file writes into what belongs to the host, or changes a module of torch."""
    hosts = _host_names(path)
    for node in ast.walk(sources.tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            return True
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        for target in targets if isinstance(node, ast.Assign | ast.AugAssign | ast.Delete) else []:
            root = target
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            is_inside = root is not target
            if is_inside and isinstance(root, ast.Name) and root.id in hosts:
                return True
            if isinstance(target, ast.Attribute) and target.attr == "forward":
                return True
    return False


def test_the_files_of_the_stages_are_there():
    for heading in ("Training", "Generation"):
        for name in {name for names in architecture.named(heading, 1) for name in names}:
            places = [sources.ROOT / name, sources.ROOT / "hypernetworks" / name]
            assert any(place.exists() for place in places), name


def test_every_adapter_is_named():
    modules = {_relative(path) for path in (sources.ROOT / "adapters").rglob("*.py") if path.stem != "__init__"}
    assert {name for names in architecture.named("The adapters") for name in names} == modules


def test_every_callback_is_named():
    used = {
        node.attr
        for path in _paths()
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "script_callbacks"
    }
    assert {name for names in architecture.named("Callbacks") for name in names} == used


def test_every_module_of_the_host_is_named():
    used = {module for path in _paths() for module in (*_host_names(path).values(), *_texts(path))}
    assert {name for names in architecture.named("Modules of the host that are used") for name in names} == used


def test_every_file_that_changes_something_of_the_host_is_named():
    own = {"patches/patching/patch.py"}  # the patches
    changing = {_relative(path) for path in _paths() if _changes(path)} - own
    headings = ("Temporary state", "The host's own lists and jobs")
    named = {name for heading in headings for names in architecture.named(heading) for name in names}
    assert changing <= named
    assert all((sources.ROOT / name).is_file() for name in named)


def test_every_file_that_changes_the_server_is_named():
    changing = {
        _relative(path)
        for path in _paths()
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.arg) and isinstance(node.annotation, ast.Name) and node.annotation.id == "FastAPI"
    }
    assert {name for names in architecture.named("The host's server") for name in names} == changing


def test_every_setting_and_flag_is_named():
    from hypernetwork_workbench.patches.patching import switches
    from hypernetwork_workbench.preload import preload

    named = set(architecture.CODE.findall(architecture.text("Settings and flags")))
    assert {switches.MASTER, switches.KEPT, switches.SHORTCUTS, "hnw_patch_NAME"} <= named
    parser = argparse.ArgumentParser(add_help=False)
    preload(parser)
    flags = {flag for action in parser._actions for flag in action.option_strings}
    assert {name for name in named if name.startswith("--")} == flags


def test_the_docstring_of_the_patches_has_the_same_list():
    docstring = ast.get_docstring(sources.tree(sources.ROOT / "patches" / "__init__.py")) or ""
    assert re.findall(r"^- ([^:]+):", docstring, re.MULTILINE) == architecture.headings("Where the host is touched")
