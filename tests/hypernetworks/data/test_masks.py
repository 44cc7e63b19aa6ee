"""Masks: read, framed with their picture, and followed by the loss."""

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.data.buckets import SQUARE, Framing, frame
from hypernetwork_workbench.hypernetworks.data.encoding.latents import encode
from hypernetwork_workbench.hypernetworks.data.masks import mask_weights
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.loss import diffusion_loss
from hypernetwork_workbench.hypernetworks.train.noise import NoisyBatch
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings
from PIL import Image

from tests.support.fake_ports import FakeDenoiser, FakeEncoder, FakeProgress, fake_ports
from tests.support.runs import make_job, same, weights

SIZE = (64, 32)
FRAME = frame(Framing(SQUARE, 64, 32), SIZE)


def half(size=SIZE, left=255, right=0):
    mask = Image.new("L", size, right)
    mask.paste(left, (0, 0, size[0] // 2, size[1]))
    return mask


def test_weights_have_the_shape_of_the_latents_and_mean_1():
    found = mask_weights(half(), FRAME, SIZE)
    assert found.shape == (1, 4, 8)  # height before width
    assert found.mean().item() == pytest.approx(1)
    assert found[0, :, :4].min().item() == found[0, :, :4].max().item() == 2.0
    assert found[0, :, 4:].max().item() == 0.0


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_mask_that_is_the_same_all_over_says_nothing(value):
    assert mask_weights(Image.new("L", SIZE, value), FRAME, SIZE) is None


def test_a_mask_of_another_size_and_a_crop_go_with_the_picture():
    square = frame(Framing(SQUARE, 32, 32), SIZE, (1.0, 0.5))  # the right half
    mask = Image.new("L", (128, 64))
    mask.paste(255, (96, 0, 128, 64))  # the right quarter of the picture
    found = mask_weights(mask, square, SIZE)
    assert found[0].mean(0).tolist() == [0, 0, 2, 2]


def test_the_loss_counts_only_where_the_mask_is():
    denoiser = FakeDenoiser()
    noisy = torch.randn(2, 4, 4, 4)
    target = denoiser.predict(noisy, torch.tensor([1, 2]), Conditioning(torch.zeros(2, 5, 12))).clone()
    target[:, :, :, 2:] += 3
    left = torch.zeros(2, 1, 4, 4)
    left[..., :2] = 2

    def loss(weights_):
        batch = NoisyBatch(noisy, torch.tensor([1, 2]), Conditioning(torch.zeros(2, 5, 12)), target, weights_)
        return diffusion_loss(denoiser, batch, LossSettings()).item()

    assert loss(None) == pytest.approx(4.5)
    assert loss(torch.ones(2, 1, 4, 4)) == pytest.approx(4.5)
    assert loss(left) == 0
    assert loss(2 - left) == pytest.approx(9)


def painted(folder, other, alpha=False):
    """Three pictures whose left half is always the same and whose right half has the colour `other`."""
    folder.mkdir()
    for number in range(3):
        picture = Image.new("RGB", SIZE, other)
        picture.paste((60 * number, 200, 90), (0, 0, 32, 32))
        if alpha:
            picture.putalpha(half())
        else:
            half().save(folder / f"{number}-mask.png")
        picture.save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("kind", ["alpha", "file"])
def test_what_is_masked_does_not_change_what_is_learned(tmp_path, kind, caplog):
    changes = {"data__masks": kind, "data__width": 64, "data__background": "black", "output__sheet": False}
    folders = [painted(tmp_path / name, colour, kind == "alpha") for name, colour in (("a", "red"), ("b", "blue"))]
    with caplog.at_level("INFO"):
        masked = [train(make_job(f, **changes), fake_ports(f / "ports")) for f in folders]
    assert "Masks were read for 3 of 3 pictures" in caplog.text
    assert same(*(weights(result.network) for result in masked))
    changes["data__masks"] = "off"
    if kind == "file":
        plain = [train(make_job(f, **changes, output__name="plain"), fake_ports(f / "ports")) for f in folders]
        assert not same(*(weights(result.network) for result in plain))


def test_masks_are_no_pictures_and_missing_ones_are_counted(tmp_path, caplog):
    folder = painted(tmp_path / "a", "red")
    (folder / "1-mask.png").unlink()
    Image.new("L", SIZE, 255).save(folder / "2-mask.png")
    job = make_job(folder, data__masks="file", output__sheet=False)
    with caplog.at_level("INFO"):
        train(job, fake_ports(tmp_path))
    assert "Masks were read for 1 of 3 pictures" in caplog.text
    assert len(read_dataset(DataSettings(folder=str(folder)), "n")) == 3


def test_a_broken_mask_is_a_problem_of_its_picture(tmp_path, caplog):
    folder = painted(tmp_path / "a", "red")
    (folder / "1-mask.png").write_bytes(b"none")
    dataset = read_dataset(DataSettings(folder=str(folder), masks="file"), "n")
    assert len(dataset) == 2
    assert "Left out: 1-mask.png: the picture cannot be read" in caplog.text


def test_weights_of_pictures_scale_their_part_of_the_loss(pictures, tmp_path):
    once = train(make_job(pictures, train__max_steps=1, optimizer__name="SGD"), fake_ports(tmp_path / "a"))
    twice = train(
        make_job(pictures, train__max_steps=1, optimizer__name="SGD", data__weight=2), fake_ports(tmp_path / "b")
    )
    assert twice.loss_first == pytest.approx(2 * once.loss_first)


def test_a_mask_file_may_be_transparent(tmp_path):
    folder = painted(tmp_path / "a", "red")
    clear = Image.new("RGBA", SIZE, (255, 255, 255, 255))
    clear.putalpha(half())
    clear.save(folder / "0-mask.png")
    from hypernetwork_workbench.hypernetworks.data.masks import read_mask

    assert np.array_equal(np.asarray(read_mask(folder / "0-mask.png")), np.asarray(half()))


@pytest.mark.parametrize("ending", [".png", ".PNG", ".webp", ".tif"])
@pytest.mark.parametrize("picture", ["a.jfif", "a", "a.png"])
def test_a_mask_may_have_another_ending_and_so_may_its_picture(tmp_path, picture, ending):
    Image.new("RGB", SIZE).save(tmp_path / picture, "PNG")
    half().save(tmp_path / f"a-mask{ending}")
    (sample,) = read_dataset(DataSettings(folder=str(tmp_path), width=64, height=32, masks="file"), "n").samples
    assert sample.mask == tmp_path / f"a-mask{ending}"


@pytest.mark.parametrize("kind", ["alpha", "file"])
def test_a_mask_is_mirrored_with_its_picture(tmp_path, kind):
    """White where the mask is: latents and weights must agree in both views."""
    picture = half().convert("RGB")
    if kind == "alpha":
        picture.putalpha(half())
    else:
        half().save(tmp_path / "a-mask.png")
    picture.save(tmp_path / "a.png")
    settings = DataSettings(folder=str(tmp_path), width=64, height=32, masks=kind, background="black", flip=True)
    data = encode(read_dataset(settings, "n"), FakeEncoder(), FakeProgress())
    seen = set()
    for epoch in range(20):
        batch = data.batch([0], epoch)
        white = batch.latents[0, 0].mean(0) > 0
        assert batch.weights[0, 0].mean(0).tolist() == [2.0 if one else 0.0 for one in white.tolist()]
        seen.add(tuple(white.tolist()))
    left, right = [True] * 4, [False] * 4
    assert seen == {(*left, *right), (*right, *left)}
