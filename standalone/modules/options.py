"""Settings: what there is, its current value, and the file it is kept in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks.base import atomic

log = logging.getLogger("workbench.host")


@dataclass
class OptionInfo:
    """One setting: its default, label and component; fields as in the WebUI."""

    default: Any = None
    label: str = ""
    component: Any = None
    component_args: Any = None
    onchange: Callable[[], Any] | None = None
    section: tuple[str | None, str] = (None, "Other")
    refresh: Callable[[], Any] | None = None
    comment_before: str = ""
    comment_after: str = ""
    infotext: str | None = None

    def info(self, text: str) -> OptionInfo:
        """Add an explanation after the label."""
        self.comment_after += f"<span class='info'>({text})</span>"
        return self

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the component, from a fresh call where they are a function."""
        return (self.component_args() if callable(self.component_args) else self.component_args) or {}


class Options:
    """The settings as attributes: `opts.name` reads and `opts.name = value` writes."""

    data_labels: dict[str, OptionInfo]
    data: dict[str, Any]

    def __init__(self, data_labels: dict[str, OptionInfo]) -> None:
        values = {key: info.default for key, info in data_labels.items()}
        self.__dict__.update(data_labels=data_labels, data=values)

    def __setattr__(self, key: str, value: Any) -> None:
        values = self.data if key in self.data_labels else self.__dict__
        values[key] = value

    def __getattr__(self, key: str) -> Any:
        # Reached only for names that are no plain attributes.
        values = self.__dict__.get("data", {})
        if key not in values:
            raise AttributeError(f"there is no option {key!r}")
        return values[key]

    def set(self, key: str, value: Any) -> bool:
        """Set an option and call what waits for its change; return False when nothing changed."""
        old, onchange = self.data.get(key), self.data_labels[key].onchange
        if old == value:
            return False
        self.data[key] = value
        try:
            if onchange is not None:
                onchange()
        except Exception:
            log.exception("Setting %s could not be changed to %s", key, value)
            self.data[key] = old
            return False
        return True

    def add_option(self, key: str, info: OptionInfo) -> None:
        """Register an option; a value read from the file earlier is kept."""
        self.data_labels[key] = info
        self.data.setdefault(key, info.default)

    def onchange(self, key: str, func: Callable[[], Any], call: bool = True) -> None:
        """Call `func` whenever the option changes, and also now unless `call` is False."""
        self.data_labels[key].onchange = func
        if call:
            func()

    def save(self, filename: str) -> None:
        """Write all values, whole or not at all; raises HypernetworkFileError if the disk refuses."""
        atomic.write_text(filename, json.dumps(self.data, indent=4, ensure_ascii=False))

    def load(self, filename: str) -> None:
        """Read the values; a file that is not JSON is set aside as `config.json.broken` and the defaults stay."""
        path = Path(filename)
        if not path.is_file():
            return
        try:
            self.data.update({**json.loads(path.read_text(encoding="utf-8"))})
        except (ValueError, TypeError) as error:  # no JSON, or no table of values
            kept = path.with_name(path.name + ".broken")
            path.replace(kept)
            log.warning("%s cannot be read (%s); it is kept as %s and the defaults are used", path, error, kept.name)

    def reorder(self) -> None:
        """Sort the options so that those of one section stand together."""
        order: dict[Any, int] = {}
        for info in self.data_labels.values():
            order.setdefault(info.section, len(order))
        self.data_labels = dict(sorted(self.data_labels.items(), key=lambda item: order[item[1].section]))
