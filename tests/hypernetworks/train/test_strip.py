"""The strip of previews: which moments of a long run it shows, what stands where, and how pictures are made to fit."""

import pytest
from hypernetwork_workbench.hypernetworks.train.tracking.strip import draw_strip, fitted
from PIL import Image

WHITE, RED, BLUE = (255, 255, 255), (255, 0, 0), (0, 0, 255)


def colour(moment, row):
    return (moment, 100 * row, 7)


@pytest.fixture
def moments(tmp_path):
    """Return a function that gives so many moments with two pictures each, of colours of their own."""

    def made(count):
        for moment in range(count):
            for row in range(2):
                Image.new("RGB", (4, 4), colour(moment, row)).save(tmp_path / f"{moment}-{row}.png")
        return [(10 * moment, [tmp_path / f"{moment}-{row}.png" for row in range(2)]) for moment in range(count)]

    return made


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (1, [0]),
        (3, [0, 1, 2]),
        (24, range(24)),
        (25, [*range(12), *range(13, 25)]),  # steps of 24/23: only half-way round, 11.48 and 12.52, is one left out
        (47, range(0, 47, 2)),  # steps of 46/23
    ],
)
def test_a_line_has_eight_moments_and_a_long_run_twenty_four_from_first_to_last(count, shown, moments):
    strip = draw_strip(moments(count))
    lines = -(-len(shown) // 8)
    assert strip.size == (192 * min(len(shown), 8), lines * (2 * 192 + 20))
    for number, moment in enumerate(shown):
        for row in range(2):
            left, top = number % 8 * 192, number // 8 * (2 * 192 + 20) + row * 192
            cell = strip.crop((left, top, left + 192, top + 192))
            assert cell.getcolors() == [(192 * 192, colour(moment, row))]


def test_the_step_stands_in_the_middle_below_its_pictures(moments):
    strip = draw_strip(moments(9))
    for number in range(9):
        left, top = number % 8 * 192, number // 8 * 404 + 384
        foot = strip.crop((left, top, left + 192, top + 20)).convert("L").point(lambda value: 255 - value)
        begin, above, end, below = foot.getbbox()
        assert (begin + end) / 2 == pytest.approx(96, abs=2)
        assert (above + below) / 2 == pytest.approx(10, abs=3)


def test_a_picture_is_in_the_middle_of_its_cell_and_keeps_its_shape():
    assert fitted(Image.new("RGB", (20, 10), RED), 100).crop((0, 25, 100, 75)).getcolors() == [(5000, RED)]
    assert fitted(Image.new("RGB", (20, 10), RED), 100).getcolors() == [(5000, WHITE), (5000, RED)]
    assert fitted(Image.new("RGB", (100, 400), RED), 100).crop((37, 0, 62, 100)).getcolors() == [(2500, RED)]
    assert fitted(Image.new("RGB", (1000, 1), RED), 10).getbbox() == (0, 0, 10, 10)
    assert fitted(Image.new("RGB", (1000, 1), RED), 10).crop((0, 4, 10, 5)).getcolors() == [(10, RED)]


def test_small_pictures_stay_sharp_and_large_ones_are_smoothed():
    two = Image.new("RGB", (2, 1), RED)
    two.putpixel((1, 0), BLUE)
    assert sorted(fitted(two, 2).getcolors()) == [(1, BLUE), (1, RED), (2, WHITE)]
    assert sorted(fitted(two, 10).getcolors()) == [(25, BLUE), (25, RED), (50, WHITE)]
    stripes = Image.new("RGB", (40, 40), RED)
    for column in range(1, 40, 2):
        stripes.paste(BLUE, (column, 0, column + 1, 40))
    assert not {RED, BLUE} & {found for _, found in fitted(stripes, 20).getcolors(9999)}
