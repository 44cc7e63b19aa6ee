"""Settings as JSON Schema, and results as plain JSON values."""

from __future__ import annotations

import dataclasses
import inspect
import math
import typing
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ..base.options import LENGTH, Settings
from ..train.settings.job import SECTIONS

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


def of_settings(*kinds: type[Settings], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the schema of an object with the fields of these settings classes; only `required` ones must be there."""
    properties: dict[str, Any] = {}
    for kind in kinds:
        defaults = {field.name: field.default for field in dataclasses.fields(kind)}
        for name, type_, option in kind.options():
            lowest = option.above if option.minimum is None else option.minimum
            limits = {"minimum": lowest, "maximum": option.maximum}
            limits = {limit: value for limit, value in limits.items() if value is not None}
            described: dict[str, Any] = {"title": option.label, "description": option.help}
            if type_ == LENGTH:
                described |= {"type": ["integer", "string"], **limits}
            elif type_ in _TYPES:
                described |= {"type": _TYPES[type_], **limits}
            else:
                described |= {"type": "array", "items": {"type": _TYPES[typing.get_args(type_)[0]], **limits}}
            if option.choices:
                described["examples" if option.others else "enum"] = list(option.choices)
            if name not in required:
                described["default"] = plain(defaults[name])
            properties[name] = described
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    if len(kinds) == 1:
        schema["description"] = inspect.getdoc(kinds[0])
    return schema | ({"required": list(required)} if required else {})


def of_job() -> dict[str, Any]:
    """Return the schema of a training job: an object for each section of a job file."""
    sections = {name: of_settings(kind) for name, kind in SECTIONS.items()}
    return {"type": "object", "additionalProperties": False, "properties": sections}


def plain(value: Any) -> Any:
    """Return a value for JSON: dataclasses and mappings as objects, NaN and infinite numbers as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    return value.as_posix() if isinstance(value, PurePath) else str(value)
