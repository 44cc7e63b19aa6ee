"""A conditioning with a vector and sizes, as SDXL takes it: kept, batched, moved and left out as one."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.data.encoding import Cache, encode
from hypernetwork_workbench.hypernetworks.data.encoding.conditionings import Conditionings
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image

from tests.support.fake_ports import TEXT_WIDTH, FakeEncoder, FakeProgress

VECTOR_WIDTH = 7


class PoolingEncoder(FakeEncoder):
    """Gives each text a vector of its length."""

    def encode_texts(self, texts):
        vectors = (torch.full((VECTOR_WIDTH,), float(len(text) + 1)) for text in texts)
        return [
            Conditioning(each.text, vector) for each, vector in zip(super().encode_texts(texts), vectors, strict=True)
        ]


def read(folder, sizes, **settings):
    for number, size in enumerate(sizes):
        Image.linear_gradient("L").rotate(90 + number).resize(size).convert("RGB").save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("x" * number)
    return read_dataset(DataSettings(folder=str(folder), **settings), "n")


def encoded(dataset, encoder=None, cache=None):
    return encode(dataset, encoder or PoolingEncoder(), FakeProgress(), cache, TEXT_WIDTH, VECTOR_WIDTH)


def test_vectors_stand_beside_their_texts(tmp_path):
    conditioning = encoded(read(tmp_path, [(16, 16)] * 3, width=16, height=16)).batch([2, 0], 0).conditioning
    assert conditioning.text.shape == (2, 5, TEXT_WIDTH)
    assert conditioning.vector[:, 0].tolist() == [3, 1]
    texts = PoolingEncoder().encode_texts(["xx", ""])
    assert torch.equal(conditioning.text, torch.stack([each.text for each in texts]))


@pytest.mark.parametrize("is_lost", [False, True])
def test_vectors_are_kept_for_later_runs(tmp_path, is_lost):
    dataset = read(tmp_path, [(16, 16)] * 3, width=16, height=16)
    first = encoded(dataset, cache=Cache(tmp_path / "kept", 10)).batch([0, 1, 2], 0).conditioning
    if is_lost:  # what was kept for a model without vectors is no help
        Conditionings(dataset, FakeEncoder(), Cache(tmp_path / "kept", 10), TEXT_WIDTH).prepare(0)
        for path in (tmp_path / "kept").glob("*.safetensors"):
            path.unlink()
        Conditionings(dataset, FakeEncoder(), Cache(tmp_path / "kept", 10), TEXT_WIDTH).prepare(0)
    encoder = PoolingEncoder()
    second = encoded(dataset, encoder, Cache(tmp_path / "kept", 10)).batch([0, 1, 2], 0).conditioning
    assert encoder.encoded_texts == (["", "x", "xx"] if is_lost else [])
    assert all(torch.equal(*pair) for pair in zip(first.parts, second.parts, strict=True))


def test_a_caption_that_is_left_out_leaves_zeros_and_the_sizes(tmp_path):
    dataset = read(tmp_path, [(16, 16)] * 2, width=16, height=16, caption_dropout=1.0)
    conditioning = encoded(dataset).batch([0, 1], 0).conditioning
    assert not conditioning.text.any()
    assert not conditioning.vector.any()
    assert conditioning.sizes.tolist() == [[16, 16, 0, 0, 16, 16]] * 2


def test_a_caption_that_is_left_out_is_zeros_up_to_the_length_of_a_long_one_beside_it(tmp_path, monkeypatch):
    class Encoder(PoolingEncoder):
        def encode_texts(self, texts):
            return [
                Conditioning(each.text.repeat(2 if text == "x" else 1, 1) + 1, each.vector)
                for text, each in zip(texts, super().encode_texts(texts), strict=True)
            ]

    dataset = read(tmp_path, [(16, 16)] * 3, width=16, height=16)
    texts = Conditionings(dataset, Encoder())
    whole = texts.batch([0, 1], 0).text
    assert whole[0].any(dim=1).all()  # the empty text fills up with itself
    monkeypatch.setattr(type(dataset), "is_text_dropped", lambda self, item, epoch: item == 0)
    dropped = texts.batch([0, 1], 0).text
    assert not dropped[0].any()
    assert torch.equal(dropped[1], whole[1])


def test_all_parts_move_and_count(tmp_path):
    data = encoded(read(tmp_path, [(16, 16)], width=16, height=16))
    floats = 4 * 2 * 2 * 2 + 5 * TEXT_WIDTH + VECTOR_WIDTH  # mean, deviation, the empty text
    assert data.size_bytes == 4 * floats
    moved = data.batch([0], 0).conditioning.map(lambda part: part.to("meta"))
    assert [part.device.type for part in moved.parts] == ["meta"] * 3
    assert Conditioning(torch.zeros(1), torch.tensor([float("nan")])).is_finite() is False


@pytest.mark.parametrize(
    ("size", "settings", "expected"),
    [
        ((64, 32), {"framing": "square"}, [32, 64, 0, 8, 16, 16]),  # halved, the middle of it
        ((32, 64), {"framing": "square"}, [64, 32, 8, 0, 16, 16]),
        ((16, 16), {"framing": "square"}, [16, 16, 0, 0, 16, 16]),
        ((8, 8), {"framing": "square"}, [8, 8, 0, 0, 16, 16]),
    ],
)
def test_sizes_are_those_of_the_picture_and_of_its_crop(tmp_path, size, settings, expected):
    data = encoded(read(tmp_path, [size], width=16, height=16, **settings))
    assert data.batch([0], 0).conditioning.sizes.tolist() == [expected]


def test_a_mirrored_crop_is_as_far_from_the_other_side(tmp_path):
    dataset = read(tmp_path, [(64, 16)], width=16, height=16, flip=True, crop="random", repeats=3)
    lefts = {}
    for view in dataset.views:
        lefts.setdefault(view.frame, {})[view.is_flipped] = dataset.sizes(view)[3]
    assert len(lefts) > 1
    assert all(both[False] + both[True] == 64 - 16 for both in lefts.values())


def test_sizes_go_with_the_view_that_is_drawn(tmp_path):
    dataset = read(tmp_path, [(64, 16)], width=16, height=16, flip=True, crop="random", repeats=3)
    data, seen = encoded(dataset), set()
    for epoch in range(8):
        batch = data.batch(range(len(data)), epoch)
        for latents, sizes in zip(batch.latents, batch.conditioning.sizes.tolist(), strict=True):
            (view,) = (n for n, each in enumerate(data._views) if torch.equal(each.mean, latents))
            seen.add(view)
            assert tuple(sizes) == dataset.sizes(dataset.views[view])
    assert len(seen) > 2
