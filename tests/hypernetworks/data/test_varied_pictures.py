"""Pictures that look different from epoch to epoch, and captions that grow from step to step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data import reading
from hypernetwork_workbench.hypernetworks.data.batches import step_batches
from hypernetwork_workbench.hypernetworks.data.encoding.cache import Cache
from hypernetwork_workbench.hypernetworks.data.encoding.latents import encode
from hypernetwork_workbench.hypernetworks.data.pictures.variation import Colours, Face, recoloured
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from PIL import Image

from tests.support import pictures
from tests.support.fake_ports import FakeEncoder, FakeProgress

EPOCHS = range(12)
SUBSET = '[[datasets]]\nresolution = 64\n[[datasets.subsets]]\nimage_dir = "."\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return pictures.captioned(tmp_path / "pictures", size=(96, 64))


def dataset_of(folder: Path, **settings: object):
    return read_dataset(
        DataSettings.from_mapping({"folder": str(folder), "width": 64, "height": 64, **settings}), "", 4
    )


def of_file(folder: Path, options: str):
    (folder / "set.toml").write_text(f"[general]\n{options}\n{SUBSET}")
    return read_dataset(DataSettings(dataset_config=str(folder / "set.toml")), "", 4)


def test_colours_vary_a_third_of_the_time_and_what_is_drawn_is_trained(folder, tmp_path):
    dataset = dataset_of(folder, vary_colours=True)
    encoder = FakeEncoder()
    encoded = encode(dataset, encoder, FakeProgress(), Cache(tmp_path / "kept", 100))
    once = encode(dataset_of(folder), encoder, FakeProgress())
    other = 0
    for epoch in EPOCHS:
        for item in range(len(dataset.items)):
            is_plain = torch.equal(encoded.batch([item], epoch).latents, once.batch([item], epoch).latents)
            assert is_plain == (dataset.shown(item, epoch).colours == Colours())
            other += not is_plain
    assert 0.15 < other / (len(EPOCHS) * len(dataset.items)) < 0.55
    # A resumed run gets the bits of the first one, also from another epoch on.
    again = encode(dataset, encoder, FakeProgress(), Cache(tmp_path / "kept", 100))
    assert torch.equal(again.batch([1, 2], 7).latents, encoded.batch([1, 2], 7).latents)


def test_held_out_pictures_keep_their_colours(folder):
    _, held_out, _ = dataset_of(folder, vary_colours=True).divided(0.5, 1)
    assert held_out.varied == []
    assert all(held_out.shown(0, epoch) == held_out.views[0] for epoch in EPOCHS)


def test_hue_and_gamma_do_what_they_are_called():
    picture = Image.new("RGB", (2, 2), (200, 40, 40))
    assert recoloured(picture, Colours()).getpixel((0, 0)) == (200, 40, 40)
    red, green, blue = recoloured(picture, Colours(hue_degrees=16)).getpixel((0, 0))
    assert (red, blue) == (pytest.approx(200, abs=2), pytest.approx(40, abs=2))
    assert green > 60
    darker = recoloured(picture, Colours(gamma=1.05)).getpixel((0, 0))
    assert all(one < was for one, was in zip(darker, (200, 40, 40), strict=True))


def test_crops_lie_around_the_face_within_the_range(folder, monkeypatch):
    for path in folder.glob("*.png"):
        Image.new("RGB", (960, 640), "grey").save(path)
    monkeypatch.setattr(reading, "finds_faces", lambda: True)
    monkeypatch.setattr(reading, "face_of", lambda _picture: Face(300.0, 320.0, 100.0))
    for dataset in (dataset_of(folder, face_range="2, 4"), of_file(folder, "face_crop_aug_range = [2, 4]")):
        sides = set()
        for epoch in EPOCHS:
            left, top, right, bottom = dataset.shown(0, epoch).frame.box
            assert 200 <= right - left <= 400
            assert ((left + right) / 2, (top + bottom) / 2) == (pytest.approx(300), pytest.approx(320))
            sides.add(round(right - left))
        assert len(sides) > 5
    closest = dataset_of(folder, face_range="1, 1", width=256, height=256).shown(0, 0).frame.box
    assert closest[2] - closest[0] == pytest.approx(256)  # nothing is enlarged


def test_what_a_face_range_lacks_is_named(folder, monkeypatch):
    monkeypatch.setattr(reading, "finds_faces", lambda: False)
    with pytest.raises(SettingsError, match="face_range: needs OpenCV"):
        dataset_of(folder, face_range="2, 4")
    with pytest.raises(SettingsError, match="face_range: must be two numbers such as 2, 4"):
        dataset_of(folder, face_range="2, x")
    with pytest.raises(SettingsError, match=r"face_crop_aug_range: must be .*the lower one first"):
        of_file(folder, "face_crop_aug_range = [4, 2]")


@pytest.mark.parametrize(("warmup", "steps"), [(10, 0), (0.5, 20)])
def test_tags_are_added_step_by_step(folder, warmup, steps):
    for path in folder.glob("*.txt"):
        path.write_text("kept, a, b, c, d, e")
    dataset = of_file(
        folder,
        f'caption_extension = ".txt"\nkeep_tokens = 1\ntoken_warmup_step = {warmup}\ntoken_warmup_min = 2',
    )
    training = replace(dataset.divided(0.0, 2).training, steps=steps)
    for step, epoch, batches in step_batches(training.kinds, 2, training.seed):
        if step > 12:
            break
        wanted = "kept, " + ", ".join("abcde"[: min(5, 2 + step * 3 // 10)])
        assert [training.text(item, epoch) for batch in batches for item in batch] == [wanted] * sum(map(len, batches))
