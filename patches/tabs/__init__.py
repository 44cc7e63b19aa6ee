"""Where our tabs stand: inside the host's Train tab, or in one of their own where the host has none."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any

_log = logging.getLogger(__name__)
_TITLE, _ID = "Hypernetworks", "hnw_tabs"

Build = Callable[[Any], None]


class Places:
    """What stands inside Train since the page was last built, and what has to stand elsewhere."""

    def __init__(self) -> None:
        self._builds: dict[str, Build] = {}
        self._is_in_train = False

    @property
    def is_empty(self) -> bool:
        """Whether no tab has asked for a place yet."""
        return not self._builds

    def add(self, name: str, build: Build) -> None:
        """Return a tab that has to stand somewhere."""
        self._builds[name] = build

    def inside_train(self, name: str, params: Any) -> None:
        """Return the host shows its Train tab, and this one of ours in it."""
        self._is_in_train = True
        self._builds[name](params)

    def elsewhere(self) -> list[tuple[Any, str, str]]:
        """Return a top-level tab with all of ours, unless they are inside Train already; called once that is built."""
        import gradio as gr  # noqa: PLC0415

        if self._is_in_train:
            self._is_in_train = False
            return []
        with gr.Blocks(analytics_enabled=False) as block, gr.Tabs(elem_id=_ID):
            for name, build in self._builds.items():
                try:
                    build(None)
                except (AttributeError, TypeError, ValueError):  # what a gradio that we do not know answers with
                    _log.exception("The part %s is off: this WebUI's page cannot carry it.", name)
        return [(block, _TITLE, _ID)]

    def forget(self) -> None:
        """No tab has a place any more."""
        self._builds.clear()
        self._is_in_train = False


_places = Places()


def register(name: str) -> None:
    """Show the tab that the room `name` of this package builds; one that the host cannot carry is off alone."""
    from modules import script_callbacks  # noqa: PLC0415

    try:
        build = importlib.import_module(f"{__package__}.{name}").build
    except ImportError as error:
        if not (error.name or "").startswith("modules"):
            raise
        _log.warning("The part %s is off: this WebUI lacks something that it needs (%s).", name, error)
        return
    if _places.is_empty:
        script_callbacks.on_ui_tabs(_places.elsewhere)
        script_callbacks.on_script_unloaded(forget)
    _places.add(name, build)
    if hasattr(script_callbacks, "on_ui_train_tabs"):
        script_callbacks.on_ui_train_tabs(lambda params: _places.inside_train(name, params))


def forget() -> None:
    """Forget all tabs: the scripts are about to load again."""
    _places.forget()
