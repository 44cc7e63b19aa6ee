"""The tab Dataset on the embedded host: every button with right and wrong input."""

from __future__ import annotations

import contextlib
import sys
import types
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from hypernetwork_workbench.hypernetworks.base import atomic
from PIL import Image

from tests.support.dataset_tab import Tab, texts, write_pictures
from tests.support.tagger_files import write_tagger


@pytest.fixture
def folder(tmp_path: Path, patched: Any) -> Path:
    """Three pictures, two of them with captions."""
    return write_pictures(tmp_path / "pictures")


@pytest.fixture
def tab(folder: Path) -> Tab:
    return Tab(folder)


def test_a_look_shows_what_will_be_trained(tab):
    assert "3 pictures were found" in tab.look()
    assert "<b class='hnw-steps'>2 steps</b>: 3 pictures in 2 batches" in tab.overview
    assert "64 × 64" in tab.overview
    assert "5 at most" not in tab.overview
    assert "3 at most in a caption" in tab.overview
    assert tab.cards.count("class='hnw-card'") == 3
    assert "Page 1 of 1; 3 of 3 pictures." in tab.pager
    assert "<b class='hnw-steps'>1 step</b>" in (tab.look(train__gradient_accumulation=2) and tab.overview)


@pytest.mark.parametrize(
    ("entered", "sentence"),
    [
        ({"data__folder": ""}, "Dataset folder: name the folder that holds the pictures"),
        ({"data__folder": "/absent"}, "Dataset folder: /absent is not a folder"),
        ({"data__width": 65}, "Picture width: must be a multiple of 8, not 65"),
        ({"data__width": None}, "Picture width: must be a number, not empty"),
        ({"train__gradient_accumulation": 0}, "Gradient accumulation: must be at least 1, not 0"),
        ({"limits__token_limit": 0}, "Token limit: must be at least 1, not 0"),
        ({"data__dataset_config": "/absent.toml"}, "Dataset file: /absent.toml cannot be read"),
        ({"data__more_folders": "/absent | num_repeats=x"}, "More folders: "),
        ({"data__filename_regex": "("}, "File name regex: is no regular expression"),
    ],
)
def test_wrong_input_is_one_sentence_that_names_the_field(tab, entered, sentence):
    tab.look()
    before = tab.overview
    status = tab.look(**entered)
    assert sentence in status
    assert status.count("<li>") == 1
    assert tab.overview == before


def test_a_caption_is_edited_and_taken_back(tab, folder):
    tab.look()
    assert not tab.updates["undo"]["visible"], "there is nothing to take back"
    before = texts(folder)
    tab.pick(2)
    assert tab.caption == "red house"
    assert "red_house.png" in tab.chosen
    assert "Done: caption of red_house.png (1 caption file)" in tab.save("a red house\nat night")
    assert texts(folder)["red_house.txt"] == "a red house\nat night\n"
    assert tab.caption == "a red house\nat night"
    assert "Undo: caption of red_house.png" in tab.undo
    assert tab.updates["undo"]["visible"]
    assert "has this caption already" in tab.save("a red house\nat night")
    assert "Undone: caption of red_house.png" in tab.undo_edit()
    assert texts(folder) == before
    assert tab.caption == "red house"
    assert tab.undo == "Undo"
    assert not tab.updates["undo"]["visible"]
    assert "there is no edit of these captions to undo" in tab.undo_edit()


def test_tags_are_changed_everywhere_and_several_steps_are_taken_back(tab, folder):
    tab.look()
    before = texts(folder)
    assert "Done: replace night by dusk (2 caption files)" in tab.tags(
        action="replace", tag="night", replacement="dusk"
    )
    assert "Done: add ink (3 caption files)" in tab.tags(action="add", tag="ink", place="the end")
    assert texts(folder)["a.txt"] == "dusk, rain, ink"
    assert "data-tag='dusk'" in tab.overview
    again = Tab(folder)
    again.look()
    assert "add ink" in again.undo_edit()
    assert "replace night by dusk" in again.undo_edit()
    assert texts(folder) == before
    assert "data-tag='night'" in again.overview


def test_tags_are_sorted_and_doubled_ones_removed_and_a_second_time_changes_nothing(tab, folder):
    (folder / "a.txt").write_bytes("rain、night\r\nsun、rain".encode())
    tab.look()
    assert "Done: sort the tags (1 caption file)" in tab.tags(action="sort")
    assert (folder / "a.txt").read_bytes() == "night、rain\r\nrain、sun".encode()
    assert "All captions are like that already." in tab.tags(action="sort")
    assert "Done: remove duplicate tags (1 caption file)" in tab.tags(action="remove duplicates")
    assert (folder / "a.txt").read_bytes() == "night、rain\r\nsun".encode()
    assert "All captions are like that already." in tab.tags(action="remove duplicates")


@pytest.mark.parametrize(
    ("entered", "sentence"),
    [
        ({"action": "add", "tag": ""}, "Tags: name the tag to add"),
        ({"action": "remove", "tag": "snow"}, "Tags: no caption that can be edited has snow"),
        ({"action": "replace", "tag": "night", "replacement": ""}, "New tags: name the tag that replaces it"),
        ({"action": "burn", "tag": "night"}, "Change of tags: must be one of add, remove, replace"),
    ],
)
def test_a_change_of_tags_that_cannot_be_says_why(tab, folder, entered, sentence):
    tab.look()
    before = texts(folder)
    assert sentence in tab.tags(**entered)
    assert texts(folder) == before


def test_a_write_that_fails_changes_no_caption_and_what_was_done_before_can_still_be_undone(tab, folder, monkeypatch):
    tab.look()
    first = texts(folder)
    tab.tags(action="add", tag="ink")
    before = texts(folder)
    replace = Path.replace

    def failing(path: Path, target: Path) -> Path:
        if Path(target).name == "b.txt" and "ash" in path.read_text(encoding="utf-8"):
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(atomic.Path, "replace", failing)
    assert "b.txt: cannot be written" in tab.tags(action="add", tag="ash")
    assert texts(folder) == before
    assert "Undone: add ink" in tab.undo_edit()
    assert texts(folder) == first


def test_captions_in_another_encoding_are_named_converted_and_given_back(tab, folder):
    for name, caption in (("a", "夜の街、雨が降る"), ("b", "青い目の少女、傘")):
        (folder / f"{name}.txt").write_bytes(caption.encode("cp932"))
    before = {path.name: path.read_bytes() for path in folder.glob("*.txt")}
    tab.look()
    assert "2 left out" in tab.overview
    assert "not UTF-8 but Japanese text in Shift-JIS: “夜の街、雨が降る”" in tab.overview
    assert "Encoding: a.txt is in another one; nothing was converted" in tab.convert(encoding="Japanese, EUC-JP")
    assert {path.name: path.read_bytes() for path in folder.glob("*.txt")} == before
    assert "Done: convert to UTF-8 (2 caption files)" in tab.convert(encoding="as recognised")
    assert texts(folder) == {"a.txt": "夜の街、雨が降る", "b.txt": "青い目の少女、傘"}
    assert "3 can be used" in tab.overview
    assert "there is nothing to convert" in tab.convert()
    assert "Undone: convert to UTF-8 (2 caption files)" in tab.undo_edit()
    assert {path.name: path.read_bytes() for path in folder.glob("*.txt")} == before
    assert "2 left out" in tab.overview
    assert "Done: convert to UTF-8" in tab.convert(encoding="Japanese, Shift-JIS")


def test_pictures_are_paged_and_filtered(tab, folder):
    for number in range(30):
        Image.new("RGB", (64, 64), (8 * number, 0, 200)).save(folder / f"more{number:02}.png")
    tab.look()
    assert "Page 2 of 2; 33 of 33" in tab.turn(by=1)
    assert "Page 2 of 2" in tab.turn(page=99)
    assert "Page 1 of 2" in tab.turn(page=None, by=-1)
    assert "Page 1 of 1; 33 of 33" in tab.turn(per_page=40)
    assert tab.cards.count("class='hnw-card'") == 33
    assert "Page 3 of 17" in tab.turn(per_page=2, page=3)
    assert "1 of 33 pictures" in tab.turn(words="SUN")
    tab.look()
    assert "1 of 33 pictures" in tab.pager, "the same folder looked at again keeps the choice"
    assert Tab(folder).turn() == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"per_page": 2.5}, "Pictures on a page: must be a whole number, not 2.5"),
        ({"per_page": 0}, "Pictures on a page: must be at least 1, not 0"),
        ({"per_page": 1e30}, "Pictures on a page: must be a number that is not so large"),
        ({"per_page": 201}, "Pictures on a page: must be at most 200, not 201"),
        ({"page": 1.5}, "Page: must be a whole number, not 1.5"),
        ({"page": -1}, "Page: must be at least 1, not -1"),
    ],
)
def test_a_page_that_is_no_whole_number_is_refused_and_what_is_shown_stays(tab, wrong, said):
    tab.look()
    cards = tab.cards
    assert said in tab.turn(**wrong)
    assert tab.cards == cards
    held = [tab.held[id(getattr(tab.handlers.components, name))] for name in wrong]
    assert held == list(wrong.values()), "it stays as it was typed"
    if "per_page" in wrong:
        assert said in tab.look()


def test_no_field_in_sight_rounds_what_is_entered(tab):
    numbers = [one for one in tab.page.blocks.values() if isinstance(one, gr.Number)]
    assert len(numbers) > 5
    assert [one.elem_id for one in numbers if one.visible and one.precision is not None] == []


def test_before_the_first_look_every_button_says_so(tab, folder):
    for status in (tab.save("x"), tab.undo_edit(), tab.tags(tag="x"), tab.copies()):
        assert "press Look first" in status
    tab.pick(0)
    assert tab.held[id(tab.handlers.components.number)] == -1
    tab.look()
    assert "Caption: press a picture first" in tab.save("x")


def test_copies_are_written_into_a_new_folder(tab, folder, tmp_path):
    tab.look()
    held = sorted(folder.iterdir())
    assert "no picture is that long" in tab.copies(target=str(tmp_path / "new"), split_threshold=0.4)
    status = tab.copies(mirror=True)
    assert "Wrote 6 pictures to" in status
    assert "exists already; name a new folder" in tab.copies()
    assert "Split threshold: must be at most 1, not 2" in tab.copies(split_threshold=2)
    assert sorted(folder.iterdir()) == held
    assert "6 pictures were found" in tab.look(data__folder=str(tmp_path / "new"))


def test_a_host_without_taggers_has_the_one_from_a_file(folder, tmp_path):
    model = write_tagger(tmp_path / "tagger")
    tab = Tab(folder)
    assert tab.entered["taggers.tagger"] == "WD14 (an .onnx file)"
    tab.look()
    before = texts(folder)
    assert "Model of the tagger: name the .onnx file" in tab.caption_all()
    assert "taggers.threshold" in tab.entered
    assert "taggers.beams" not in tab.entered, "without BLIP its settings change nothing"
    status = tab.caption_all(taggers__model=str(model), taggers__prefix="ink, ")
    assert "Done: captions by WD14 (an .onnx file) (1 caption file)" in status
    assert "does not use" not in status
    assert texts(folder) == {**before, "red_house.txt": "ink, red, long hair, ^_^\n"}
    assert "Undone: captions by" in tab.undo_edit()
    assert texts(folder) == before


def test_a_tagger_whose_file_is_wrong_takes_nothing(folder, tmp_path):
    model = write_tagger(tmp_path / "tagger")
    model.with_name("selected_tags.csv").unlink()
    tab = Tab(folder)
    tab.look()
    before = texts(folder)
    assert "selected_tags.csv cannot be read" in tab.caption_all(taggers__model=str(model))
    assert "selected_tags.csv cannot be read" in tab.handlers.queue_captions(*tab.entered.values())
    assert texts(folder) == before


class Extension:
    """A tagger of the extension wd14-tagger."""

    is_loaded = False

    def interrogate(self, picture: Any) -> tuple[dict[str, float], dict[str, float]]:
        """Return ratings and tags."""
        self.is_loaded = True
        return {"explicit": 1.0}, {"sky": 0.1, "long_hair": 0.5, "red": picture.width / 128}

    def unload(self) -> bool:
        """Forget the model."""
        self.is_loaded = False
        return True


def test_taggers_of_the_extension_are_used_with_our_choice_of_tags(folder, monkeypatch):
    module = types.ModuleType("tagger.utils")
    module.interrogators = {"wd14-vit": Extension()}
    monkeypatch.setitem(sys.modules, "tagger.utils", module)
    tab = Tab(folder)
    tab.look()
    assert tab.entered["taggers.tagger"] == "wd14-tagger: wd14-vit"
    tab.caption_all(taggers__threshold=0.4, taggers__spaces=False)
    assert texts(folder)["red_house.txt"] == "red, long_hair\n"
    assert not module.interrogators["wd14-vit"].is_loaded
    module.interrogators = {}
    assert "Tagger: must be one of WD14 (an .onnx file)" in tab.caption_all()


class Blip:
    """A model whose sentences tell what it was asked for."""

    def generate(self, picture: Any, **asked: Any) -> str:
        """Return what was asked."""
        return f"{picture.width} {sorted(asked.items())}"


def test_blip_is_asked_for_what_was_entered_and_else_for_what_the_host_says(folder, monkeypatch, patched):
    model = Blip()

    def describe(picture: Any) -> str:
        return model.generate(picture, num_beams=1, min_length=24, max_length=48)

    host = types.SimpleNamespace(blip_model=model, load=lambda: None, unload=lambda: None, generate_caption=describe)
    lowvram = types.ModuleType("modules.lowvram")
    lowvram.send_everything_to_cpu = lambda: None
    monkeypatch.setitem(sys.modules, "modules.lowvram", lowvram)
    monkeypatch.setattr(patched.module("shared"), "interrogator", host, raising=False)
    tab = Tab(folder)
    tab.look()
    assert tab.entered["taggers.tagger"] == "BLIP (a sentence)"
    tab.caption_all(taggers__beams=3, taggers__max_length=60)
    assert texts(folder)["red_house.txt"] == "128 [('max_length', 60), ('min_length', 24), ('num_beams', 3)]\n"
    assert "generate" not in vars(model)
    tab.caption_all(taggers__existing="replace it", taggers__beams=0, taggers__max_length=0)
    assert texts(folder)["red_house.txt"] == "128 [('max_length', 48), ('min_length', 24), ('num_beams', 1)]\n"
    status = tab.caption_all(taggers__existing="replace it", taggers__threshold=0.5)
    assert "BLIP (a sentence) does not use: Threshold." in status


@pytest.fixture
def deepbooru(monkeypatch: Any, patched: Any) -> Any:
    """Return a host with a deepbooru that says sizes; it counts how often it is loaded."""
    import modules

    module = types.ModuleType("modules.deepbooru")
    module.__spec__ = types.SimpleNamespace(name="modules.deepbooru")
    module.model = types.SimpleNamespace(
        start=lambda: module.calls.append("start"),
        stop=lambda: module.calls.append("stop"),
        tag_multi=lambda picture: f"{picture.mode}, {picture.width} wide",
    )
    module.calls = []
    monkeypatch.setitem(sys.modules, "modules.deepbooru", module)
    monkeypatch.setattr(modules, "deepbooru", module, raising=False)
    return module


def test_the_hosts_tagger_captions_the_pictures_and_keeps_what_is_there(deepbooru, folder):
    tab = Tab(folder)
    tab.look()
    before = texts(folder)
    assert "(1 caption file)" in tab.caption_all()
    assert texts(folder) == {**before, "red_house.txt": "RGB, 128 wide\n"}
    tab.caption_all(taggers__existing="append the new one")
    assert texts(folder)["a.txt"] == "night, rain, RGB, 64 wide"
    assert deepbooru.calls == ["start", "stop"] * 2
    tab.undo_edit()
    tab.undo_edit()
    assert texts(folder) == before


def test_a_tagger_that_fails_is_named_and_what_it_has_done_is_kept(deepbooru, folder):
    tab = Tab(folder)
    tab.look()
    status = []

    def failing(picture: Any) -> str:
        if status:
            raise RuntimeError("out of memory")
        status.append(picture)
        return "one"

    deepbooru.model.tag_multi = failing
    status = tab.caption_all(taggers__existing="replace it")
    assert "deepbooru (tags) failed after 1 of 3 pictures (out of memory). Done: captions by" in status
    assert texts(folder)["a.txt"] == "one"
    assert texts(folder)["b.txt"] == "night, sun"
    assert "deepbooru (tags) failed after 0 of 3 pictures (out of memory)" in tab.caption_all()


def test_an_interrupted_tagger_keeps_what_it_has_done(deepbooru, folder, patched):
    tab = Tab(folder)
    tab.look()
    state = patched.module("shared").state
    deepbooru.model.tag_multi = lambda _: state.interrupt() or "one"
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, state, "interrupted", False)
        status = tab.caption_all(taggers__existing="replace it")
    assert "Stopped after 1 of 3 pictures. Done:" in status
    assert texts(folder) == {"a.txt": "one", "b.txt": "night, sun"}


def test_the_form_has_the_fields_of_training_and_the_settings_go_both_ways(folder):
    from hypernetwork_workbench.patches.tabs.dataset import tab as tab_dataset
    from hypernetwork_workbench.patches.tabs.train import tab as tab_train

    tab = Tab(folder, train=True)
    ids = {getattr(one, "elem_id", None) for one in tab.page.blocks.values()}
    assert {"hnw_dataset_take_button", "hnw_dataset_give_button"} <= ids
    train = next(handlers.form for _, handlers in tab_train._built)
    shared = {field.address for field in train.fields} & set(tab.entered)
    not_seen = {"data.latents", "data.cache", "data.cache_limit_mb", "data.stop_at_broken"}
    assert {field.address for field in train.fields if field.section == "data"} - shared == not_seen
    assert tab_dataset._taken("", "ink", 1, 2)[1:] == ["ink", 1, 2]
    assert tab_train.form_of_page() is None


def test_every_widget_stays_out_of_the_hosts_defaults(tab):
    for field in tab.handlers.form.fields:
        assert field.component.elem_id.startswith("hnw_dataset_")
        assert field.component.do_not_save_to_config
