"""Framing: buckets, kept sizes and squares over any sizes."""

from dataclasses import replace

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError
from hypernetwork_workbench.hypernetworks.data import subject
from hypernetwork_workbench.hypernetworks.data.buckets import (
    BUCKETS,
    KEEP,
    SQUARE,
    Framing,
    frame,
    frame_size,
    lost_share,
)
from hypernetwork_workbench.hypernetworks.data.images import framed
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tests.support.fake_ports import fake_ports

SIDES = st.integers(16, 5000)
STEPS = st.sampled_from([8, 16, 32, 64])


def trims(found, picture):
    """Pixels cut away in width and height, after scaling."""
    left, _, right, _ = found.box
    scale = found.width_px / (right - left)
    return picture[0] * scale - found.width_px, picture[1] * scale - found.height_px


@given(width=SIDES, height=SIDES, step=STEPS, side=st.sampled_from([256, 320, 512, 768]), upscale=st.booleans())
def test_a_bucket_keeps_to_budget_limits_and_ratio(width, height, step, side, upscale):
    framing = Framing(BUCKETS, side, side, step, 128, 1024, upscale)
    try:
        found = frame(framing, (width, height))
    except DatasetError:
        assert not upscale
        assert min(width, height) < 128  # the only pictures without a bucket are those below the smallest side
        return
    size = found.width_px, found.height_px
    assert size[0] * size[1] <= side * side
    assert all(length % step == 0 and 128 <= length <= 1024 for length in size)
    left, top, right, bottom = found.box
    assert -1e-6 <= left < right <= width + 1e-6
    assert -1e-6 <= top < bottom <= height + 1e-6
    assert (right - left) / (bottom - top) == pytest.approx(size[0] / size[1], rel=1e-6)  # nothing is squeezed
    if not upscale:
        assert size[0] <= right - left + 1e-6
    # Where the ideal size of this ratio lies within the limits, less than a step is trimmed.
    area = min(side * side, width * height) if not upscale else side * side
    ideal = (area * width / height) ** 0.5, (area * height / width) ** 0.5
    if all(length // step * step >= 128 + step and length <= 1024 for length in ideal):
        assert all(trim < step + 1e-6 for trim in trims(found, (width, height)))


@pytest.mark.parametrize(
    ("step", "picture", "bucket", "trimmed"),
    [
        # 1024 high it is 226.2 wide; 256 x 1024 would use more of the budget, and lose 174 of 1494 rows.
        (16, (330, 1494), (224, 1024), 330 * 1024 / 1494 - 224),
        # 576 wide it is 65.5 high; 1024 x 256 would lose more than half.
        (64, (2348, 267), (576, 64), 267 * 576 / 2348 - 64),
    ],
)
def test_a_long_picture_is_trimmed_by_less_than_a_step(step, picture, bucket, trimmed):
    found = frame(Framing(BUCKETS, 512, 512, step, 64, 1024, upscale=True), picture)
    assert (found.width_px, found.height_px) == bucket
    assert max(trims(found, picture)) == pytest.approx(trimmed)


@given(width=SIDES, height=SIDES, step=st.sampled_from([16, 64]), side=st.sampled_from([256, 512]))
@example(width=330, height=1494, step=16, side=512)
def test_where_a_bucket_trims_less_than_a_step_one_such_is_taken(width, height, step, side):
    picture = width, height
    sizes = [
        (across, down)
        for across in range(64, 1025, step)
        for down in range(64, 1025, step)
        if across * down <= side * side
    ]
    scales = [max(size[0] / width, size[1] / height) for size in sizes]
    least = min(
        max(width * scale - size[0], height * scale - size[1]) for size, scale in zip(sizes, scales, strict=True)
    )
    found = frame(Framing(BUCKETS, side, side, step, 64, 1024, upscale=True), picture)
    if least < step - 1e-6:
        assert max(trims(found, picture)) < step + 1e-6


@given(width=st.integers(256, 5000), height=st.integers(256, 5000))
def test_a_bucket_loses_little_and_leaves_little_unused(width, height):
    if not 0.5 <= width / height <= 2:
        return
    found = frame(Framing(BUCKETS, 512, 512, 64, 256, 1024, upscale=True), (width, height))
    assert lost_share(found, (width, height)) < 0.2
    assert found.width_px * found.height_px >= 0.7 * 512 * 512


@pytest.mark.parametrize(
    ("picture", "bucket"),
    [((512, 512), (512, 512)), ((1536, 1024), (576, 384)), ((640, 384), (640, 384)), ((300, 300), (256, 256))],
)
def test_pictures_of_a_bucket_s_ratio_are_kept_whole(picture, bucket):
    found = frame(Framing(BUCKETS, 512, 512, 64, 64, 1024), picture)
    assert (found.width_px, found.height_px) == bucket
    assert lost_share(found, picture) == pytest.approx(0, abs=1e-9)


def test_a_picture_of_extreme_ratio_is_cropped_to_the_nearest_bucket():
    found = frame(Framing(BUCKETS, 512, 512, 64, 256, 1024), (4000, 400))
    assert (found.width_px, found.height_px) == (1024, 256)
    assert lost_share(found, (4000, 400)) == pytest.approx(0.6)


@given(width=SIDES, height=SIDES, side=st.sampled_from([64, 512, 768]), upscale=st.booleans())
@example(width=838, height=309, side=512, upscale=False)
def test_kept_sizes_are_multiples_of_8_with_the_same_ratio(width, height, side, upscale):
    framing = Framing(KEEP, side, side, upscale=upscale)
    try:
        found = frame(framing, (width, height))
    except DatasetError:
        assert min(width, height) * min(1, side / max(width, height)) < 16
        return
    size = found.width_px, found.height_px
    assert all(length % 8 == 0 and 0 < length <= side for length in size)
    if not upscale:
        assert size[0] <= width + 8
        assert size[1] <= height + 8
    if found.box == (0, 0, width, height):
        assert abs(size[0] * height / (size[1] * width) - 1) < 0.01
    else:
        assert all(trim < 8 + 1e-6 for trim in trims(found, (width, height)))


@given(width=st.integers(600, 5000), height=st.integers(600, 5000))
def test_common_pictures_are_kept_without_any_crop(width, height):
    if not 0.4 < width / height < 2.5:
        return
    assert frame(Framing(KEEP, 512, 512), (width, height)).box == (0, 0, width, height)


def test_a_picture_too_small_is_refused_unless_it_may_grow():
    with pytest.raises(DatasetError, match="40 x 30 pixels are too small for buckets of 512 x 512; allow upscaling"):
        frame(Framing(BUCKETS, 512, 512), (40, 30))
    assert frame_size(Framing(BUCKETS, 512, 512, upscale=True), (40, 30)) == (576, 448)


def test_the_crop_follows_its_centre_within_the_picture():
    framing = Framing(SQUARE, 64, 64)
    assert frame(framing, (200, 100)).box == (50, 0, 150, 100)
    assert frame(framing, (200, 100), (0.4, 0.9)).box == (30, 0, 130, 100)
    assert frame(framing, (200, 100), (0.0, 0.5)).box == (0, 0, 100, 100)
    assert frame(framing, (200, 100), (1.0, 0.5)).box == (100, 0, 200, 100)


@pytest.mark.parametrize(("x", "y"), [(40, 30), (40, 170), (260, 30), (260, 170)])
def test_the_subject_is_where_the_picture_stands_out(x, y):
    picture = Image.effect_noise((300, 200), 4).convert("RGB")
    ImageDraw.Draw(picture).ellipse((x - 20, y - 20, x + 20, y + 20), fill="red", outline="black")
    found = subject.subject_centre(picture)
    assert found == (pytest.approx(x / 300, abs=0.12), pytest.approx(y / 200, abs=0.12))


def test_a_picture_of_one_colour_has_its_subject_in_the_middle():
    assert subject.subject_centre(Image.new("RGB", (64, 64))) == pytest.approx((0.5, 0.5), abs=0.05)


def test_the_largest_face_is_the_subject_where_opencv_finds_one(monkeypatch):
    class Detector:
        def detectMultiScale(self, grey, **options):  # noqa: N802
            assert grey.shape == (256, 512)
            return [(0, 0, 20, 20), (400, 100, 60, 60)]

    monkeypatch.setattr(subject, "_face_detector", Detector)
    assert subject.subject_centre(Image.new("RGB", (1024, 512))) == pytest.approx((430 / 512, 130 / 256))


def test_the_hosts_own_way_to_find_a_subject_goes_first(tmp_path):
    Image.new("RGB", (300, 100), "white").save(tmp_path / "a.png")
    settings = DataSettings(folder=str(tmp_path), width=64, height=64, framing="square", crop="subject")
    asked = []

    def boxes(answer):
        def find(picture, size):
            asked.append((picture.mode, picture.size, size))
            return answer

        ports = replace(fake_ports(tmp_path), find_subject=find)
        return read_dataset(settings, "n", ports=ports).samples[0].frames[0].box

    assert boxes((0.9, 0.5)) == (200, 0, 300, 100)
    assert boxes(None) == (100, 0, 200, 100)  # nothing found: the middle, as all is of one colour
    assert asked == [("RGB", (300, 100), (64, 64))] * 2


def test_a_frame_scales_only_its_part():
    picture = Image.new("RGB", (200, 100), "red")
    picture.paste("blue", (0, 0, 100, 100))
    right = framed(picture, frame(Framing(SQUARE, 16, 16), picture.size, (1.0, 0.5)))
    assert right.size == (16, 16)
    assert right.getpixel((8, 8)) == (255, 0, 0)
