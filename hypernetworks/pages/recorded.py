"""What a file keeps of its making, in the words of the forms: the settings of a training, and the recipe of a merge."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from ..base.errors import SettingsError
from ..base.options import Settings, as_text, convert
from ..merge.method import METHODS
from . import elements

_FILE = "recorded.html"
_TITLES = {
    "network": "Network",
    "data": "Dataset",
    "optimizer": "Optimizer",
    "schedule": "Learning rate",
    "loss": "Loss",
    "train": "Training",
    "preview": "Previews",
    "output": "Output",
    "embedding": "Embedding (textual inversion)",
    "model": "VAE and text encoder",
}
_PREFIX = "ss_"
_VALUE = 300
_RECIPES = 30
_NETWORKS = 50
_MOST_JSON = 100_000


@dataclass(frozen=True)
class JobForm:
    """The form of a job, as far as pages need it.

    Attributes:
        sections: the settings class of each section.
        usual: by section and name, where an untouched form has another value than the class.
        other_names: what other trainers call a setting, each with its section and name here.
    """

    sections: Mapping[str, type[Settings]] = field(default_factory=dict)
    usual: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    other_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A setting.

    Attributes:
        value: as text.
        usual: its default as text where the value is another one; None where it is the same.
    """

    label: str
    value: str
    usual: str | None


@dataclass(frozen=True)
class Fold:
    """The settings of a section, in the order of the form."""

    title: str
    rows: tuple[Row, ...]

    @property
    def changed(self) -> int:
        """How many have not their defaults."""
        return sum(row.usual is not None for row in self.rows)


def split(settings: Mapping[Any, Any], form: JobForm) -> tuple[list[Fold], dict[Any, Any]]:
    """Return the settings that the form knows, by section, and all the others as they are."""
    folds, rest = [], {}
    for section, table in settings.items():
        kind = form.sections.get(section) if isinstance(section, str) else None
        if kind is None or not isinstance(table, Mapping):
            rest[section] = table
            continue
        known = {name for name, _, _ in kind.options()}
        rows = tuple(_rows(kind, table, form.usual.get(section, {})))
        if rows:
            folds.append(Fold(_TITLES.get(section, section), rows))
        if unknown := {key: value for key, value in table.items() if key not in known}:
            rest[section] = unknown
    return folds, rest


def settings(tables: Mapping[Any, Any], form: JobForm) -> Markup:
    """Return settings as folds, one a section, with what has not its default marked; unknown ones as they are."""
    folds, rest = split(tables, form)
    return elements.piece(_FILE, "settings", folds, elements.values(rest) if rest else ())


def training(values: Mapping[Any, Any], form: JobForm) -> Markup:
    """Return all that a file keeps of its training."""
    left = dict(values)
    facts = list(_facts(left))
    recipe = _recipe(left.pop("merge"), iter(range(_RECIPES))) if isinstance(left.get("merge"), Mapping) else None
    folds: list[Fold] = []
    if isinstance(left.get("settings"), Mapping):
        folds, unknown = split(left.pop("settings"), form)
        left |= {"settings": unknown} if unknown else {}
    return elements.piece(_FILE, "training", facts, recipe, folds, elements.values(left) if left else ())


def foreign(extra: Mapping[Any, Any], form: JobForm) -> Markup:
    """Return what another program wrote into a file: known settings by their labels, tables in JSON as such."""
    rows, tables = [], []
    for key, value in extra.items():
        read = _from_json(value)
        if isinstance(read, Mapping) and read:
            tables.append((elements.text(key, 80), elements.values(read)))
        else:
            rows.append((_label(key, form), elements.text(key, 80), elements.text(read, _VALUE)))
    left = elements.beyond(len(rows) + len(tables), _VALUE)
    return elements.piece(_FILE, "foreign", rows[:_VALUE], tables[: max(0, _VALUE - len(rows))], left)


def _rows(kind: type[Settings], table: Mapping[Any, Any], usual: Mapping[str, Any]) -> Iterator[Row]:
    defaults = {one.name: one.default for one in dataclasses.fields(kind)} | dict(usual)
    for name, type_, option in kind.options():
        if name in table:
            value, default = table[name], defaults[name]
            yield Row(option.label, _words(value), _words(default) if _differs(name, type_, value, default) else None)


def _differs(name: str, type_: Any, value: Any, default: Any) -> bool:
    try:
        return bool(convert(name, value, type_) != convert(name, default, type_))
    except SettingsError:
        return True


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        value = as_text(value)
    return elements.text(value, _VALUE) if value not in (None, "") else "–"


def _facts(left: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the facts of our own trainer, and take them out of `left`."""
    dataset = left.get("dataset")
    if isinstance(dataset, Mapping) and set(dataset) == {"name", "pictures"}:
        del left["dataset"]
        yield "Dataset", elements.own(dataset["name"], _VALUE)
        yield "Pictures", elements.text(dataset["pictures"], 40)
    for key, label in (("saved", "Saved"), ("run", "Run")):
        if isinstance(left.get(key), str):
            yield label, elements.text(left.pop(key).replace("T", " ", 1) if key == "saved" else left.pop(key), 80)
    if isinstance(left.get("seed"), int):
        yield "Seed", elements.text(left.pop("seed"), 40)


def _recipe(recipe: Mapping[Any, Any], room: Iterator[int]) -> Markup:
    """Return how a merge was made, with the recipes of networks that are merges themselves as long as there is room."""
    left = dict(recipe)
    networks = left.get("networks")
    parts = [one for one in networks if isinstance(one, Mapping)] if isinstance(networks, (list, tuple)) else []
    if parts:
        del left["networks"]
    name = left.pop("method", None)
    method = METHODS.get(name) if isinstance(name, str) else None
    labels = {own.name: own.setting.metadata["option"].label for own in method.options} if method else {}
    facts = [
        (labels.pop(key, None) or key, elements.text(left.pop(key), _VALUE)) for key in list(labels) if key in left
    ]
    rows = [
        [
            elements.own(one.get("name", "–"), 80),
            *(elements.text(one.get(key, "–"), 80) for key in ("weight", "step", "hash")),
        ]
        for one in parts
    ]
    inner = [
        (row[0], _recipe(one["merge"], room))
        for row, one in zip(rows, parts, strict=True)
        if isinstance(one.get("merge"), Mapping) and next(room, None) is not None
    ]
    shown = elements.text(method.label if method else "–" if name is None else name, 80)
    return elements.piece(
        _FILE,
        "recipe",
        [("Method", shown), *facts, *elements.values(left)] if left else [("Method", shown), *facts],
        rows[:_NETWORKS],
        elements.beyond(len(rows), _NETWORKS),
        inner,
    )


def _label(key: Any, form: JobForm) -> str:
    """Return the form's label of a setting under the name that another trainer gives it; empty where it has none."""
    address = form.other_names.get(str(key).removeprefix(_PREFIX), "")
    section, _, name = address.partition(".")
    kind = form.sections.get(section)
    return next((option.label for one, _, option in kind.options() if one == name), "") if kind else ""


def _from_json(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("{", "[")) or len(value) > _MOST_JSON:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
