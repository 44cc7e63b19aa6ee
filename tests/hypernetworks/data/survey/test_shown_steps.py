"""What is shown of a step is what it trains: the same pictures, sides, texts and masks as the run's own batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks.data.batches import step_batches, steps_per_epoch
from hypernetwork_workbench.hypernetworks.data.encoding.latents import encode
from hypernetwork_workbench.hypernetworks.data.images import to_tensor
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.data.survey.shown_steps import draw, shown_steps
from PIL import Image

from tests.support.fake_ports import FakeEncoder, FakeProgress

SEED, STEPS = 5, 9


@pytest.fixture
def dataset(tmp_path):
    """Return a dataset in which everything is drawn: texts, sides, crops, and which captions are left out."""
    rng = np.random.default_rng(3)
    for number in range(5):
        size = (96, 64) if number % 2 else (64, 96)
        pixels = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(f"cat {number}, night, star, moon")
    Image.new("L", (64, 96), 255).save(tmp_path / "0-mask.png")
    with Image.open(tmp_path / "0-mask.png") as mask:
        mask.paste(0, (0, 0, 64, 48))
        mask.save(tmp_path / "0-mask.png")
    settings = DataSettings(
        str(tmp_path),
        64,
        64,
        2,
        framing="buckets",
        bucket_step=16,
        flip=True,
        crop="random",
        masks="file",
        shuffle_tags=True,
        tag_dropout=0.3,
        caption_dropout=0.4,
        repeats=2,
    )
    return read_dataset(settings, "", SEED)


def test_each_step_shows_what_the_run_trains(dataset):
    encoder = FakeEncoder()
    encoded = encode(dataset, encoder, FakeProgress())
    steps = list(shown_steps(dataset, 2, 1, STEPS))
    dealt = step_batches(dataset.kinds, 2, SEED)
    seen = []
    for shown in steps:
        step = next(dealt)
        assert (shown.step, shown.epoch) == (step.step + 1, step.epoch + 1)
        for items, batch in zip(step.micro_batches, shown.batches, strict=True):
            trained = encoded.batch(items, step.epoch)
            pictures = torch.stack([to_tensor(replace_mask(one)) for one in batch])
            assert torch.equal(trained.latents, encoder.encode_posterior(pictures)[0].float())
            texts = ["" if one.is_dropped else one.text for one in batch]
            wanted = encoder.encode_texts(texts)
            for row, text in zip(trained.conditioning.text, wanted, strict=True):
                assert torch.equal(row[: len(text.text)], text.text)
            seen += batch
    assert {one.view.is_flipped for one in seen} == {one.is_dropped for one in seen} == {True, False}
    assert len({one.text for one in seen}) > 5
    assert steps[-1].epoch > 1


def replace_mask(one):
    """Return the picture of a showing without its mask, as the encoder gets it."""
    sample = one.sample
    return one._replace(sample=replace(sample, mask=None)).picture()


def test_steps_can_begin_anywhere(dataset):
    assert list(shown_steps(dataset, 1, 4, 2)) == list(shown_steps(dataset, 1, 1, 5))[3:]


def test_a_mask_darkens_what_is_not_learned(dataset):
    masked = next(
        one for step in shown_steps(dataset, 1, 1, 9) for batch in step.batches for one in batch if one.sample.mask
    )
    plain, dark = np.asarray(replace_mask(masked), dtype=float), np.asarray(masked.picture(), dtype=float)
    # The crop is of 64 of 96 rows, and the upper 48 are black in the mask.
    assert dark[:8].mean() < 0.3 * plain[:8].mean()
    assert np.array_equal(dark[-8:], plain[-8:])


def test_the_lines_name_what_is_trained(dataset):
    lines = [line for step in shown_steps(dataset, 2, 1, 6) for line in step.lines()]
    said = "\n".join(lines)
    assert lines[0] == "Step 1, epoch 1: 4 pictures"
    assert " Batch 2" in lines
    for word in ("mirrored", "0-mask.png", "cut to", "(no caption this time)", "1.png", "night"):
        assert word in said
    one = next(iter(shown_steps(dataset, 1, 1, 1))).batches[0][0]
    frame = one.view.frame
    assert f"{frame.width_px} x {frame.height_px}, " in one.lines()[0]


def test_a_drawing_has_every_picture_at_its_size(dataset, tmp_path):
    step = next(iter(shown_steps(dataset, 2, 1, 1)))
    draw(step, tmp_path)
    with Image.open(tmp_path / "step-00001.png") as sheet:
        sheet.load()
    assert (tmp_path / "step-00001.txt").read_text(encoding="utf-8").splitlines() == step.lines()
    first = step.batches[0][0].picture()
    assert sheet.crop((8, 8, 8 + first.width, 8 + first.height)).tobytes() == first.tobytes()
    assert sheet.height == 8 + sum(8 + max(one.view.frame.height_px for one in batch) for batch in step.batches)


def test_sides_are_drawn_anew_in_each_epoch(dataset):
    per_epoch = steps_per_epoch(dataset.kinds, 1)
    sides: dict[int, list[tuple[str, bool]]] = {}
    for step in shown_steps(dataset, 1, 1, 3 * per_epoch):
        for batch in step.batches:
            sides.setdefault(step.epoch, []).extend((one.sample.path.name, one.view.is_flipped) for one in batch)
    drawn = [sorted(one) for one in sides.values()]
    assert len(drawn) == 3
    assert drawn[0] != drawn[1] != drawn[2]
