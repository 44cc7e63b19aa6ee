"""The demo's pictures: drawn the same every time, with captions that fit, and committed as they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypernetwork_workbench.examples.shapes import captions, draw, night, palette
from PIL import Image

NIGHT_FOLDER = Path(__file__).resolve().parents[2] / "examples" / "night"
STYLES = (draw.PLAIN, draw.NIGHT_STYLE, *captions.PARTIAL_STYLES)


def _pictures(seed: int, style: draw.Style) -> list[bytes]:
    rng = np.random.default_rng(seed)
    return [draw.random_picture(rng, draw.random_subject(rng), (96, 64), style).tobytes() for _ in range(8)]


@pytest.mark.parametrize("style", STYLES)
def test_a_seed_fixes_the_pictures(style: draw.Style) -> None:
    assert _pictures(1, style) == _pictures(1, style)
    assert _pictures(1, style) != _pictures(2, style)


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 96), (40, 72), (256, 128)])
def test_shapes_stay_inside_pictures_of_any_size(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        placement = draw.random_placement(rng, size)
        for shape in palette.SHAPES:
            xs, ys = zip(*draw.corners(shape, placement), strict=True)
            assert 0 < min(xs) < max(xs) < size[0]
            assert 0 < min(ys) < max(ys) < size[1]


def test_a_picture_has_the_colours_it_was_asked_for() -> None:
    subject = draw.Subject("green", "circle", "beige")
    picture = draw.draw(subject, draw.Placement(40, 30, 18, 0), (80, 64))
    assert picture.size == (80, 64)
    assert picture.getpixel((40, 30)) == palette.COLOURS["green"]
    assert picture.getpixel((2, 2)) == palette.BACKGROUNDS["beige"]
    dark = draw.draw(subject, draw.Placement(40, 30, 18, 0), (80, 64), draw.Style(night=True))
    assert max(dark.getpixel((2, 2))) < min(palette.BACKGROUNDS["beige"])


def test_edges_are_smooth() -> None:
    subject = draw.Subject("black", "circle", "white")
    with pytest.raises(KeyError):
        draw.draw(subject, draw.Placement(32, 32, 20, 0), (64, 64))
    picture = draw.draw(draw.Subject("red", "circle", "white"), draw.Placement(32, 32, 20, 0), (64, 64))
    assert len(set(picture.getdata())) > 10


def test_each_part_of_the_style_changes_the_picture() -> None:
    subject, placement = draw.Subject("yellow", "star", "grey"), draw.Placement(32, 32, 20, 5)
    seen = {draw.draw(subject, placement, (64, 64), style).tobytes() for style in STYLES}
    assert len(seen) == len(STYLES)


def test_captions_name_the_subject_and_the_parts_of_the_style() -> None:
    subject = draw.Subject("orange", "square", "white")
    assert captions.caption(subject) == "an orange square on a white background"
    text = captions.caption(subject, draw.NIGHT_STYLE)
    assert text == "an orange square on a white background, with a thick outline, hatched, at night"
    assert captions.parse(text) == subject
    with pytest.raises(ValueError, match="caption"):
        captions.parse("an orange square")


def test_the_held_out_subjects_are_balanced_and_kept_apart() -> None:
    held_out, known = captions.held_out(), captions.for_training()
    assert len(set(held_out)) == captions.HELD_OUT_COUNT
    assert len({(subject.colour, subject.shape) for subject in held_out}) == captions.HELD_OUT_COUNT
    assert len(known) == len(captions.subjects()) - captions.HELD_OUT_COUNT
    assert not set(held_out) & set(known)
    assert draw.NIGHT_STYLE not in captions.PARTIAL_STYLES


def test_the_night_pictures_are_committed_as_they_are_drawn() -> None:
    names = set()
    for name, picture, caption in night.night_pictures():
        with Image.open(NIGHT_FOLDER / f"{name}.png") as stored:
            assert stored.mode == "RGB"
            assert stored.size == picture.size
            assert stored.tobytes() == picture.tobytes()
        assert (NIGHT_FOLDER / f"{name}.txt").read_text(encoding="utf-8") == caption + "\n"
        assert captions.parse(caption) in captions.for_training()
        names |= {f"{name}.png", f"{name}.txt"}
    assert {path.name for path in NIGHT_FOLDER.iterdir()} == names
    assert len(names) == 32
