"""Patch set: the WebUI's own tab Create hypernetwork, and its HTTP route, make networks as our tab does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...hypernetworks.base.errors import WorkbenchError
from ...hypernetworks.files.create import create_file
from ...hypernetworks.jobs.webui_form import CREATION_ARGUMENTS, creation_values, in_arguments, in_labels
from ...hypernetworks.pages.sentences import refused_by_host
from ...hypernetworks.train.settings.job import CreateSettings
from ..patching import Patch, PatchSet, signature_with
from .host_training import api_is_on

_HOST = "modules.hypernetworks.hypernetwork:create_hypernetwork"
_PAGE = "modules.hypernetworks.ui:create_hypernetwork"
_ROUTE = "modules.api.api:create_hypernetwork"


class CreationRefusedError(WorkbenchError, AssertionError):
    """A network was not made; the host answers assertions of this function with their text."""


def _make_create(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function for callers of the host's: it returns the path of the file, or raises."""
    signature = signature_with(original, *CREATION_ARGUMENTS)

    def create_hypernetwork(*args: Any, **kwargs: Any) -> str:
        try:
            return str(create(signature.bind(*args, **kwargs).arguments))
        except WorkbenchError as error:
            raise CreationRefusedError(in_arguments(error)) from error

    return create_hypernetwork


def _make_page(_original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the handler of the button; it returns the list of networks to train, and text and HTML for the end."""

    def create_hypernetwork(*args: Any, **kwargs: Any) -> tuple[Any, str, str]:
        import gradio as gr  # noqa: PLC0415
        from modules import shared  # noqa: PLC0415
        from modules.hypernetworks import hypernetwork  # noqa: PLC0415

        function: Any = hypernetwork
        entered = inspect.signature(function.create_hypernetwork).bind(*args, **kwargs).arguments
        try:
            path = create(entered)
        except WorkbenchError as error:
            return gr.update(), "", refused_by_host(in_labels(error))
        return gr.update(choices=sorted(shared.hypernetworks)), f"Created: {path}", ""

    return create_hypernetwork


def create(entered: Mapping[str, Any]) -> Path:
    """Make a network as the arguments of the host's function say; return its file.

    Raises:
        WorkbenchError: an argument is wrong, or the file cannot be written.
    """
    from modules import shared  # noqa: PLC0415

    settings = CreateSettings.from_mapping(creation_values(entered))
    path = create_file(settings, (), Path(shared.cmd_opts.hypernetwork_dir))
    shared.reload_hypernetworks()
    return path


patch_set = PatchSet(
    "creation",
    "The WebUI's own tab Create hypernetwork makes valid files",
    [
        Patch(_ROUTE, _make_create, when=api_is_on),  # first, as it is imported by value
        Patch(_HOST, _make_create),
        Patch(_PAGE, _make_page),
    ],
    mends=True,
)
