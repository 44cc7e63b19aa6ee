"""Registers our tabs: inside the host's Train tab, or in one of their own: without a Train tab, or if so set."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import re
from collections.abc import Callable
from typing import Any

from ..patching import switches
from ..patching.error_reports import build_with_reports

_log = logging.getLogger(__name__)
_TITLE, _ID = "Hypernetworks", "hnw_tabs"

Build = Callable[[Any], None]


class TabRegistry:
    """Our tabs: built inside Train where the page has it, else in a top-level tab of their own."""

    def __init__(self) -> None:
        self._builds: dict[str, Build] = {}
        self._params: Any = None
        self._is_in_train = False
        self._row: Any = None

    @property
    def is_empty(self) -> bool:
        """Whether no tab is registered."""
        return not self._builds

    def add(self, name: str, build: Build) -> None:
        """Add a tab by the function that builds it."""
        self._builds[name] = build

    def build_in_train(self, name: str, params: Any) -> None:
        """Build a tab inside the host's Train tab, with the components that it gives; not if ours stand apart."""
        from gradio.context import Context  # noqa: PLC0415

        self._params = params
        if not switches.tabs_stand_apart():
            self._is_in_train, self._row = True, Context.block
            build_with_reports(self._builds[name], params)

    def own_tab(self) -> list[tuple[Any, str, str]]:
        """Return a top-level tab with all of ours, or nothing if they are inside Train; called once Train is built."""
        import gradio as gr  # noqa: PLC0415

        is_in_train, row, params = self._is_in_train, self._row, self._params
        self._end_page()
        if is_in_train:
            _tell_apart(row)
            return []
        with gr.Blocks(analytics_enabled=False) as block, gr.Tabs(elem_id=_ID):
            for name, build in self._builds.items():
                try:
                    build_with_reports(build, params)
                except (AttributeError, TypeError, ValueError):  # what an unknown gradio may raise
                    _log.exception("The part %s is off: this WebUI's page cannot carry it.", name)
        return [(block, _TITLE, _ID)]

    def forget(self) -> None:
        """Forget all tabs."""
        self._builds.clear()
        self._end_page()

    def _end_page(self) -> None:
        self._is_in_train, self._row, self._params = False, None, None


def _tell_apart(row: Any) -> None:
    """Let the labels of our tabs say whose they are where another extension has nearly the same ones."""
    tabs = [tab for tab in getattr(row, "children", ()) if getattr(tab, "label", None)]
    ours = [tab for tab in tabs if str(tab.elem_id).startswith("hnw_")]
    others = {_letters(tab.label) for tab in tabs if tab not in ours}
    for tab in ours:
        if _letters(tab.label) in others:
            tab.label = f"{tab.label} (Workbench)"


def _letters(label: str) -> str:
    return re.sub(r"[\W_]+", "", label).lower()


_registry = TabRegistry()


def register_all() -> None:
    """Show every tab of this package: each module or room with a function `build`, in the order of their `ORDER`.

    A tab that cannot be imported is off alone.
    """
    orders = {}
    for module in pkgutil.iter_modules(__path__):
        try:
            face = _import(module.name)
        except Exception:  # whatever is wrong with one tab, the others stand
            _log.exception("The part %s is off.", module.name)
            continue
        if hasattr(face, "build"):
            orders[module.name] = face.ORDER
    for name in sorted(orders, key=orders.__getitem__):
        register(name)


def register(name: str) -> None:
    """Show the tab `name` of this package; if this WebUI cannot show it, only this tab is off."""
    from modules import script_callbacks  # noqa: PLC0415

    face = _import(name)
    if face is None:
        return
    if _registry.is_empty:
        script_callbacks.on_ui_tabs(_registry.own_tab)
        script_callbacks.on_script_unloaded(forget)
    _registry.add(name, face.build)
    if hasattr(script_callbacks, "on_ui_train_tabs"):
        script_callbacks.on_ui_train_tabs(lambda params: _registry.build_in_train(name, params))


def _import(name: str) -> Any:
    """Import a tab; None where this WebUI lacks something that it needs, which the log tells."""
    try:
        return importlib.import_module(f"{__package__}.{name}")
    except ImportError as error:
        if not (error.name or "").startswith("modules"):
            raise
        _log.warning("The part %s is off: this WebUI lacks something that it needs (%s).", name, error)
        return None


def forget() -> None:
    """Forget all tabs: the scripts are about to load again."""
    _registry.forget()
