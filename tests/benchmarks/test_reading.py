"""What is read of pictures in styles that the demo model never saw: all true ones, and nothing that is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypernetwork_workbench.examples.shapes import captions, data, draw, measures, unseen
from hypernetwork_workbench.examples.shapes.palette import COLOURS, SHAPES
from PIL import Image, ImageFilter

from benchmarks import rates
from benchmarks.learning import reading
from benchmarks.learning.styles import NEON, PRINT
from benchmarks.training_cases import Case, loaded

UNSEEN = pytest.mark.parametrize("style", [unseen.PRINT, unseen.NEON], ids=lambda style: style.name)
SUBJECTS = captions.subjects()[::5]


def drawn(style, size=(64, 64), seed=5):
    rng = np.random.default_rng(seed)
    return [style.draw(one, draw.random_placement(rng, size), size) for one in SUBJECTS]


def share_followed(pictures, style, texts=None):
    texts = texts or [captions.caption(one) for one in SUBJECTS]
    followed = [reading.follows(*pair, style) for pair in zip(pictures, texts, strict=True)]
    return sum(followed) / len(followed)


@UNSEEN
@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 80)])
def test_every_subject_is_read(style, size):
    assert share_followed(drawn(style, size), style) >= 0.98


@UNSEEN
def test_the_place_is_found(style):
    picture = style.draw(draw.Subject("blue", "circle", "white"), draw.Placement(58, 24, 17, 0), (96, 64))
    found = reading.read(picture, style)
    assert (found.x, found.y) == pytest.approx((58, 24), abs=1)


@UNSEEN
def test_blurred_pictures_are_still_read(style):
    blurred = [picture.filter(ImageFilter.GaussianBlur(1.5)) for picture in drawn(style)]
    assert share_followed(blurred, style) >= 0.98


@pytest.mark.parametrize("style", [PRINT, NEON], ids=lambda style: style.name)
def test_what_the_autoencoder_gives_back_is_read_as_well(style, tmp_path):
    """32 subjects of which the demo model saw none, in every shape and colour."""
    true = style.fresh(1)[:32]
    with loaded(Case("demo", 64)) as running, torch.no_grad():
        levels = data.as_input(torch.stack([data.to_tensor(picture) for picture in true]))
        latents = rates.ports(tmp_path).encoder.encode_pictures(levels)
        given_back = data.to_pictures(running.model.decode_first_stage(latents))
    texts = [captions.caption(subject) for subject in captions.held_out() * 2]
    assert sum(style.follows(*pair) for pair in zip(given_back, texts, strict=True)) == len(texts)


@UNSEEN
def test_another_colour_or_shape_is_refused(style):
    for picture, subject in zip(drawn(style), SUBJECTS, strict=True):
        for other in (
            replace(subject, colour=after(COLOURS, subject.colour)),
            replace(subject, shape=after(SHAPES, subject.shape)),
        ):
            assert not reading.follows(picture, captions.caption(other), style)


def after(names, name):
    return list(names)[(list(names).index(name) + 1) % len(names)]


@UNSEEN
def test_a_picture_without_a_shape_or_with_its_pieces_alone_shows_nothing(style):
    rng = np.random.default_rng(3)
    empty = [Image.new("RGB", (64, 64), level) for level in (style.others[-1], *style.fills["red"])]
    noise = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(8)]
    for picture in (*empty, *noise):
        found = reading.read(picture, style)
        assert (found.colour, found.shape) == (None, None)
    pieces = [in_pieces(picture, rng) for picture in drawn(style)]
    assert sum(reading.read(picture, style).shape is not None for picture in pieces) <= 0.1 * len(pieces)


def in_pieces(picture, rng):
    tiles = np.asarray(picture).reshape(4, 16, 4, 16, 3).swapaxes(1, 2).reshape(16, 16, 16, 3)
    mixed = tiles[rng.permutation(16)].reshape(4, 4, 16, 16, 3).swapaxes(1, 2).reshape(64, 64, 3)
    return Image.fromarray(mixed)


@UNSEEN
def test_a_shape_in_no_colour_that_is_known_has_none(style):
    """Its levels are as far apart as before, but grey."""
    for picture in drawn(style)[:8]:
        found = reading.read(Image.merge("RGB", [picture.getchannel("G")] * 3), style)
        assert found.colour is None


@UNSEEN
def test_true_pictures_of_a_style_are_near_one_another_and_far_from_plain_ones(style):
    plain = data.to_pictures(data.as_input(data.draw_many(48, draw.PLAIN, 7, (64, 64)).pictures))
    near = measures.patch_distance(drawn(style), drawn(style, seed=6))
    assert measures.patch_distance(drawn(style), plain) > 10 * near
