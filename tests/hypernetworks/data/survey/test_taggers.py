"""Taggers from a file, on a model whose tags can be computed by hand, and how tags are chosen and written."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, SettingsError
from hypernetwork_workbench.hypernetworks.data.survey.onnx_tagger import onnx_tagger, picture_array
from hypernetwork_workbench.hypernetworks.data.survey.tag_choice import Label, caption_of
from hypernetwork_workbench.hypernetworks.data.survey.tagger import TaggerSettings
from PIL import Image

from tests.support.tagger_files import write_tagger

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def model(tmp_path):
    return write_tagger(tmp_path / "tagger")


def caption(model, picture, **entered):
    settings = TaggerSettings(model=str(model), **entered)
    with onnx_tagger().open(settings) as describe:
        return describe(picture)


def wide(colour):
    """Return a picture that fills half of its white square: two means are 0.5, and that of its colour is 1."""
    return Image.new("RGB", (4, 2), colour)


def test_a_picture_is_centred_on_a_white_square_in_the_order_blue_green_red():
    found = picture_array(wide(RED), 4)
    assert (found.shape, found.dtype) == ((1, 4, 4, 3), np.float32)
    assert found[0, :, 0].tolist() == [[255] * 3, [0, 0, 255], [0, 0, 255], [255] * 3]
    assert picture_array(Image.new("L", (9, 9), 0), 4).max() == 0


def test_tags_reach_their_threshold_and_stand_in_their_order(model):
    # red 1, long_hair and ink 0.5 and 0.6, ^_^ 0.4, sky 0.1; explicit, a rating, 1
    assert caption(model, wide(RED)) == "red, long hair, ^_^"
    assert caption(model, wide(BLUE)) == "long hair, red, ^_^"
    assert caption(model, wide(BLUE), tag_order="as the tagger lists them") == "long hair, ^_^, red"
    assert caption(model, wide(RED), threshold=0.45, character_threshold=0.59) == r"red, ink \(brush\), long hair"
    assert caption(model, wide(RED), threshold=0.05, leave_out="Long hair, red").startswith("^_^, sky")
    assert caption(model, wide(RED), spaces=False, escape=False, character_threshold=0.0).split(", ") == [
        "red",
        "ink_(brush)",
        "long_hair",
        "^_^",
    ]
    assert caption(model, wide(RED), threshold=1.0, leave_out="red") == ""


def test_a_folder_stands_for_its_model_and_a_side_without_a_number_for_448(model, tmp_path):
    assert caption(model.parent, wide(RED)) == "red, long hair, ^_^"
    assert caption(write_tagger(tmp_path / "any", side="side"), wide(RED)) == "red, long hair, ^_^"


@pytest.mark.parametrize("name", ["o_o", "^_^", "(o)_(o)", "<|>_<|>", "||_||", "0_0", ">_<"])
def test_faces_keep_their_underscores(name):
    written = caption_of([Label(name), Label("a_bird")], [1, 1], TaggerSettings(escape=False))
    assert written == f"{name}, a bird"


def refused(model, **entered):
    with pytest.raises(SettingsError) as caught:
        caption_checked(model, **entered)
    assert caught.value.field == "model"
    return str(caught.value)


def caption_checked(model, **entered):
    onnx_tagger().check(TaggerSettings(model=str(model), **entered))
    return caption(model, wide(RED), **entered)


def test_what_cannot_be_a_tagger_is_said_in_one_sentence(model, tmp_path, monkeypatch):
    assert "name the .onnx file" in refused("")
    assert "is not there" in refused(tmp_path / "none.onnx")
    assert "must take pictures" in refused(write_tagger(tmp_path / "grey", channels=1))
    tags = model.with_name("selected_tags.csv")
    whole = tags.read_text(encoding="utf-8")
    for text, said in (
        ("name,count\nred,1", "must have the columns name and category"),
        ("name,category\nred,x", "must have the columns name and category"),
        ("name,category\n", "has no tags"),
    ):
        tags.write_text(text, encoding="utf-8")
        assert said in refused(model)
    tags.unlink()
    assert "selected_tags.csv cannot be read" in refused(model)
    tags.write_text(whole, encoding="utf-8")
    model.write_bytes(b"no model")
    assert "model.onnx cannot be loaded" in refused(model)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "needs the package onnxruntime" in refused(model)


def test_a_list_of_other_tags_is_told(model):
    tags = model.with_name("selected_tags.csv")
    tags.write_text(tags.read_text(encoding="utf-8") + "\n9,more,0,1", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"gives 6 tags, selected_tags\.csv names 7"):
        caption(model, wide(RED))


def test_what_a_tagger_does_not_use_is_known():
    entered = TaggerSettings(prefix="ink, ", threshold=0.5, beams=3)
    assert onnx_tagger().unused(entered) == ["Beams"]
    with pytest.raises(SettingsError, match="minimum length"):
        TaggerSettings(min_length=9, max_length=5)
