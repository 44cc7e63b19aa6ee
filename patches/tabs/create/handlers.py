"""The handlers of the tab Create Beta Hypernetwork: check, fill in, save and load the entry, and make the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from modules import paths, shared

from ....hypernetworks.base.errors import SettingsError, WorkbenchError
from ....hypernetworks.base.options import as_text
from ....hypernetworks.files.create import create_file
from ....hypernetworks.jobs import create_files
from ....hypernetworks.jobs.create_entry import FORM_LABELS, Entry, check_entry
from ....hypernetworks.jobs.settings_text import MAX_BYTES
from ....hypernetworks.network import presets
from ....hypernetworks.network.sizes import readable_bytes
from ....hypernetworks.pages import create as create_view
from ....hypernetworks.pages.sentences import done
from ....hypernetworks.train.settings.job import CreateSettings
from ...model import host
from ...model.attention_layers import loaded_widths
from ...runs.job import listed_name
from ..form import Form
from ..head import Head
from ..own_presets import OwnPresets
from ..preset_choice import shown_preset

_CHANGED = "the checkpoint has changed and its widths are ticked now; look at them and press the button again"


@dataclass(frozen=True)
class Panel:
    """The components that show something about the entry.

    Attributes:
        seen: state with a `Seen`.
        head: the head of the form.
    """

    presets: OwnPresets
    drawing: Any
    summary: Any
    seen: Any
    head: Head


@dataclass(frozen=True)
class Seen:
    """What a page has been shown; no tuple, of which gradio 4 makes a list.

    Attributes:
        offered: the widths that can be ticked.
        made: the values of which its last file was made; None if the last press was refused. Their name is taken by
            that file, which is no fault of theirs.
        preset: what the list of presets shows.
    """

    offered: tuple[int, ...] = ()
    made: Mapping[str, Any] | None = None
    preset: str = ""


class Handlers:
    """Functions for the events of the tab.

    Args:
        wanted: the only widths to tick when a checkpoint offers its own; empty: all.

    Attributes:
        is_followed: whether Train Gamma is on the page, and chooses what is made here.
    """

    is_followed = False

    def __init__(self, form: Form, panel: Panel, wanted: tuple[int, ...] = ()) -> None:
        self.form = form
        self.panel = panel
        self._wanted = wanted
        self._ticks = next(field.component for field in form.fields if field.name == "widths")

    @property
    def inputs(self) -> list[Any]:
        """Components whose values every handler takes: what was seen, then the form."""
        return [self.panel.seen, *self.form.components]

    @property
    def shown(self) -> list[Any]:
        """Components that `look` updates."""
        panel = self.panel
        beside_form = [panel.drawing, panel.summary, *panel.presets.shown, panel.head.marks]
        return [self._ticks, panel.seen, *self.form.messages, *beside_form]

    @property
    def filled(self) -> list[Any]:
        """Components that `choose_preset` updates, and `load` after the status."""
        return [*(one for one in self.form.components if one is not self._ticks), *self.shown]

    @property
    def looked_at(self) -> list[Any]:
        """Components whose values `look` takes: the list of presets, then `inputs`."""
        return [self.panel.presets.choice, *self.inputs]

    def look(self, preset: str, seen: Seen, *entered: Any) -> list[Any]:
        """Draw and check the entry; offer the widths of the checkpoint where they have changed."""
        return self._look(self.form.values(entered), replace(seen, preset=preset))

    def choose_preset(self, name: str, seen: Seen, *entered: Any) -> list[Any]:
        """Fill in the shape of a preset."""
        preset = self.panel.presets.get(name)
        return self._fill(preset.values() if preset else {}, replace(seen, preset=name), entered)

    def load(self, file: Any, seen: Seen, *entered: Any) -> list[Any]:
        """Fill in the settings of an uploaded file, as far as they can be used."""
        path = Path(file.name)
        try:
            with path.open("rb") as stream:
                loaded = create_files.read(stream.read(MAX_BYTES + 1), path.name)
        except WorkbenchError as error:
            return [self.form.explain(error), *self._fill({}, seen, entered)]
        told = self.form.told_changes(loaded.values, entered)
        status = done(f"Loaded {path.name}.", told)
        if loaded.errors:
            wrong = self.form.explain(SettingsError.joined(loaded.errors))
            status = wrong + done(f"Loaded the rest of {path.name}.", told)
        return [status, *self._fill(loaded.values, seen, entered)]

    def reset(self, changes: Mapping[str, Any], given: Sequence[Any]) -> list[Any]:
        """Fill in what a field started with, by name; `given` are the values of `inputs`."""
        if "widths" in changes:
            changes = {"widths": self._wanted, "more_widths": self.form.values(given[1:])["more_widths"]}
        return self._fill(changes, given[0], given[1:])

    def save(self, seen: Seen, *entered: Any) -> tuple[str, Any]:
        """Save the settings as TOML and offer the file for download."""
        values = {**self.form.values(entered), "overwrite": True}
        entry = self._check(values, seen.offered)
        is_named = all(error.field != "name" for error in entry.problems)
        if not is_named:
            entry = self._check({**values, "name": "network"}, seen.offered)
        try:
            path = create_files.save(
                _settings(entry), Path(paths.data_path) / "hypernetwork-settings", is_named=is_named
            )
        except WorkbenchError as error:
            return self.form.explain(error), gr.update()
        return done(f"Saved as {path}."), gr.update(value=str(path), visible=True)

    def create(self, seen: Seen, *entered: Any) -> list[Any]:
        """Make the network and its file; return the status, the name of what was made, and what `look` returns."""
        values = self.form.values(entered)
        now = loaded_widths()
        refused = replace(seen, made=None)
        if seen.offered and now and now != seen.offered:
            return [self.form.explain(SettingsError("widths", _CHANGED)), "", *self._look(values, refused)]
        try:
            settings = _settings(self._check(values, seen.offered))
            path = create_file(settings, () if settings.widths else host.model_widths(), host.network_dir())
        except WorkbenchError as error:
            return [self.form.explain(error), "", *self._look(values, refused)]
        shared.reload_hypernetworks()
        made = f"Created {path.stem} ({readable_bytes(path.stat().st_size)})."
        chosen = "It is chosen in Train Gamma."
        status = done(f"{made} {chosen}" if self.is_followed else made)
        return [status, listed_name(str(path)) or path.stem, *self._look(values, replace(seen, made=values))]

    def settings(self, seen: Seen, *entered: Any) -> CreateSettings:
        """Return the settings of the network that is entered; raises SettingsError where something is wrong."""
        return _settings(self._check(self.form.values(entered), seen.offered))

    def _check(self, values: Mapping[str, Any], offered: Sequence[int], made: Mapping[str, Any] | None = None) -> Entry:
        return check_entry(values, offered, () if values == made else shared.hypernetworks)

    def _look(self, values: dict[str, Any], seen: Seen, is_ticked_anew: bool = False) -> list[Any]:
        now = loaded_widths() or seen.offered
        usual = [str(one) for one in now if not self._wanted or one in self._wanted]
        ticks = gr.update(value=values["widths"]) if is_ticked_anew else gr.update()
        if now != seen.offered:
            if not is_ticked_anew:
                # Those of a checkpoint that was loaded for the file are the ones that it has.
                made = {**values, "widths": usual} if values == seen.made else seen.made
                values, seen = {**values, "widths": usual}, replace(seen, made=made)
            ticks = gr.update(choices=[str(one) for one in now], value=values["widths"])
        entry = self._check(values, now, seen.made)
        # An untouched form has no width of its own: it follows the checkpoint.
        marked = {**values, "widths": values["widths"] if set(values["widths"]) != set(usual) else []}
        return [
            ticks,
            replace(seen, offered=now),
            *self.form.message_updates({error.field: error.reason for error in entry.problems}),
            create_view.drawing(entry),
            create_view.summary(entry, now, FORM_LABELS),
            *self._matching(entry, values, seen.preset),
            self.panel.head.update(marked),
        ]

    def by_address(self, _seen: Seen, *entered: Any) -> dict[str, Any]:
        """Return what was entered, by name."""
        return self.form.values(entered)

    def _matching(self, entry: Entry, values: Mapping[str, Any], chosen: str) -> list[Any]:
        """Show the preset of a user whose values the form has, else the shipped one of this structure."""
        own = self.panel.presets.shelf.matching(values, chosen)
        return shown_preset(own or presets.matching(entry.structure))

    def _fill(self, changes: Mapping[str, Any], seen: Seen, entered: Sequence[Any]) -> list[Any]:
        """Return updates that fill in new values, with those of `look` for the result."""
        changes = dict(changes)
        is_ticked_anew = "widths" in changes
        if is_ticked_anew:
            wanted, now = changes["widths"], loaded_widths() or seen.offered
            changes["widths"] = [str(one) for one in now if one in wanted or not wanted]
            changes.setdefault("more_widths", as_text([one for one in wanted if one not in now]))
        fields = zip(self.form.components, self.form.filled(changes), strict=True)
        updates = [update for component, update in fields if component is not self._ticks]
        values = {**self.form.values(entered), **changes}
        return [*updates, *self._look(values, seen, is_ticked_anew)]


def _settings(entry: Entry) -> CreateSettings:
    """Return the settings of the entry; raises SettingsError where something is wrong."""
    if entry.settings is None:
        raise SettingsError.joined(entry.problems)
    return entry.settings
