"""What is asked of ComfyUI: its folders of networks, and its manager of memory."""

from __future__ import annotations

import functools
import importlib
import weakref
from typing import Any

import torch
from torch import nn

from ...hypernetworks.files import listing
from ...hypernetworks.network.hypernetwork import Hypernetwork

_FOLDER = "hypernetworks"


def listed() -> dict[str, str]:
    """Return the name and path of every network and composition in ComfyUI's folders, the first folder's before others.

    They are called as the WebUI calls them: by their file names without the ending.
    """
    found: dict[str, str] = {}
    for folder in importlib.import_module("folder_paths").get_folder_paths(_FOLDER):
        for name, path in listing.complete({}, folder).items():
            found.setdefault(name, path)
    return found


class _Holder(nn.Module):
    """A network as a model of ComfyUI's, whose manager writes attributes of its own into its models."""

    def __init__(self, network: Hypernetwork) -> None:
        super().__init__()
        self.network = network


@functools.cache
def _kind() -> Any:
    """Return the class of ComfyUI's that a model is managed by, for models that are moved as a whole."""
    patcher: Any = importlib.import_module("comfy.model_patcher").ModelPatcher

    class Managed(patcher):
        def partially_unload(self, *_arguments: Any, **_options: Any) -> int:
            """Give back nothing, so that the manager takes all of it: the layers of a network go together."""
            return 0

    return Managed


#: By the network's id, which is its own as long as the entry is there: the value holds it.
_managed: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def managed(network: Hypernetwork) -> Any:
    """Return the one model patcher of a network; while somebody holds it, ComfyUI counts and moves its weights."""
    found = _managed.get(id(network))
    if found is None:
        management = importlib.import_module("comfy.model_management")
        found = _kind()(_Holder(network), load_device=management.get_torch_device(), offload_device=torch.device("cpu"))
        _managed[id(network)] = found
    return found


def in_use() -> list[Hypernetwork]:
    """Return the networks that some model in ComfyUI has."""
    return [patcher.model.network for patcher in list(_managed.values())]
