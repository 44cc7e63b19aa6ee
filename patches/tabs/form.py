"""Forms: components made from settings classes, one for each field, and their values read back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import gradio as gr

from ...hypernetworks.base.errors import SettingsError, WorkbenchError
from ...hypernetworks.base.options import LENGTH, Group, Option, Settings, as_text, convert
from ...hypernetworks.pages.sentences import in_page_words, plain, refused
from .frame import FIELD_PX

#: The settings class of each section of a form.
Sections = Mapping[str, type[Settings]]
#: Values by section and name.
Start = Mapping[str, Mapping[str, Any]]
_EMPTY: Start = {}


@dataclass(frozen=True)
class Field:
    """A component of a form.

    Attributes:
        section: section of the job; empty in a form of one settings class.
        name: name of the setting.
        option: how the settings class describes it.
        component: the widget.
        kind: the type of the setting.
        default: its value in an untouched form.
    """

    section: str
    name: str
    option: Option
    component: Any
    kind: Any = str
    default: Any = None

    @property
    def address(self) -> str:
        """`section.name`, or the name alone."""
        return _address(self.section, self.name)


class Form:
    """Components made from settings classes; knows their order, and reads their values back.

    Args:
        prefix: start of the ids of the components.
        shows_problems: whether each field has a message under it for what is wrong with it.
        own: functions by address that make the components of a setting, instead of the one for its type.
    """

    def __init__(
        self,
        prefix: str,
        shows_problems: bool = False,
        own: Mapping[str, Callable[[Form], None]] | None = None,
    ) -> None:
        self.prefix = prefix
        self._shows_problems = shows_problems
        self._own = own or {}
        self.fields: list[Field] = []
        #: Ids in the page and titles of the folds.
        self.folds: list[tuple[str, str]] = []
        self._messages: dict[str, Any] = {}

    @property
    def messages(self) -> list[Any]:
        """The messages under the fields, in the order of `message_updates`."""
        return list(self._messages.values())

    @property
    def components(self) -> list[Any]:
        """All components, in the order that `values` expects."""
        return [field.component for field in self.fields]

    def add(
        self, kind: type[Settings], values: Mapping[str, Any], names: Sequence[str] = (), section: str = ""
    ) -> None:
        """Make components for the settings class `kind` inside the gradio block that is open now.

        Args:
            values: initial values; those that are missing are the defaults of the class.
            names: only these fields, in this order; empty: all.
        """
        options = {name: (type_, option) for name, type_, option in kind.options()}
        defaults = {field.name: field.default for field in fields(kind)}
        for name in names or options:
            make = self._own.get(_address(section, name))
            if make is not None:
                make(self)
                continue
            type_, option = options[name]
            id_ = "_".join(filter(None, (self.prefix, section, name)))
            with self.column():
                start = values.get(name, defaults[name])
                self.add_component(section, name, option, widget(type_, option, start, id_), type_, start)

    def add_rows(self, kinds: Sections, start: Start = _EMPTY, group: Group | None = None) -> None:
        """Make components for the settings of `group`, or with None for those in sight, row by row as declared.

        Args:
            kinds: the settings class of each section.
            start: initial values by section and name; those that are missing are the defaults of the class.
        """
        for section, kind in kinds.items():
            for names in kind.rows(group):
                with gr.Row():
                    self.add(kind, start.get(section, {}), names, section)

    def add_folds(self, kinds: Sections, start: Start, groups: Iterable[Group]) -> None:
        """Make a closed fold with its rows for each group."""
        for group in groups:
            self.folds.append((f"{self.prefix}_{group.id}", group.title))
            with gr.Accordion(group.title, open=False, elem_id=self.folds[-1][0]):
                self.add_rows(kinds, start, group)

    @property
    def look_soon(self) -> str:
        """The JavaScript that asks for `look`; see `look_with`."""
        return f"() => hnwLookSoon('{self.prefix}')"

    def column(self) -> Any:
        """Return the block around a field and its message."""
        return (
            gr.Column(min_width=FIELD_PX, elem_classes="hnw-field")
            if self._shows_problems
            else contextlib.nullcontext()
        )

    def add_component(
        self, section: str, name: str, option: Option, component: Any, kind: Any = str, default: Any = None
    ) -> Any:
        """Add a component just made to the form, with its message under it.

        Args:
            default: what it starts with; None where its own value tells.
        """
        # The host stores defaults by tab and label; ours come from the settings classes alone.
        component.do_not_save_to_config = True
        field = Field(section, name, option, component, kind, (component.value or "") if default is None else default)
        self.fields.append(field)
        if self._shows_problems:
            id_ = "_".join(filter(None, (self.prefix, section, name, "problem")))
            self._messages[field.address] = gr.HTML(visible=False, elem_id=id_, elem_classes="hnw-problem")
        return component

    def message_updates(self, problems: Mapping[str, str]) -> list[Any]:
        """Return updates of the messages: the reason for each address in `problems`; the others are hidden.

        A reason is shown as it is, without a capital: a name that begins it stays as its user wrote it.
        """
        labels = self._labels()
        shown = {address: plain(in_page_words(reason, labels)) for address, reason in problems.items()}
        return [gr.update(value=shown.get(one, ""), visible=one in problems) for one in self._messages]

    def filled(self, values: Mapping[str, Any]) -> list[Any]:
        """Return updates of the components: a new value for each address in `values`; the others stay."""
        return [
            gr.update(value=_shown(values[field.address], field.kind)) if field.address in values else gr.update()
            for field in self.fields
        ]

    def start_with(self, values: Mapping[str, Any]) -> None:
        """Take values by address for those of an untouched form."""
        self.fields = [
            replace(field, default=values[field.address]) if field.address in values else field for field in self.fields
        ]

    def values(self, entered: Sequence[Any]) -> dict[str, Any]:
        """Return what was entered, by section and name; by name alone where the form has no sections."""
        tables: dict[str, Any] = {}
        for field, value in zip(self.fields, entered, strict=True):
            table = tables.setdefault(field.section, {}) if field.section else tables
            table[field.name] = "" if value is None and not isinstance(field.component, gr.Number) else value
        return tables

    def told_changes(self, values: Mapping[str, Any], entered: Sequence[Any]) -> str:
        """Return a sentence that names the fields to which `values`, by address, give something else, if any."""
        names = [
            field.option.label
            for field, one in zip(self.fields, entered, strict=True)
            if field.address in values and _differs(field, one, values[field.address])
        ]
        return f"Changed: {', '.join(names)}." if names else "It changed nothing here."

    def changed(self, values: Mapping[str, Any]) -> list[Field]:
        """Return the fields in which something else is entered than at the start, from what `values` returned."""
        return [
            field
            for field in self.fields
            if _differs(field, (values[field.section] if field.section else values)[field.name], field.default)
        ]

    def look_with(self, look: Callable[..., Any], inputs: Sequence[Any], shown: Sequence[Any]) -> Any:
        """Let `look` judge the entry after everything that a user enters; return the JavaScript that asks for it.

        One request goes on at a time, and what was entered meanwhile is judged after it: gradio drops an event that
        comes while an earlier one of the same kind is not answered, and answers of different kinds may overtake.
        """
        button = gr.Button("Look at the entries", elem_id=f"{self.prefix}_look", elem_classes="hnw-hidden")
        looked = button.click(look, list(inputs), list(shown), queue=False, show_progress="hidden")
        looked.then(None, None, None, _js=f"() => hnwLooked('{self.prefix}')")
        soon = self.look_soon
        for component in self.components:
            component.input(None, None, None, _js=soon)  # a choice from a list sends no event of the browser's own
        return soon

    def explain(self, error: WorkbenchError, section: str = "", elsewhere: str = "") -> str:
        """Return the error as HTML, one sentence per line with the field's label in the form.

        Args:
            section: section in which a field without one is looked for first.
            elsewhere: a sentence that says where the form is, if it is not in sight.
        """
        several = error.errors if isinstance(error, SettingsError) else ()
        sentences = [self._sentence(one, section) for one in several] or [str(error)]
        labels = self._labels()
        if elsewhere and any(one.field in labels for one in several):
            sentences.append(elsewhere)
        return refused([in_page_words(one, labels) for one in sentences])

    def _sentence(self, error: SettingsError, section: str) -> str:
        labels = self._labels()
        label = labels.get(error.within(section).field) or labels.get(error.field, error.field)
        return f"{label}: {error.reason}"

    def _labels(self) -> dict[str, str]:
        """Return the labels of the fields by address, and by name alone."""
        labels = {field.address: field.option.label for field in self.fields}
        return {field.name: field.option.label for field in self.fields} | labels


def _differs(field: Field, entered: Any, other: Any) -> bool:
    if _shown(entered) == _shown(other):
        return False
    try:
        given, wanted = (convert(field.name, one, field.kind) for one in (entered, other))
    except SettingsError:
        return True
    return bool(given != wanted)


def _address(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


def widget(kind: Any, option: Option, value: Any, id_: str) -> Any:
    """Return the component that suits the type of a setting."""
    common: dict[str, Any] = {"label": option.label, "info": option.help, "min_width": FIELD_PX, "elem_id": id_}
    make: Callable[..., Any]
    if option.choices:
        make, common["choices"] = gr.Dropdown, list(option.choices)
        common["allow_custom_value"] = option.others is not None
    elif kind is bool:
        make = gr.Checkbox
    elif kind in (int, float):
        make = gr.Number  # without a precision, to which it would round what is entered
    else:
        make, common["lines"] = gr.Textbox, option.lines
        if option.is_path or option.starts_with_paths:
            common["elem_classes"] = ["hnw-path"]
    return make(value=_shown(value), **common)


def _shown(value: Any, kind: Any = None) -> Any:
    if isinstance(value, (tuple, list)):
        return as_text(value)
    return str(value) if kind == LENGTH else value  # a text box gives back texts


def blur_events(number: Any) -> list[Callable[..., Any]]:
    """Return the event of a number that loses the focus; none in the gradio of Forge."""
    return [number.blur] if hasattr(number, "blur") else []
