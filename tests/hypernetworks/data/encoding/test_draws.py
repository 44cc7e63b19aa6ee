"""Draws of a picture go by it and its epoch, the loss by its weight and mask, and kept latents by all they are of."""

import os

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.forms import Array, Record
from hypernetwork_workbench.hypernetworks.data.encoding.cache import Cache
from hypernetwork_workbench.hypernetworks.data.encoding.conditionings import padded
from hypernetwork_workbench.hypernetworks.data.encoding.latents import encode
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image

from tests.support.fake_ports import FakeEncoder, FakeProgress

PICTURES = 4


@pytest.fixture
def folder(tmp_path):
    """Four pictures whose left half is white, and white in their masks too."""
    made = tmp_path / "pictures"
    made.mkdir()
    for number in range(PICTURES):
        picture = Image.new("L", (32, 32), 10 * number)
        picture.paste(255, (0, 0, 16, 32))
        picture.convert("RGB").save(made / f"{number}.png")
        picture.point(lambda value: 255 * (value == 255)).save(made / f"{number}-mask.png")
    return made


def dataset(folder, **changes):
    return read_dataset(DataSettings(folder=str(folder), **{"width": 32, "height": 32, **changes}), "n")


def encoded(folder, cache=None, encoder=None, **changes):
    return encode(dataset(folder, **changes), encoder or FakeEncoder(), FakeProgress(), cache)


def batch(data, epoch=0):
    return data.batch(range(PICTURES), epoch)


def distinct(rows):
    """Tell whether no two rows are equal."""
    return len({tuple(row.flatten().tolist()) for row in rows}) == len(rows)


@pytest.mark.parametrize("kind", ["random", "once"])
def test_no_two_pictures_get_the_same_draw(folder, kind):
    mean = batch(encoded(folder)).latents
    drawn = ((batch(encoded(folder, latents=kind)).latents - mean) * 1000).round()
    assert distinct(drawn)


def test_each_picture_is_mirrored_by_itself(folder):
    data, mirrored = encoded(folder, flip=True), []
    for epoch in range(24):
        left = batch(data, epoch).latents[:, 0, :, :2].mean((1, 2))
        right = batch(data, epoch).latents[:, 0, :, 2:].mean((1, 2))
        mirrored.append((left < right).tolist())
    assert len({tuple(one) for one in mirrored}) > PICTURES
    assert all(4 <= sum(column) <= 20 for column in zip(*mirrored, strict=True))


def test_mask_and_weight_of_a_picture_multiply(folder):
    (folder / "3-mask.png").unlink()
    weights = batch(encoded(folder, masks="file", weight=3.0)).weights
    assert weights[0, 0].tolist() == [[6.0, 6.0, 0.0, 0.0]] * 4
    assert weights[3, 0].tolist() == [[3.0] * 4] * 4


def test_the_validation_loss_goes_by_the_mask_and_not_by_the_weight(folder):
    def held_out(**changes):
        _, held = dataset(folder, weight=3.0, **changes).split(2)
        return encode(held, FakeEncoder(), FakeProgress()).batch([0, 1], 0).weights

    assert held_out() is None
    assert held_out(masks="file")[0, 0].tolist() == [[2.0, 2.0, 0.0, 0.0]] * 4


def test_each_part_of_a_picture_is_kept_by_itself(folder, tmp_path):
    Image.linear_gradient("L").resize((32, 256)).convert("RGB").save(folder / "0.png")
    changes = {"crop": "random", "repeats": 5}
    fresh = encoded(folder, **changes).batch(range(5), 0).latents
    assert distinct(fresh)
    for encoder, most in ((FakeEncoder(), 20), (FakeEncoder(), 0)):
        kept = encoded(folder, Cache(tmp_path / "kept", 10), encoder, **changes)
        assert torch.equal(kept.batch(range(5), 0).latents, fresh)
        assert encoder.encoded_pictures <= most


def test_each_size_of_a_picture_is_kept_by_itself(folder, tmp_path, caplog):
    cache, encoder = Cache(tmp_path / "kept", 10), FakeEncoder()
    for side in (32, 16, 32, 16):
        data = encoded(folder, cache, encoder, width=side, height=side)
        assert batch(data).latents.shape == (PICTURES, 4, side // 8, side // 8)
    assert encoder.encoded_pictures == 2 * PICTURES
    assert "cannot be read" not in caplog.text


def test_short_texts_are_filled_up_with_the_empty_one_from_its_start():
    empty = torch.tensor([[7.0], [8.0]])
    found = padded([torch.tensor([[1.0]]), torch.tensor([[2.0], [3.0], [4.0], [5.0]])], empty)
    assert found[..., 0].tolist() == [[1, 7, 8, 7], [2, 3, 4, 5]]


def test_what_was_read_last_is_pruned_last(tmp_path):
    form = Record({"mean": Array((64, 1024), torch.float32)})
    for number, name in enumerate(("first", "second", "third", "fourth", "fifth")):
        Cache(tmp_path, 1).store(name, {"mean": torch.zeros(64, 1024)})  # 256 kB
        os.utime(tmp_path / f"{name}.safetensors", (1000 + number, 1000 + number))
    assert Cache(tmp_path, 1).load("first", form) is not None
    assert Cache(tmp_path, 1).prune() == 2
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == {"first", "fourth", "fifth"}
