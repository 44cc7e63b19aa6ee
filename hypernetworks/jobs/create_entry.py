"""The form for a new network while somebody fills it in: what is wrong in which field, and the shape as it stands."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..base.errors import SettingsError
from ..base.options import Option, as_text, check_limits, convert
from ..network.activations import RULED_OUT
from ..network.settings import CreateSettings
from ..network.structure import Structure
from ..pages.sentences import in_page_words

_OPTIONS: dict[str, Option] = {name: option for name, _, option in CreateSettings.options()}
LABELS = {name: option.label for name, option in _OPTIONS.items()}
MORE_WIDTHS = Option(
    "Other widths", "Further attention widths for other checkpoints, such as 768, 1024.", minimum=1, maximum=16384
)
#: Labels of the form by field, also of fields that are no setting.
FORM_LABELS = {**LABELS, "more_widths": MORE_WIDTHS.label}
_ORDER = ["name", "widths", "more_widths", *LABELS]
_STRUCTURE = {field.name for field in dataclasses.fields(Structure)}
#: Names of fields that are no plain words, so that a sentence has them only as names.
_NAMES = re.compile(r"\b(" + "|".join(name for name in LABELS if "_" in name) + r")\b")
_DEPENDENT = {
    "layer_structure": ("dropout_structure", "widths"),
    "activation": ("zero_last_layer",),
    "skip_connection": ("upsample_linear", "zero_last_layer", "dropout_structure"),
}
"""Fields that cannot be checked while the one before them is wrong."""


@dataclass(frozen=True)
class Entry:
    """A form as it stands.

    Attributes:
        problems: what is wrong, one reason for each field at most; the labels of the form in place of names.
        structure: the layers; None while a field that decides them is wrong.
        widths: the attention widths chosen, as far as they can be read.
        settings: what to make, None where anything is wrong.
    """

    problems: tuple[SettingsError, ...]
    structure: Structure | None
    widths: tuple[int, ...]
    settings: CreateSettings | None


def check_entry(values: Mapping[str, Any], offered: Collection[int] = (), taken: Collection[str] = ()) -> Entry:
    """Check the values of a form, which has the fields of `CreateSettings` and a text `more_widths`.

    Args:
        offered: widths of the checkpoint that could be ticked; with none, an empty choice means those of the model.
        taken: names that networks have already.
    """
    entered = dict(values)
    wrong: dict[str, SettingsError] = {}
    more = _more_widths(str(entered.pop("more_widths", "")), wrong)
    ticked = [int(width) for width in entered.get("widths", ())]
    widths = tuple(dict.fromkeys([*ticked, *more]))
    entered["widths"] = widths
    if offered and not widths and not wrong:
        wrong["widths"] = SettingsError("widths", f"tick at least one, or enter it under {MORE_WIDTHS.label}")
    settings = _validate(entered, wrong)
    if settings.name in taken and not settings.overwrite and "name" not in wrong:
        reason = f"{settings.name} exists already; choose another name, or set overwrite"
        wrong["name"] = SettingsError("name", reason)
    known = not wrong.keys() & _STRUCTURE
    return Entry(
        problems=tuple(_in_words(wrong[name], entered) for name in sorted(wrong, key=_place)),
        structure=settings.structure() if known else None,
        widths=widths,
        settings=None if wrong else settings,
    )


def problems(values: Mapping[str, Any]) -> tuple[SettingsError, ...]:
    """Return what is wrong with values for `CreateSettings`, at most one error for each field."""
    wrong: dict[str, SettingsError] = {}
    entered = dict(values)
    _validate(entered, wrong)
    return tuple(_in_words(error, values) for error in wrong.values())


def depending_on(field: str) -> tuple[str, ...]:
    """Return the fields that mean nothing while `field` is wrong."""
    return _DEPENDENT.get(field, ())


def _validate(entered: dict[str, Any], wrong: dict[str, SettingsError]) -> CreateSettings:
    """Return the settings with a harmless value in each wrong field; adds the errors to `wrong`."""
    for field in list(wrong):
        _make_harmless(entered, field)
    while True:
        try:
            return CreateSettings.from_mapping(entered)
        except SettingsError as error:
            errors = error.errors
        for one in errors:
            wrong.setdefault(one.field, one)
        for one in errors:
            _make_harmless(entered, one.field)


def _make_harmless(entered: dict[str, Any], field: str) -> None:
    for name in (field, *_DEPENDENT.get(field, ())):
        entered.pop(name, None)
    if field == "name":
        entered["name"] = "network"


def _place(name: str) -> int:
    """Return the position of a field in the form; unknown ones come last."""
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _more_widths(text: str, wrong: dict[str, SettingsError]) -> tuple[int, ...]:
    try:
        widths: tuple[int, ...] = convert("more_widths", text, tuple[int, ...])
        check_limits("more_widths", widths, MORE_WIDTHS)
    except SettingsError as error:
        wrong["more_widths"] = error
        return ()
    return widths


def _in_words(error: SettingsError, values: Mapping[str, Any]) -> SettingsError:
    """Return the error in the words of the form, with an example that fits."""
    reason = in_page_words(_NAMES.sub(lambda name: f"“{LABELS[name[0]]}”", error.reason), LABELS)
    if error.field == "activation" and values.get("activation") in RULED_OUT:
        reason = f"{values['activation']} cannot be used, {RULED_OUT[values['activation']]}"
    if error.field == "dropout_structure" and "entries" in reason:
        try:
            count = len(convert("layer_structure", values.get("layer_structure", (1, 2, 1)), tuple[float, ...]))
        except SettingsError:
            return SettingsError(error.field, reason)
        reason += f"; for example {as_text((0, *[0.1] * (count - 2), 0))}"
    return SettingsError(error.field, reason)
