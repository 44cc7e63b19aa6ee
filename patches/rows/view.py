"""The rows of hypernetworks in the page: pickers, strengths, and the buttons that add, order and remove rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from modules import shared
from modules.ui_common import create_refresh_button
from modules.ui_components import ToolButton

from ...hypernetworks.pages.sentences import refused
from ..patching import switches
from . import entries, infotext
from .entries import NONE, ROWS, Row

_FIELDS = 3
Values = tuple[Any, ...]
#: What the rows say while they are off.
OFF = f"These rows do nothing: {switches.OFF}"


class PasteKey(str):
    """The name of a value in an infotext that can also be called to read it.

    The host's buttons "Send to ..." look for names, its reading of an infotext calls what can be called.
    """

    read: Callable[[Mapping[str, Any]], Any]

    def __new__(cls, name: str, read: Callable[[Mapping[str, Any]], Any]) -> PasteKey:
        """Return `name` as a key with the function that reads it."""
        key = super().__new__(cls, name)
        key.read = read
        return key

    def __call__(self, params: Mapping[str, Any]) -> Any:
        """Return what the component should show."""
        return self.read(params)


class RowsView:
    """The controls of one tab.

    Attributes:
        inputs: picker, strength and checkbox of each row in turn.
        infotext_fields: components with the keys or functions that fill them from an infotext.
        names: names of the fields that "Send to ..." copies.
    """

    def __init__(self, suffix: str) -> None:
        self.inputs: list[Any] = []
        self._lines: list[Any] = []
        self._suffix = suffix
        actions: list[tuple[Any, Callable[..., Any]]] = []
        with gr.Column(elem_id=f"hnw_generation{suffix}", elem_classes="hnw-generation"):
            # A gr.State cannot be filled from an infotext.
            self._shown = gr.Number(1, visible=False, precision=0, elem_id=f"hnw_rows_shown{suffix}")
            for index in range(ROWS):
                actions += self._line(index)
            with gr.Row(elem_classes="hnw-rows-below"):
                self._add = gr.Button("Add a hypernetwork", elem_id=f"hnw_add{suffix}", size="sm", scale=0)
                pickers = self.inputs[::_FIELDS]
                refresh = create_refresh_button(
                    pickers, shared.reload_hypernetworks, lambda: {"choices": _names()}, f"hnw_picker_refresh{suffix}"
                )
            off = gr.HTML(**_off(), elem_id=f"hnw_rows_off{suffix}")
            refresh.click(lambda: gr.update(**_off()), outputs=[off], show_progress=False, queue=False)
            self._remarks = gr.HTML(elem_id=f"hnw_rows_remarks{suffix}")
            self._gone = gr.HTML(elem_id=f"hnw_rows_gone{suffix}")
            refresh.click(_gone, pickers, [self._gone], show_progress=False, queue=False)
        self._connect([*actions, (self._add, _added)])
        self.infotext_fields = self._infotext_fields()
        self.names = [key for _, key in self.infotext_fields if isinstance(key, PasteKey)]
        for component in (self._shown, *self.inputs, *(button for button, _ in actions), self._add):
            component.do_not_save_to_config = True  # the host would store defaults without the order of the rows

    def _line(self, index: int) -> list[tuple[Any, Callable[..., Any]]]:
        """Build one row and return its buttons with what they do."""
        end = (f"_{index + 1}" if index else "") + self._suffix
        with gr.Row(visible=index == 0, elem_id=f"hnw_row{end}", elem_classes="hnw-row") as line:
            is_on = gr.Checkbox(True, label="On", elem_id=f"hnw_on{end}", min_width=80, scale=0)
            picker = gr.Dropdown(
                _names(),
                value=NONE,
                label=f"Hypernetwork {index + 1}",
                elem_id=f"hnw_picker{end}",
                elem_classes=["hnw-picker", "hnw-networks"],
                allow_custom_value=True,
                min_width=140,
                scale=3,
            )
            strength = gr.Slider(
                -1.0,
                2.0,
                value=1.0,
                step=0.05,
                label="Strength",
                elem_id=f"hnw_strength{end}",
                elem_classes="hnw-strength",
                min_width=140,
                scale=3,
            )
            up = ToolButton("\u2191", elem_id=f"hnw_up{end}")
            down = ToolButton("\u2193", elem_id=f"hnw_down{end}")
            remove = ToolButton("\u2715", elem_id=f"hnw_remove{end}")
        self._lines.append(line)
        self.inputs += [picker, strength, is_on]
        if index:
            # Another extension, or "Send to ...", may fill a row that was not shown.
            picker.change(_shown_if_filled, inputs=[picker], outputs=[line], show_progress=False, queue=False)
        return [(up, _moved(index, -1)), (down, _moved(index, 1)), (remove, _removed(index))]

    def _connect(self, actions: list[tuple[Any, Callable[..., Any]]]) -> None:
        inputs = [self._shown, *self.inputs]
        outputs = [self._shown, *self.inputs, *self._lines, self._add]
        pickers = self.inputs[::_FIELDS]
        # What was said of rows is not true any more of those that somebody changes.
        edits = [picker.input for picker in pickers]
        for button, act in actions:
            edits.append(
                button.click(_edit(act), inputs=inputs, outputs=outputs, show_progress=False, queue=False).then
            )
        for edited in edits:
            edited(_after_edit, pickers, [self._gone, self._remarks], show_progress=False, queue=False)

    def _infotext_fields(self) -> list[tuple[Any, Any]]:
        fields: list[tuple[Any, Any]] = []
        for index in range(ROWS):
            kinds = zip(self.inputs[index * _FIELDS :], ("", " strength", " on"), range(_FIELDS), strict=False)
            for component, kind, part in kinds:
                fields.append((component, PasteKey(f"Hypernetwork {index + 1}{kind}", _reader(index, part))))
            fields.append((self._lines[index], lambda params, index=index: _visible_after(params, index)))
        fields.append((self._shown, _shown_after))
        fields.append((self._remarks, _remarks_after))
        return fields


def _names() -> list[str]:
    return [NONE, *shared.hypernetworks]


def _gone(*chosen: Any) -> str:
    """Return a sentence for each chosen network that is in the folder no more."""
    shared.reload_hypernetworks()
    missing = dict.fromkeys(one for name in chosen if name and name != NONE for one in infotext.missing(str(name)))
    return refused([f"Hypernetwork {name}, which a row has, is not in your folder." for name in missing])


def _after_edit(*chosen: Any) -> tuple[str, str]:
    return _gone(*chosen), ""


def _off() -> dict[str, Any]:
    return {"value": "" if switches.is_on() else refused([f"{OFF}."]), "visible": not switches.is_on()}


def _found(params: Mapping[str, Any]) -> list[Row] | None:
    return entries.from_infotext(params) if switches.is_on() else None


def _remarks_after(params: Mapping[str, Any]) -> Any:
    return gr.update(value=infotext.told(params) if switches.is_on() else "")


def _reader(index: int, part: int) -> Callable[[Mapping[str, Any]], Any]:
    def read(params: Mapping[str, Any]) -> Any:
        found = _found(params)
        if found is None:
            return None
        return gr.update(value=_values((found + [Row()] * ROWS)[index])[part])

    return read


def _shown_after(params: Mapping[str, Any]) -> Any:
    found = _found(params)
    return None if found is None else gr.update(value=max(1, len(found)))


def _visible_after(params: Mapping[str, Any], index: int) -> Any:
    found = _found(params)
    return None if found is None else gr.update(visible=index < max(1, len(found)))


def _values(row: Row) -> Values:
    return row.name, row.strength, row.is_on


def _shown_if_filled(name: Any) -> Any:
    return gr.update(visible=True) if name and name != NONE else gr.update()


def _edit(act: Callable[[list[Values], int], tuple[list[Values], int]]) -> Callable[..., list[Any]]:
    """Return the handler of a button whose function changes the rows' values and their number."""

    def handle(shown: float | None, *values: Any) -> list[Any]:
        lines = [tuple(values[start : start + _FIELDS]) for start in range(0, len(values), _FIELDS)]
        filled = [number for number, line in enumerate(lines, 1) if line[0] and line[0] != NONE]
        lines, shown = act(lines, max([int(shown or 1), *filled]))
        after = [value for line in lines for value in line]
        # What stays as it is may be changed by a person before the answer comes.
        changes = [gr.update() if now == was else gr.update(value=now) for was, now in zip(values, after, strict=True)]
        return [
            shown,
            *changes,
            *(gr.update(visible=index < shown) for index in range(ROWS)),
            gr.update(interactive=shown < ROWS),
        ]

    return handle


def _added(lines: list[Values], shown: int) -> tuple[list[Values], int]:
    return lines, min(shown + 1, ROWS)


def _moved(index: int, by: int) -> Callable[[list[Values], int], tuple[list[Values], int]]:
    def move(lines: list[Values], shown: int) -> tuple[list[Values], int]:
        if 0 <= index + by < shown:
            lines[index], lines[index + by] = lines[index + by], lines[index]
        return lines, shown

    return move


def _removed(index: int) -> Callable[[list[Values], int], tuple[list[Values], int]]:
    def remove(lines: list[Values], shown: int) -> tuple[list[Values], int]:
        return [*lines[:index], *lines[index + 1 :], _values(Row())], max(1, shown - 1)

    return remove
