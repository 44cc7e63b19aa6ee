"""The tab Dataset without a browser."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import gradio as gr
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS
from PIL import Image

EMPTY: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}


def write_pictures(place: Path) -> Path:
    """Write three pictures, two of them with captions."""
    place.mkdir()
    for number, (name, caption) in enumerate((("a", "night, rain"), ("b", "night, sun"), ("red_house", None))):
        Image.new("RGB", (64 + 32 * number, 64), (60 * number, 90, 9)).save(place / f"{name}.png")
        if caption:
            (place / f"{name}.txt").write_text(caption, encoding="utf-8")
    return place


def texts(folder: Path) -> dict[str, str]:
    """Return what the caption files hold."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))}


class Tab:
    """The tab without a browser: what is entered goes to the handlers, and what they return is read by id."""

    def __init__(self, folder: Path, train: bool = False) -> None:
        from hypernetwork_workbench.patches.tabs.dataset import tab as tab_dataset
        from hypernetwork_workbench.patches.tabs.train import tab as tab_train

        with warnings.catch_warnings(), gr.Blocks() as self.page, gr.Tabs():
            warnings.simplefilter("ignore")
            if train:
                tab_train.build()
            start = {**EMPTY, "data": {"folder": str(folder), "width": 64, "height": 64, "batch_size": 2}}
            self.handlers = tab_dataset.make_tab(start, tab_train.form_of_page())
        self.entered = {field.address: field.component.value for field in self.handlers.form.fields}
        components = self.handlers.components
        self.held = {id(one): getattr(one, "value", None) for one in self.handlers.view}
        self.held[id(components.survey)] = None
        self.status = ""
        self.updates: dict[str, dict[str, Any]] = {}
        self.choices: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return self.held.get(id(getattr(self.handlers.components, name)), "")

    def enter(self, **entered: Any) -> Tab:
        """Press or enter: enter."""
        for name, value in entered.items():
            address = name.replace("__", ".")
            assert address in self.entered, "no such field"
            self.entered[address] = value
        return self

    def _take(self, answer: Any) -> str:
        *values, self.status = answer
        for component, value in zip(self.handlers.shown, values, strict=True):
            self._hold(component, value)
        return self.status

    def _hold(self, component: Any, value: Any) -> None:
        if isinstance(value, dict):
            name = next((name for name, one in vars(self.handlers.components).items() if one is component), "")
            self.updates[name] = value
            self.choices[name] = value.get("choices") or self.choices.get(name)
            if "value" not in value:
                return
            value = value["value"]
        self.held[id(component)] = value

    def _view(self, *more: Any) -> list[Any]:
        return [self.held[id(one)] for one in self.handlers.view] + list(more)

    def choose(self, **chosen: Any) -> Tab:
        """Enter what the components of the panel hold."""
        for name, value in chosen.items():
            self.held[id(getattr(self.handlers.components, name))] = value
        return self

    def look(self, **entered: Any) -> str:
        """Press or enter: look."""
        return self._take(self.handlers.look("task(x)", *self._view(*self.enter(**entered).entered.values())))

    def pick(self, number: int) -> str:
        """Press or enter: pick."""
        return self._take(self.handlers.pick(*self._view(str(number))))

    def go(self, by: int) -> str:
        """Press or enter: go."""
        return self._take(self.handlers.go(*self._view(), by=by))

    def turn(self, by: int = 0, **chosen: Any) -> str:
        """Press or enter: turn."""
        self._take(self.handlers.turn(*self.choose(**chosen)._view(), by=by))
        return self.pager

    def discard(self) -> str:
        """Press or enter: discard."""
        return self._take(self.handlers.discard(*self._view()))

    def tag_selected(self, tags: str, numbers: str, action: str = "add", place: str = "the end") -> str:
        """Press or enter: tag selected."""
        return self._take(self.handlers.tag_selected(*self._view(tags, numbers), action=action, place=place))

    def type(self, text: str) -> Tab:
        """Press or enter: type."""
        return self.choose(caption=text)

    def save(self, text: str) -> str:
        """Press or enter: save."""
        return self._take(self.handlers.save_caption(*self.type(text)._view()))

    def undo_edit(self) -> str:
        """Press or enter: undo edit."""
        return self._take(self.handlers.undo(*self._view()))

    def tags(self, **entered: Any) -> str:
        """Press or enter: tags."""
        self.enter(**{f"tags__{name}": value for name, value in entered.items()})
        return self._take(self.handlers.change_tags(*self._view(*self.entered.values())))

    def metadata(self, **entered: Any) -> str:
        """Enter values into the fold of the metadata, and press its button."""
        self.enter(**{f"metadata__{name}": value for name, value in entered.items()})
        return self._take(self.handlers.edit_metadata(*self._view(*self.entered.values())))

    def convert(self, **entered: Any) -> str:
        """Press or enter: convert."""
        self.enter(**{f"conversion__{name}": value for name, value in entered.items()})
        return self._take(self.handlers.convert("task(x)", *self._view(*self.entered.values())))

    def caption_all(self, **entered: Any) -> str:
        """Press or enter: caption all."""
        self.enter(**entered)
        return self._take(self.handlers.caption_all("task(x)", *self._view(*self.entered.values())))

    def copies(self, **entered: Any) -> str:
        """Press or enter: copies."""
        self.enter(**{f"copies__{name}": value for name, value in entered.items()})
        return self.handlers.make_copies("task(x)", self.survey, *self.entered.values())[-1]
