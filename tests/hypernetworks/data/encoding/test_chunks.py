"""How much is encoded at once, what is said meanwhile, and what a kept picture must hold."""

from types import SimpleNamespace

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.forms import UnfitError
from hypernetwork_workbench.hypernetworks.data.encoding import latents
from hypernetwork_workbench.hypernetworks.data.encoding import views as encoded_views
from hypernetwork_workbench.hypernetworks.data.encoding.latents import encode
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image

from tests.support.fake_ports import FakeEncoder, FakeProgress


def views(*sizes):
    return SimpleNamespace(views=[SimpleNamespace(frame=SimpleNamespace(width_px=w, height_px=h)) for w, h in sizes])


@pytest.mark.parametrize(
    ("size", "count", "sizes"),
    [
        ((256, 256), 17, [8, 8, 1]),  # no more than eight at once
        ((256, 264), 8, [7, 1]),  # and no more than two of 512 x 512 in pixels
        ((512, 512), 5, [2, 2, 1]),
        ((1024, 512), 2, [1, 1]),
        ((1024, 1024), 3, [1, 1, 1]),
        ((4096, 4096), 2, [1, 1]),
        ((64, 64), 8, [8]),
    ],
)
def test_pictures_are_encoded_in_chunks_that_fit(size, count, sizes):
    dataset = views(*[size] * count)
    chunks = list(encoded_views._chunks(dataset.views))
    assert [len(chunk) for chunk in chunks] == sizes
    assert [view for chunk in chunks for view in chunk] == dataset.views


def test_pictures_of_one_size_come_together_in_their_order():
    dataset = views((64, 64), (64, 128), (64, 64), (128, 64), (64, 128))
    first, second, third, _, fifth = dataset.views
    assert list(encoded_views._chunks([first, second, third, fifth])) == [[first, third], [second, fifth]]


def shades(folder, count):
    for number in range(count):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(folder / f"{number:02}.png")
        (folder / f"{number:02}.txt").write_text(f"text {number:02}")
    return read_dataset(DataSettings(folder=str(folder), width=16, height=16), "n")


def test_how_far_the_encoding_is_is_told(tmp_path):
    progress = FakeProgress()
    encode(shades(tmp_path, 17), FakeEncoder(), progress)
    pictures = [f"Encoding pictures, {done} of 17" for done in (0, 8, 16)]
    assert [text for text in progress.texts if "pictures" in text] == pictures
    captions = [text for text in progress.texts if "captions" in text]
    assert captions[0] == "Encoding captions, 0 of 18"  # with the empty one
    assert all(text.endswith(" of 18") for text in captions)


@pytest.mark.parametrize(
    ("masks", "tensors", "fits"),
    [
        ("off", {}, True),
        ("off", {"mask": torch.ones(1, 2, 4)}, False),
        ("file", {}, True),
        ("file", {"mask": torch.ones(1, 2, 4)}, True),
        ("file", {"mask": torch.full((1, 2, 4), 8.0)}, True),
        ("file", {"mask": torch.full((1, 2, 4), 8.1)}, False),
        ("file", {"mask": torch.full((1, 2, 4), -0.1)}, False),
        ("file", {"mask": torch.ones(1, 4, 2)}, False),
        ("off", {"std": torch.zeros(4, 2, 4)}, True),
        ("off", {"std": torch.full((4, 2, 4), -0.1)}, False),
        ("off", {"mean": torch.ones(3, 2, 4)}, False),
        ("off", {"mean": torch.ones(4, 2, 4, dtype=torch.float16)}, False),
    ],
)
def test_what_is_kept_of_a_picture_has_its_size_and_weights_of_mean_one(masks, tensors, fits):
    dataset = SimpleNamespace(samples=[SimpleNamespace(subset=SimpleNamespace(masks=masks))])
    view = SimpleNamespace(sample=0, frame=SimpleNamespace(width_px=32, height_px=16))
    content = {"mean": torch.ones(4, 2, 4), "std": torch.ones(4, 2, 4), **tensors}
    form = latents._form(dataset, view)
    if fits:
        assert form.take(content).keys() == content.keys()
        return
    with pytest.raises(UnfitError):
        form.take(content)


@pytest.mark.parametrize(("spare", "moves"), [(0, True), (-10, False)])
def test_all_of_it_stays_on_a_device_where_it_takes_no_more_than_a_tenth_of_what_is_free(
    spare, moves, tmp_path, monkeypatch
):
    data = encode(shades(tmp_path, 3), FakeEncoder(), FakeProgress())
    # Mean and deviation of three pictures, [4, 2, 2] each, and four texts of [5, 12], in float32.
    assert data.size_bytes == 4 * (3 * 2 * 16 + 4 * 60)
    monkeypatch.setattr(latents, "free_bytes", lambda _: 10 * data.size_bytes + spare)
    data.keep_on_if_it_fits(torch.device("meta"))
    batch = data.batch([0, 1], 0)
    assert [batch.latents.device.type, batch.conditioning.text.device.type] == ["meta" if moves else "cpu"] * 2
    data.keep_on_if_it_fits(torch.device("cpu"))
    assert data.batch([0], 0).latents.device == batch.latents.device
