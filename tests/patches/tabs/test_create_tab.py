"""The handlers of the tab Create Beta Hypernetwork on the embedded host with a tiny checkpoint."""

from __future__ import annotations

import json
import re
import types
import warnings
from pathlib import Path

import gradio as gr
import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network import presets
from hypernetwork_workbench.hypernetworks.texts.toml import tomllib

from tests.support.tiny_checkpoint import WIDTHS

EMPTY = {"network": {}, "output": {}, "train": {}}


class Tab:
    """The tab without a browser: what is entered goes to the handlers, and what they return is read by id."""

    def __init__(self, start=EMPTY):
        from hypernetwork_workbench.patches.tabs.create import tab as tab_create

        with warnings.catch_warnings(), gr.Blocks():
            warnings.simplefilter("ignore")
            self.handlers = tab_create.make_tab({**EMPTY, **start})
        self.entered = {field.name: field.component.value for field in self.handlers.form.fields}
        self.seen = tab_create.Seen()
        self.outputs = {}
        self.status = ""

    @property
    def offered(self):
        return self.seen.offered

    def inputs(self):
        return [self.seen, *self.entered.values()]

    def take(self, components, values):
        """Do with the values what the page does."""
        names = {id(field.component): field.name for field in self.handlers.form.fields}
        for component, update in zip(components, values, strict=True):
            if component is self.handlers.panel.seen:
                self.seen = update
                continue
            value = update.get("value") if isinstance(update, dict) else update
            if id(component) in names:
                if isinstance(update, dict) and "value" in update:
                    self.entered[names[id(component)]] = value
            elif value is not None and getattr(component, "elem_id", None):
                self.outputs[component.elem_id.removeprefix("hnw_create_")] = value

    def look(self, **entered):
        self.entered.update(entered)
        self.take(self.handlers.shown, self.handlers.look(self.outputs.get("preset", ""), *self.inputs()))

    def choose_preset(self, name):
        self.take(self.handlers.filled, self.handlers.choose_preset(name, *self.inputs()))

    def load(self, path):
        self.status, *updates = self.handlers.load(types.SimpleNamespace(name=str(path)), *self.inputs())
        self.take(self.handlers.filled, updates)

    def create(self):
        self.status, self.made, *updates = self.handlers.create(*self.inputs())
        self.take(self.handlers.shown, updates)

    def problems(self):
        return {key: text for key, text in self.outputs.items() if key.endswith("_problem") and text}


@pytest.fixture
def tab(patched):
    opened = Tab()
    opened.look(name="ink")
    return opened


@pytest.fixture
def folder(host):
    return Path(host.module("shared").cmd_opts.hypernetwork_dir)


def test_the_widths_of_the_checkpoint_are_offered_and_ticked(tab):
    assert tab.offered == WIDTHS
    assert tab.entered["widths"] == [str(width) for width in WIDTHS]
    assert tab.problems() == {}


def test_looking_does_not_load_a_checkpoint(patched, monkeypatch):
    shared = patched.module("shared")
    monkeypatch.setattr(patched.module("sd_models"), "load_model", lambda *_: pytest.fail("a checkpoint was loaded"))
    model = shared.__dict__.pop("sd_model")
    try:
        opened = Tab()
        opened.look(name="ink")
        assert opened.offered == ()
        assert "No checkpoint" in opened.outputs["summary"]
    finally:
        shared.sd_model = model


def test_ticks_of_the_user_stay_until_the_checkpoint_changes(tab, monkeypatch):
    from hypernetwork_workbench.patches.tabs.create import handlers

    tab.look(widths=["24"])
    assert tab.entered["widths"] == ["24"]
    monkeypatch.setattr(handlers, "loaded_widths", lambda: (40, 48))
    tab.look()
    assert tab.offered == (40, 48)
    assert tab.entered["widths"] == ["40", "48"]


def test_a_checkpoint_changed_unseen_stops_the_creation_once(tab, folder, monkeypatch):
    from hypernetwork_workbench.patches.tabs.create import handlers

    monkeypatch.setattr(handlers, "loaded_widths", lambda: (40, 48))
    tab.create()
    assert "the checkpoint has changed" in tab.status
    assert not list(folder.glob("*.pt"))
    tab.create()
    assert files.load(folder / "ink.pt").widths == (40, 48)


def test_a_problem_stands_beside_its_field_and_goes(tab):
    tab.look(layer_structure="1, 2, 2, 1", dropout_structure="0, 0.1, 0")
    assert list(tab.problems()) == ["dropout_structure_problem"]
    assert "Dropout" in tab.outputs["summary"]
    assert "<svg" not in tab.outputs["drawing"]
    tab.look(dropout_structure="0, 0.1, 0.2, 0")
    assert tab.problems() == {}
    assert "Dropout 20 %" in tab.outputs["drawing"]


def test_what_is_entered_is_not_taken_as_html(tab):
    tab.look(more_widths="<img src=x>")
    assert "<img" not in tab.problems()["more_widths_problem"]


def test_the_drawing_and_the_sizes_follow_the_entry(tab):
    before = tab.outputs["drawing"], tab.outputs["summary"]
    tab.look(layer_structure="1, 3, 1")
    assert (tab.outputs["drawing"], tab.outputs["summary"]) != before
    assert "× 3" in tab.outputs["drawing"]


def test_every_preset_fills_the_form_and_makes_a_file(tab, folder):
    for preset in presets.PRESETS:
        tab.choose_preset(preset.name)
        assert tab.problems() == {}
        assert tab.outputs["preset"] == preset.name
        assert preset.rate in tab.outputs["advice"]
        tab.entered.update(overwrite=True, more_widths="40")
        tab.create()
        assert tab.status.startswith("<p class='hnw-done'>Created ink"), tab.status
        network = files.load(folder / "ink.pt")
        assert network.structure.layer_structure == preset.shape.layer_structure
        assert network.widths == (*WIDTHS, 40)


def test_a_change_leaves_the_preset(tab):
    tab.choose_preset("Style")
    tab.look(layer_structure="1, 1.5, 1.6, 1")
    assert tab.outputs["preset"] == "Own settings"


def test_the_file_carries_name_seed_and_notes(tab, folder):
    tab.look(name="夜", seed=12, optional_info=" by me\n")
    tab.create()
    metadata = files.load(folder / "夜.pt").metadata
    assert (metadata.name, metadata.training["seed"], metadata.optional_info) == ("夜", 12, "by me")


def test_the_size_of_a_small_network_is_told_as_before_it_was_made(tab, folder):
    tab.look(name="small")
    tab.create()
    told = f"{(folder / 'small.pt').stat().st_size / 1000:.1f} kB"
    assert f"Created small ({told})." in tab.status


@pytest.mark.parametrize("name", ["the night", "no", "iPhone", "über", "ネオン"])
def test_a_name_just_made_is_no_fault_until_an_entry_changes_or_create_is_pressed_again(tab, name):
    tab.look(name=name)
    tab.create()
    assert "Created" in tab.status
    assert tab.problems() == {}
    tab.look()
    assert tab.problems() == {}, "as when the field loses the focus, or the tab is opened again"
    tab.create()
    assert f"{name} exists already" in tab.status
    assert tab.problems()["name_problem"].startswith(f"{name} exists already"), "as it was typed"
    tab.look()
    assert "name_problem" in tab.problems()
    tab.look(name="another")
    assert tab.problems() == {}


def test_a_name_is_not_overwritten_without_the_box(tab, folder):
    tab.create()
    written = (folder / "ink.pt").read_bytes()
    tab.look(seed=9)
    assert "exists already" in tab.problems()["name_problem"]
    tab.create()
    assert "exists already" in tab.status
    assert (folder / "ink.pt").read_bytes() == written
    tab.look(overwrite=True)
    assert tab.problems() == {}
    tab.create()
    assert (folder / "ink.pt").read_bytes() != written


def test_wrong_entries_make_nothing_and_are_all_named(tab, folder):
    tab.look(name="a/b", init_std=-1, seed=None)
    tab.create()
    for label in ("Name:", "Standard deviation:", "Seed:"):
        assert label in tab.status
    assert not list(folder.glob("*.pt"))


def test_saved_settings_come_back(tab, host):
    tab.look(layer_structure="1, 1.5, 1", widths=["24"], more_widths="40", optional_info="mine", seed=3)
    status, saved = tab.handlers.save(*tab.inputs())
    assert "Saved as" in status
    path = Path(saved["value"])
    assert path.parent.parent == Path(host.module("paths").data_path)
    assert tomllib.loads(path.read_text(encoding="utf-8"))["network"]["widths"] == [24, 40]
    wanted = dict(tab.entered)
    again = Tab()
    again.load(path)
    assert again.entered == wanted


def test_settings_are_saved_without_a_name_but_not_with_a_wrong_shape(tab):
    tab.look(name="")
    _, saved = tab.handlers.save(*tab.inputs())
    assert "name" not in tomllib.loads(Path(saved["value"]).read_text(encoding="utf-8"))["create"]
    tab.look(layer_structure="1")
    status, saved = tab.handlers.save(*tab.inputs())
    assert "Layer structure:" in status
    assert "value" not in saved


def test_impossible_values_of_a_file_lose_nothing(tab, tmp_path):
    tab.look(seed=4, dropout_structure="0, 0.1, 0")
    path = tmp_path / "old_hypernetwork_.json"
    path.write_text(json.dumps({"layer_structure": "1, 2", "activation_func": "glu", "colour": "red"}))
    before = dict(tab.entered)
    tab.load(path)
    for label in ("Layer structure:", "Activation:", "colour:"):
        assert label in tab.status
    kept = ("name", "seed", "layer_structure", "dropout_structure", "activation")
    assert {key: tab.entered[key] for key in kept} == {key: before[key] for key in kept}


def test_a_file_that_holds_no_settings_changes_nothing(tab, tmp_path):
    path = tmp_path / "picture.toml"
    path.write_bytes(b"\x89PNG\xff")
    before = dict(tab.entered)
    tab.load(path)
    assert "picture.toml" in tab.status
    assert tab.entered == before


def test_a_job_starts_the_form(patched):
    opened = Tab({"network": {"layer_structure": (1.0, 3.0, 1.0), "widths": (32,)}, "output": {"name": "night"}})
    opened.look()
    assert opened.entered["name"] == "night"
    assert opened.entered["widths"] == ["32"]
    assert "× 3" in opened.outputs["drawing"]


def marked(tab):
    return re.findall(r'data-changed="hnw_create_(.*?)"', tab.outputs["changed"])


def test_what_is_entered_is_marked_and_brought_back_also_where_the_widths_come_from_the_checkpoint(patched):
    tab = Tab({"network": {"activation": "mish"}, "output": {"name": "night"}})
    tab.look()
    assert marked(tab) == [], "an untouched form, also with values of a job file"
    tab.look(name="day", widths=["24"], more_widths="768")
    assert marked(tab) == ["name", "widths", "more_widths"]
    tab.take(tab.handlers.filled, tab.handlers.reset({"widths": ""}, tab.inputs()))
    assert sorted(tab.entered["widths"]) == sorted(map(str, tab.offered))
    assert tab.entered["more_widths"] == "768"
    tab.take(tab.handlers.filled, tab.handlers.reset({"more_widths": "", "name": "night"}, tab.inputs()))
    assert tab.entered["more_widths"] == ""
    assert marked(tab) == []


@pytest.mark.parametrize("is_followed", [False, True])
def test_what_is_said_of_train_gamma_is_true(patched, is_followed):
    tab = Tab()
    tab.handlers.is_followed = is_followed
    tab.look(name="mine")
    tab.create()
    assert tab.made == "mine"
    assert ("It is chosen in Train Gamma." in tab.status) == is_followed
    tab.create()
    assert "exists already" in tab.status
    assert tab.made == ""


def test_no_tab_keeps_a_tuple_in_the_page_of_which_newer_gradio_makes_a_list(patched):
    from hypernetwork_workbench.patches.tabs import create, dataset, merge, tuning

    with warnings.catch_warnings(), gr.Blocks() as page, gr.Tabs():
        warnings.simplefilter("ignore")
        for part in (create, dataset, merge, tuning):
            part.build()
    kept = [block.value for block in page.blocks.values() if isinstance(block, gr.State)]
    assert len(kept) >= 4
    assert not [value for value in kept if isinstance(value, tuple)]
