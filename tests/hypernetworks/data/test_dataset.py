"""Pictures, captions and batches."""

from itertools import islice

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError
from hypernetwork_workbench.hypernetworks.data import images
from hypernetwork_workbench.hypernetworks.data.batches import BatchKind, epoch_batches, step_batches, steps_per_epoch
from hypernetwork_workbench.hypernetworks.data.buckets import SQUARE, Framing, frame
from hypernetwork_workbench.hypernetworks.data.captions import CaptionRules, read_caption
from hypernetwork_workbench.hypernetworks.data.dataset import held_out_count
from hypernetwork_workbench.hypernetworks.data.found import LeftOut
from hypernetwork_workbench.hypernetworks.data.images import framed, open_picture, to_tensor
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.subsets import Subset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image


def test_a_caption_is_the_text_beside_the_picture(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffa red circle,\r\n on white \n".encode())
    assert read_caption(tmp_path / "a.png") == "a red circle, on white"


@pytest.mark.parametrize(
    ("stem", "caption"), [("0001-a_red_circle", "a red circle"), ("blue star", "blue star"), ("赤い丸", "赤い丸")]
)
def test_without_a_text_the_words_of_the_file_name_serve(tmp_path, stem, caption):
    assert read_caption(tmp_path / f"{stem}.png") == caption


def test_a_template_takes_caption_and_name():
    rules = CaptionRules(templates=("[name], [filewords] at night",), name="ink")
    assert rules.plain("a house") == "ink, a house at night"


def save(picture, path, **options):
    picture.save(path, **options)
    return open_picture(path)


def test_transparent_parts_become_white_in_every_mode_that_has_them(tmp_path):
    clear = Image.new("RGBA", (4, 4), (200, 0, 0, 0))
    assert save(clear, tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)
    grey = Image.new("LA", (4, 4), (10, 0))
    assert save(grey, tmp_path / "b.png").getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 90, 0, 0])
    assert save(palette, tmp_path / "c.png", transparency=1).getpixel((0, 0)) == (255, 255, 255)
    assert save(palette, tmp_path / "d.png").getpixel((0, 0)) == (90, 0, 0)


def test_grey_of_16_bits_keeps_its_brightness(tmp_path):
    deep = Image.fromarray(np.full((4, 4), 32768, dtype=np.uint16))
    assert save(deep, tmp_path / "a.png").getpixel((0, 0)) == (128, 128, 128)


def test_pictures_are_turned_upright(tmp_path):
    picture = Image.new("RGB", (8, 4))
    exif = picture.getexif()
    exif[0x0112] = 6
    assert save(picture, tmp_path / "a.jpg", exif=exif).size == (4, 8)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", "cut"])
def test_an_unreadable_picture_is_named(tmp_path, content):
    path = tmp_path / "bad.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:300] if content == "cut" else content)
    with pytest.raises(DatasetError, match=r"^bad\.png: the picture cannot be read"):
        open_picture(path)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PX", 100)
    Image.new("RGB", (12, 12)).save(tmp_path / "bomb.png")
    with pytest.raises(DatasetError, match=r"^bomb\.png"):
        open_picture(tmp_path / "bomb.png")


def test_framing_keeps_the_ratio_and_the_centre():
    picture = Image.new("RGB", (200, 100), "white")
    picture.paste("red", (90, 40, 110, 60))
    square = framed(picture, frame(Framing(SQUARE, 64, 64), picture.size))
    red = np.argwhere(np.asarray(square)[..., 1] < 128)
    assert square.size == (64, 64)
    assert red.mean(0) == pytest.approx([31.5, 31.5], abs=0.5)
    assert np.ptp(red, axis=0).tolist() == pytest.approx([12, 12], abs=1)


def test_tensors_span_minus_one_to_one():
    tensor = to_tensor(Image.new("RGB", (8, 16), (0, 255, 127)))
    assert tensor.shape == (3, 16, 8)
    assert (tensor[0].max(), tensor[1].min()) == (-1, 1)


def test_a_dataset_is_read_in_order_with_its_sub_folders(tmp_path):
    (tmp_path / "more").mkdir()
    for name in ("b.png", "a.JPG", "more/c.webp", "notes.md"):
        if not name.endswith("md"):
            Image.new("RGB", (8, 8)).save(tmp_path / name, format={"G": "JPEG"}.get(name[-1]))
    dataset = read_dataset(DataSettings(folder=str(tmp_path), width=16, height=8, template="[name] [filewords]"), "n")
    assert [sample.caption for sample in dataset.samples] == ["n a", "n b", "n c"]
    assert set(dataset.kinds) == {BatchKind(16, 8, 1)}


KINDS = st.lists(
    st.builds(BatchKind, st.sampled_from([8, 16]), st.sampled_from([8, 16]), st.sampled_from([1, 3])), min_size=1
)
SEEDS = st.integers(0, 2**63 - 1)


@given(kinds=KINDS, seed=SEEDS, epoch=st.integers(0, 9))
def test_every_picture_once_per_epoch_and_one_size_per_batch(kinds, seed, epoch):
    batches = epoch_batches(kinds, seed, epoch)
    assert sorted(index for batch in batches for index in batch) == list(range(len(kinds)))
    for batch in batches:
        assert len({kinds[index] for index in batch}) == 1
    for kind in set(kinds):
        small = [batch for batch in batches if kinds[batch[0]] == kind and len(batch) < kind.batch_size]
        assert len(small) <= 1  # leftovers go together
    assert batches == epoch_batches(kinds, seed, epoch)


def test_every_epoch_has_an_order_of_its_own():
    kinds = [BatchKind(8, 8, 2)] * 20 + [BatchKind(16, 8, 2)] * 20
    orders = {str(epoch_batches(kinds, seed, epoch)) for seed in range(3) for epoch in range(5)}
    assert len(orders) == 15
    first = epoch_batches(kinds, 0, 0)
    sizes = [kinds[batch[0]].width_px for batch in first]
    assert sizes not in (sorted(sizes), sorted(sizes, reverse=True))  # sizes take turns


@given(kinds=KINDS, accumulation=st.integers(1, 5))
def test_the_batches_of_a_step_never_cross_an_epoch_and_drop_nothing(kinds, accumulation):
    seen: list[int] = []
    steps = 0
    for step, epoch, micro_batches in step_batches(kinds, accumulation, seed=1):
        if epoch:
            break
        assert step == steps
        assert 1 <= len(micro_batches) <= accumulation
        seen += [index for batch in micro_batches for index in batch]
        steps += 1
    assert sorted(seen) == list(range(len(kinds)))
    assert steps == steps_per_epoch(kinds, accumulation)


@given(kinds=KINDS, accumulation=st.integers(1, 5), seed=SEEDS, start=st.integers(0, 40))
def test_batches_from_a_step_on_are_those_of_the_whole_run(kinds, accumulation, seed, start):
    whole = list(islice(step_batches(kinds, accumulation, seed), start + 5))
    assert list(islice(step_batches(kinds, accumulation, seed, start), 5)) == whole[start:]


@given(pictures=st.integers(0, 200), share=st.floats(0, 0.5))
def test_a_share_holds_out_some_of_two_or_more_and_never_all(pictures, share):
    held_out = held_out_count(pictures, share)
    assert bool(held_out) == bool(share and pictures > 1)
    assert 0 <= held_out < max(pictures, 1)
    assert not share or held_out == pytest.approx(share * pictures, abs=1)


def test_a_folder_of_which_nothing_is_said_is_shown_once_as_it_is(tmp_path):
    subset = Subset(tmp_path, Framing(SQUARE, 64, 64), CaptionRules())
    assert (subset.repeats, subset.weight, subset.batch_size, subset.is_deep) == (1, 1.0, 1, True)
    assert (subset.is_flipped, subset.is_listed, subset.is_regularisation) == (False, False, False)
    assert not LeftOut(tmp_path / "a.png", "a.png: it is broken", subset).is_too_small
    assert (subset.crop, subset.background, subset.masks, subset.skipped_area_px) == ("centre", "white", "off", 0)


def test_the_seed_of_a_dataset_is_that_of_the_run_and_0_without_one(tmp_path):
    save(Image.new("RGB", (16, 16)), tmp_path / "a.png")
    settings = DataSettings(folder=str(tmp_path))
    assert [read_dataset(settings, "n").seed, read_dataset(settings, "n", 7).seed] == [0, 7]
