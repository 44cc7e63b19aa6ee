"""The tab Train Gamma without a browser."""

import types
import warnings
from pathlib import Path

from hypernetwork_workbench.hypernetworks.base.options import LENGTH
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS

EMPTY = {name: {} for name in SECTIONS}
TXT2IMG = ("a blue star", "blurry", 3, "Euler", 5.0, -1, 64, 72)


class Tab:
    """The tab without a browser: what is entered goes to the handlers, and what they return is read by id."""

    def __init__(self, start=None):
        import gradio as gr
        from hypernetwork_workbench.patches.tabs.train import tab as tab_train

        with warnings.catch_warnings(), gr.Blocks():
            warnings.simplefilter("ignore")
            self.handlers = tab_train.make_tab({**EMPTY, **(start or {})})
        form = self.handlers.form
        self.entered = {field.address: field.component.value for field in form.fields}
        self.outputs = {}
        self.status = ""

    def take(self, components, values):
        """Do with the values what the page does."""
        addresses = {id(field.component): field.address for field in self.handlers.form.fields}
        for component, update in zip(components, values, strict=True):
            value = update.get("value") if isinstance(update, dict) else update
            if id(component) in addresses:
                if isinstance(update, dict) and "value" in update:
                    self.entered[addresses[id(component)]] = value
            elif value is not None:
                self.outputs[component.elem_id.removeprefix("hnw_train_")] = value

    def look(self, **entered):
        texts = {field.address for field in self.handlers.form.fields if field.kind == LENGTH}
        for name, value in entered.items():
            address = name.replace("__", ".")
            assert address in self.entered
            self.entered[address] = str(value) if address in texts else value
        lists = [self.outputs.get(name, "") for name in ("preset", "data_preset")]
        self.take(self.handlers.shown, self.handlers.look(*lists, *self.entered.values()))

    def choose_preset(self, name):
        self.take(self.handlers.filled, self.handlers.choose_preset(name, *self.entered.values()))

    def load(self, path):
        self.status, *updates = self.handlers.load(types.SimpleNamespace(name=str(path)), *self.entered.values())
        self.take(self.handlers.filled, updates)

    def save(self):
        self.status, saved = self.handlers.save(*self.entered.values())
        return Path(saved["value"]) if "value" in saved else None

    def press(self, name, txt2img=None):
        """Presses a button; the pictures of the answer."""
        from hypernetwork_workbench.patches.tabs.train import buttons

        given = TXT2IMG if txt2img is None else txt2img
        handler = buttons.handler(self.handlers.form, getattr(buttons, name), len(given))
        gallery, self.status = handler("task(x)", txt2img is not None, *given, *self.entered.values())
        return gallery.get("value")

    def problems(self):
        return {
            key.removesuffix("_problem"): text
            for key, text in self.outputs.items()
            if key.endswith("_problem") and text
        }
