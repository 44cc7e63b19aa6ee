"""When texts are encoded, and how their conditionings stand together."""

from types import SimpleNamespace

import torch
from hypernetwork_workbench.hypernetworks.data.encoding.cache import Cache
from hypernetwork_workbench.hypernetworks.data.encoding.conditionings import Conditionings, padded
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image

from tests.support.fake_ports import FakeEncoder


def shades(folder, count):
    for number in range(count):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(folder / f"{number:02}.png")
        (folder / f"{number:02}.txt").write_text(f"text {number:02}")
    return read_dataset(DataSettings(folder=str(folder), width=16, height=16), "n")


def test_nothing_is_told_between_the_epochs(tmp_path):
    texts = Conditionings(shades(tmp_path, 2), FakeEncoder())
    assert texts.batch([0, 1], 0).text.shape == (2, 5, 12)
    assert texts.size_bytes == 3 * 5 * 12 * 4  # the empty one with them


def test_the_text_encoder_is_loaded_only_where_a_text_is_missing(tmp_path):
    loads, dataset = [], shades(tmp_path, 2)

    class Encoder(FakeEncoder):
        def text_encoder_loaded(self):
            loads.append(1)
            return super().text_encoder_loaded()

    for _ in range(2):
        Conditionings(dataset, Encoder(), Cache(tmp_path / "kept", 10)).prepare(0)
        assert loads == [1]


def test_an_epoch_that_is_prepared_is_not_encoded_again(tmp_path):
    dataset, encoder = shades(tmp_path, 2), FakeEncoder()
    fixed = Conditionings(dataset, encoder)
    for epoch in (0, 0, 1):
        fixed.prepare(epoch)
    assert encoder.encoded_texts == ["", "text 00", "text 01"]
    varied, seen = SimpleNamespace(varies=True, items=[0], text=lambda item, epoch: f"text {epoch}"), FakeEncoder()
    texts = Conditionings(varied, seen)
    for epoch in (0, 0, 1, 1, 0):
        texts.prepare(epoch)
    assert seen.encoded_texts == ["", "text 0", "", "text 1", "", "text 0"]


def test_texts_of_one_length_are_left_as_they_are():
    rows = [torch.ones(2, 3), torch.zeros(2, 3)]
    assert torch.equal(padded(rows, torch.full((1, 3), 9.0)), torch.stack(rows))


def drawn(**changes):
    """Return a dataset of two items whose texts differ in every epoch; the second is left out in epoch 1."""
    parts = {
        "varies": True,
        "items": [0, 1],
        "text": lambda item, epoch: "x" * (1 + item + 2 * epoch),
        "is_text_dropped": lambda item, epoch: (item, epoch) == (1, 1),
    }
    return SimpleNamespace(**parts | changes)


def test_a_text_that_is_left_out_is_the_empty_one():
    encoder = FakeEncoder()
    texts = Conditionings(drawn(), encoder)
    for epoch, wanted in ((0, ["x", "xx"]), (1, ["xxx", ""]), (2, ["xxxxx", "xxxxxx"])):
        expected = torch.stack([each.text for each in FakeEncoder().encode_texts(wanted)])
        assert torch.equal(texts.batch([0, 1], epoch).text, expected)
        assert torch.equal(texts.batch([1], epoch).text, expected[1:])


def test_texts_stay_on_the_device_that_they_were_given_to_in_every_epoch():
    texts = Conditionings(drawn(), FakeEncoder())
    assert texts.batch([0, 1], 0).text.device.type == "cpu"
    texts.keep_on(torch.device("meta"))
    assert [texts.batch([0, 1], epoch).text.device.type for epoch in (0, 0, 1, 2)] == ["meta"] * 4


def test_texts_that_vary_are_not_kept_for_later_runs(tmp_path):
    for dataset, kept in ((drawn(), 0), (drawn(varies=False), 3)):
        folder = tmp_path / str(kept)
        Conditionings(dataset, FakeEncoder(), Cache(folder, 10)).prepare(0)
        assert len(list(folder.glob("*.safetensors"))) == kept
