"""Tells over HTTP what stands in the host's attributes: how many wrappers, and whose."""

from __future__ import annotations

import importlib
import sys

from modules import script_callbacks, scripts, shared
from PIL import Image

OURS = "hypernetwork_workbench"
OURS_FILES = "hypernetwork-workbench"


def _layers(target):
    """Files of the functions that run below a target, the outermost first."""
    module_name, _, path = target.partition(":")
    found = importlib.import_module(module_name)
    for name in path.split("."):
        found = getattr(found, name)
    layers = []
    while found is not None:
        layers.append(getattr(getattr(found, "__code__", None), "co_filename", "?"))
        found = getattr(found, "__wrapped__", None)
    return layers


def _patches():
    return sys.modules[f"{OURS}.patches"]


def _targets():
    patches = (patch for patch_set in _patches().PATCH_SETS for patch in patch_set.patches)
    return [patch.target for patch in patches if hasattr(patch, "target") and patch.is_needed]


def _marked():
    """Targets on which a wrapper of ours lies, of every patch set by its name."""
    found = {}
    for patch_set in _patches().PATCH_SETS:
        targets = [patch.target for patch in patch_set.patches if hasattr(patch, "target") and patch.is_needed]
        found[patch_set.name] = [target for target in targets if any(OURS_FILES in file for file in _layers(target))]
    return found


def _choose_gpus(count: int):
    """Let runs take so many GPUs, which are processes on the CPU here."""
    gpus = importlib.import_module(f"{OURS}.patches.runs.gpus")
    gpus.chosen = lambda: count


def _loaded():
    """Modules of the classes of what is loaded, and what attention layers keep of it."""
    loaded = [type(each).__module__ for each in shared.loaded_hypernetworks]
    return loaded + [
        repr(value)
        for module in shared.sd_model.model.diffusion_model.modules()
        for name, value in vars(module).items()
        if name in ("hyper_k", "hyper_v") and OURS in repr(value)
    ]


def _axes():
    """Labels of the axes that the X/Y/Z plots offer."""
    grids = {id(data.module): data.module for data in scripts.scripts_data}.values()
    return [option.label for grid in grids for option in getattr(grid, "axis_options", ())]


def _subject(path: str):
    """Return where the subject of a picture is for a square crop, as shares of its width and height."""
    picture = Image.open(path).convert("RGB")
    return importlib.import_module(f"{OURS}.patches.model.subject").find_subject(picture, (64, 64))


def _on_app_started(_demo, app):
    app.add_api_route("/probe/subject", _subject, methods=["GET"])
    app.add_api_route("/probe/layers", lambda: {target: _layers(target) for target in _targets()}, methods=["GET"])
    app.add_api_route("/probe/marked", _marked, methods=["GET"])
    app.add_api_route("/probe/gpus", _choose_gpus, methods=["POST"])
    app.add_api_route("/probe/loaded", _loaded, methods=["GET"])
    app.add_api_route("/probe/axes", _axes, methods=["GET"])
    app.add_api_route("/probe/uninstall", lambda: _patches().uninstall_all(), methods=["POST"])
    app.add_api_route("/probe/install", lambda: _patches().install_all(), methods=["POST"])
    app.add_api_route("/probe/reload", shared.state.request_restart, methods=["POST"])
    app.add_api_route(
        "/probe/modules",
        lambda: {
            name: getattr(module, "__file__", None) or ""
            for name, module in sys.modules.copy().items()
            if name.split(".")[0] in ("patches", "hypernetworks")
        },
        methods=["GET"],
    )


script_callbacks.on_app_started(_on_app_started)
