"""Reads the infotext that pictures carry, and writes single values of it."""

from __future__ import annotations

import json
import re
from typing import Any

import gradio as gr

from modules import script_callbacks, shared

_PARAM = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"^(\d+)x(\d+)$")
MIN_PARAMS = 3


def quote(text: Any) -> str:
    """Return a value for an infotext; quoted where it holds a comma, a colon or a line break."""
    plain = str(text)
    return json.dumps(plain, ensure_ascii=False) if re.search(r"[,\n:]", plain) else plain


def unquote(text: str) -> str:
    """Return a value of an infotext without its quotes."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return json.loads(text)
        except ValueError:
            # A foreign infotext may quote in its own way: the text stands for itself.
            return text
    return text


def parse_generation_parameters(x: str) -> dict[str, str]:
    """Return the values of an infotext by name; "Prompt" and "Negative prompt" too, "Size" as Size-1 and Size-2."""
    *lines, last = x.strip().split("\n")
    if len(_PARAM.findall(last)) < MIN_PARAMS:
        lines, last = [*lines, last], ""
    texts: dict[str, list[str]] = {"Prompt": [], "Negative prompt": []}
    current = "Prompt"
    for line in lines:
        content = line.strip()
        if content.startswith("Negative prompt:"):
            current, content = "Negative prompt", content.removeprefix("Negative prompt:").strip()
        texts[current].append(content)
    result = {key: "\n".join(parts) for key, parts in texts.items()}
    for key, value in _PARAM.findall(last):
        plain = unquote(value.strip())
        size = _SIZE.match(plain)
        result |= {f"{key}-1": size[1], f"{key}-2": size[2]} if size else {key: plain}
    return result


def override_settings(params: dict[str, str]) -> Any:
    """Return the update that offers the settings of an infotext that differ from the present ones, for the next job."""
    found = [
        f"{info.infotext}: {params[info.infotext]}"
        for key, info in shared.opts.data_labels.items()
        if info.infotext in params and params[info.infotext] != str(shared.opts.data[key])
    ]
    return gr.update(value=found, choices=found, visible=bool(found))


def create_override_settings_dict(pairs: list[str]) -> dict[str, Any]:
    """Return the settings of such pairs by their keys."""
    values = {name: value.strip() for name, _, value in (pair.partition(":") for pair in pairs)}
    labels = shared.opts.data_labels
    return {key: values[info.infotext] for key, info in labels.items() if info.infotext in values}


def _value_for(component: Any, value: str | None) -> Any:
    """Return an infotext's text as the type of a component's value, or no update where it does not fit."""
    if value is None:
        return gr.update()
    if isinstance(component, gr.Number | gr.Slider):
        try:
            number = float(value)
        except ValueError:
            return gr.update()
        return gr.update(value=int(number) if number.is_integer() else number)
    return gr.update(value=value)


def _update(value: Any) -> Any:
    if value is None:
        return gr.update()
    return value if isinstance(value, dict) else gr.update(value=value)


def connect_paste(button: Any, fields: list[tuple[Any, Any]], source: Any) -> None:
    """Make a button fill the fields from the infotext in the source component.

    Each field goes with its key, or with a function of all values that gives an update, a value or None for neither.
    """

    def paste(text: str) -> list[Any]:
        params = parse_generation_parameters(text)
        script_callbacks.infotext_pasted_callback(text, params)
        return [
            _update(key(params)) if callable(key) else _value_for(component, params.get(key))
            for component, key in fields
        ]

    button.click(paste, inputs=[source], outputs=[component for component, _ in fields], show_progress=False)
