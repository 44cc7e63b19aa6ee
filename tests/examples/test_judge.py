"""The judge: right on true pictures in every style, wrong on shuffled captions; the measures that rest on it."""

from __future__ import annotations

import numpy as np
import pytest
from hypernetwork_workbench.examples.shapes import captions, data, draw, judge, measures, night
from PIL import Image, ImageFilter

STYLES = (draw.PLAIN, draw.NIGHT_STYLE, *captions.PARTIAL_STYLES)
COUNT = 48


def _drawn(style: draw.Style, size: tuple[int, int] = (64, 64)) -> tuple[list[Image.Image], list[draw.Subject]]:
    drawn = data.draw_many(COUNT, style, 7, size)
    return data.to_pictures(data.as_input(drawn.pictures)), [subject for subject, _ in drawn.labels]


@pytest.mark.parametrize("style", STYLES)
def test_true_pictures_are_recognised(style: draw.Style) -> None:
    pictures, subjects = _drawn(style, (80, 64))
    assert measures.share_followed(pictures, [captions.caption(subject) for subject in subjects]) >= 0.98


@pytest.mark.parametrize("style", [draw.PLAIN, draw.NIGHT_STYLE])
def test_shuffled_captions_are_refused(style: draw.Style) -> None:
    pictures, subjects = _drawn(style)
    others: list[str] = []
    for subject in subjects:
        wrong = [one for one in captions.subjects() if (one.colour, one.shape) != (subject.colour, subject.shape)]
        others.append(captions.caption(wrong[len(others) * 7 % len(wrong)]))
    assert measures.share_followed(pictures, others) == 0


def test_blurred_pictures_are_still_recognised() -> None:
    pictures, subjects = _drawn(draw.PLAIN)
    blurred = [picture.filter(ImageFilter.GaussianBlur(1.5)) for picture in pictures]
    assert measures.share_followed(blurred, [captions.caption(subject) for subject in subjects]) >= 0.9


def test_empty_and_noisy_pictures_follow_nothing() -> None:
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(8)]
    for picture in [Image.new("RGB", (64, 64), (200, 0, 0)), *noise]:
        verdict = judge.judge(picture)
        assert verdict.colour is None or verdict.shape is None


def test_the_place_is_found() -> None:
    subject = draw.Subject("blue", "circle", "white")
    verdict = judge.judge(draw.draw(subject, draw.Placement(70, 20, 15, 0), (96, 64)))
    assert verdict.x == pytest.approx(70 / 96, abs=0.01)
    assert verdict.y == pytest.approx(20 / 64, abs=0.01)
    assert verdict.overlap > 0.9


def test_outlines_are_seen_and_nothing_else_is() -> None:
    contrast = {style: measures.outline_contrast(_drawn(style)[0]) for style in STYLES}
    for style, value in contrast.items():
        if style.outline:
            assert value > 0.15, style
        else:
            assert value < 0.03, style


def test_shapes_of_the_night_pictures_survive_the_centre_crop() -> None:
    for _, picture, caption in night.night_pictures():
        left, top = (picture.width - 64) // 2, (picture.height - 64) // 2
        assert judge.follows(picture.crop((left, top, left + 64, top + 64)), caption)


def test_the_distance_of_patches_is_that_of_flat_pictures() -> None:
    """The sum of a unit direction of so many numbers is nearly a normal one, whose mean distance from 0 is known."""
    flat = [[Image.new("RGB", (16, 16), (level,) * 3)] for level in (0, 51, 102)]
    one, two = (measures.patch_distance(flat[0], other) for other in flat[1:])
    assert measures.patch_distance(flat[1], flat[1]) == 0
    assert two == pytest.approx(2 * one)
    assert one == pytest.approx(0.2 * np.sqrt(2 / np.pi), rel=0.15)


def test_the_distance_of_patches_sees_texture_that_colours_do_not_tell() -> None:
    """Coarse dots and lines of the same two levels in the same shares have the same colours."""
    rows, columns = np.indices((64, 64)) // 8
    dots, lines = (rows + columns) % 2, rows % 2
    fine = np.indices((64, 64)).sum(axis=0) % 2
    pictures = [[Image.fromarray((one * 200).astype(np.uint8)).convert("RGB")] for one in (dots, lines, fine)]
    same = [Image.fromarray(np.roll(dots * 200, 3, axis=0).astype(np.uint8)).convert("RGB")]
    near = measures.patch_distance(pictures[0], same)
    assert measures.patch_distance(pictures[0], pictures[2]) > 10 * near
    assert measures.patch_distance(pictures[0], pictures[1]) > 2 * near
