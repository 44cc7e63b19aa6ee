"""Reads the infotext that pictures carry, and writes single values of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import gradio as gr

from modules import script_callbacks

_PARAM = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"^(\d+)x(\d+)$")
MIN_PARAMS = 3


class PasteField(tuple):
    """A component and the infotext key (or function of all values) that fills it."""

    __slots__ = ()

    def __new__(cls, component: Any, target: str | Callable[..., Any], *, api: str | None = None) -> PasteField:
        """Makes the pair; `api` is the WebUI's name for it, not used here."""
        return super().__new__(cls, (component, target))


def quote(text: Any) -> str:
    """A value for an infotext; quoted where it holds a comma, a colon or a line break."""
    plain = str(text)
    return json.dumps(plain, ensure_ascii=False) if re.search(r"[,\n:]", plain) else plain


def unquote(text: str) -> Any:
    """A value of an infotext without its quotes."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return json.loads(text)
        except ValueError:
            # A foreign infotext may quote in its own way: the text stands for itself.
            return text
    return text


def parse_generation_parameters(x: str, skip_fields: list[str] | None = None) -> dict[str, Any]:
    """The values of an infotext by name; "Prompt" and "Negative prompt" among them, "Size" also as Size-1, Size-2."""
    lines = x.strip().split("\n")
    last = lines.pop() if lines else ""
    if len(_PARAM.findall(last)) < MIN_PARAMS:
        lines.append(last)
        last = ""
    texts = {"Prompt": [], "Negative prompt": []}  # type: dict[str, list[str]]
    current = "Prompt"
    for line in lines:
        content = line.strip()
        if content.startswith("Negative prompt:"):
            current, content = "Negative prompt", content.removeprefix("Negative prompt:").strip()
        texts[current].append(content)
    result: dict[str, Any] = {key: "\n".join(parts) for key, parts in texts.items()}
    for key, value in _PARAM.findall(last):
        plain = unquote(value.strip())
        size = _SIZE.match(plain) if isinstance(plain, str) else None
        if size:
            result[f"{key}-1"], result[f"{key}-2"] = size.groups()
        else:
            result[key] = plain
    for key in skip_fields or []:
        result.pop(key, None)
    return result


def _value_for(component: Any, value: Any) -> Any:
    """An infotext's text as the type of a component's value; no update where it does not fit."""
    if value is None:
        return gr.update()
    if isinstance(component, gr.Number | gr.Slider):
        try:
            number = float(value)
        except ValueError:
            return gr.update()
        return gr.update(value=int(number) if number.is_integer() else number)
    if isinstance(component, gr.Checkbox):
        return gr.update(value=str(value) == "True")
    return gr.update(value=value)


def connect_paste(button: Any, fields: list[tuple[Any, Any]], source: Any) -> None:
    """Makes a button fill the fields from the infotext in the source component."""

    def paste(text: str) -> list[Any]:
        params = parse_generation_parameters(text)
        script_callbacks.infotext_pasted_callback(text, params)
        targets = ((component, key(params) if callable(key) else params.get(key)) for component, key in fields)
        return [_value_for(component, value) for component, value in targets]

    button.click(paste, inputs=[source], outputs=[component for component, _ in fields], show_progress=False)
