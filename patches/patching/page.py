"""The lists of networks in the page that the server keeps, for the pages that are opened after a switch."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any

import gradio as gr

#: Buttons that read a list of networks again: the host's at its setting, its Train tab and its cards, and ours.
_REFRESH = re.compile(
    r"refresh_sd_hypernetwork|refresh_train_hypernetwork_name|(txt|img)2img_hypernetworks_extra_refresh_internal"
    r"|hnw_(train|merge|inspect|picker)_refresh(_img2img)?"
)


def refresh_lists() -> None:
    """Press the buttons that read lists of networks again, in the page that the server hands out."""
    demo = _page()
    if demo is None:
        return
    for number, event in enumerate(demo.config["dependencies"]):
        names = {getattr(demo.blocks.get(_id(target)), "elem_id", None) or "" for target in event["targets"]}
        function = demo.fns[event.get("id", number)].fn  # newer versions of gradio number them with gaps
        if not any(map(_REFRESH.fullmatch, names)) or event["inputs"] or not event["outputs"] or function is None:
            continue
        answer = function()
        answers = answer if len(event["outputs"]) > 1 else [answer]
        for id_, update in zip(event["outputs"], answers, strict=True):
            if isinstance(update, dict):
                change(demo.blocks[id_], update)


def refresh_texts() -> None:
    """Let the page that the server hands out be made with the present translations, unless another one makes it."""
    made_by: Any = sys.modules.get("modules.ui_gradio_extensions")
    templates: Any = sys.modules.get("gradio.routes")
    if made_by is not None and templates.templates.TemplateResponse.__module__ == made_by.__name__:
        made_by.reload_javascript()


def choices(names: Iterable[str]) -> list[Any]:
    """Return choices as this gradio keeps them: newer versions keep the text that is shown beside each value."""
    kept: list[Any] = gr.Dropdown(list(names), render=False).choices
    return kept


def change(component: Any, update: dict[str, Any]) -> None:
    """Change what the server tells new pages of a component, such as its choices."""
    if "choices" in update:
        update = {**update, "choices": choices(update["choices"])}
    demo = _page()
    for described in (demo.config if demo is not None else {}).get("components", ()):
        if described["id"] == component._id:
            described["props"].update({name: value for name, value in update.items() if name != "__type__"})


def _page() -> Any:
    from modules import shared  # noqa: PLC0415

    demo = getattr(shared, "demo", None)
    return demo if getattr(demo, "config", None) else None


def _id(target: Any) -> Any:
    return target[0] if isinstance(target, (list, tuple)) else target
