"""Pictures are read several at a time, in their order, and no more often than they change."""

from __future__ import annotations

import os
import shutil
import threading
import time
import warnings

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks.data import images, reading
from hypernetwork_workbench.hypernetworks.data.reading import LOOKED_AT_PX, ScanHooks
from hypernetwork_workbench.hypernetworks.data.remembered import Remembered
from hypernetwork_workbench.hypernetworks.data.scan import scan_pictures
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.data.survey.survey import SurveyRequest, survey
from hypernetwork_workbench.hypernetworks.data.survey.thumbnails import Thumbnails
from PIL import Image, ImageFile

from tests.support.fake_ports import FakeProgress

PICTURES = 24


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures of noise, half of them JPEG."""
    place = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0)
    for number in range(PICTURES):
        picture = Image.fromarray(noise.integers(0, 256, (768, 768, 3), dtype=np.uint8))
        picture.save(place / f"絵{number:02}.{'jpg' if number % 2 else 'png'}")
    return place


@pytest.fixture
def folder(pictures, tmp_path):
    """Return a copy of the pictures as it was written a while ago."""
    place = shutil.copytree(pictures, tmp_path / "絵")
    age(place)
    return place


def age(folder):
    for path in folder.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))


def scan(folder, hooks=None, **data):
    settings = DataSettings(folder=str(folder), **{"width": 64, "height": 64, **data})
    return scan_pictures(settings, "n", 0, hooks or ScanHooks())


def count_opened(monkeypatch):
    opened = []
    real = reading.open_raw
    monkeypatch.setattr(reading, "open_raw", lambda path, *given: opened.append(path.name) or real(path, *given))
    return opened


def test_the_order_is_that_of_the_names_whichever_is_read_first(folder, monkeypatch):
    real = reading.open_raw

    def slow(path, *given):
        time.sleep(0.02 * (path.name < "絵04"))
        return real(path, *given)

    monkeypatch.setattr(reading, "open_raw", slow)
    names = [sample.path.name for sample in scan(folder).samples]
    assert names == sorted(names)
    assert len(names) == PICTURES


def test_two_pictures_are_open_at_a_time_and_pillows_switches_are_put_back(folder, monkeypatch):
    together = threading.Barrier(2, timeout=300)
    real = reading.open_raw

    def open_together(path, *given):
        if path.name < "絵02":
            together.wait()
        return real(path, *given)

    monkeypatch.setattr(reading.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(reading, "open_raw", open_together)
    before = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS, warnings.filters[:]
    assert len(scan(folder).samples) == PICTURES
    assert (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS, warnings.filters[:]) == before


def test_large_pictures_are_in_memory_one_at_a_time(folder, monkeypatch):
    monkeypatch.setattr(images, "_LARGE_PX", 1000 * 1000)
    inside, most = [], []
    real = images._converted

    def watched(picture):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)
        inside.pop()
        return real(picture)

    monkeypatch.setattr(images, "_converted", watched)
    scan(folder)
    assert max(most) == 1


def test_a_broken_picture_among_others_is_left_out_alone(folder):
    data = (folder / "絵01.jpg").read_bytes()
    (folder / "絵01.jpg").write_bytes(data[: len(data) // 2])
    found = scan(folder)
    assert [one.path.name for one in found.left_out] == ["絵01.jpg"]
    assert len(found.samples) == PICTURES - 1


@pytest.mark.parametrize("size", [(1500, 900), (1282, 1281), (1281, 1282), (1280, 1280), (90, 60)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_that_is_only_looked_at_has_the_size_of_its_file_upright(tmp_path, size, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size, "#847").save(tmp_path / "a.jpg", exif=exif)
    looked_at = images.open_raw(tmp_path / "a.jpg", LOOKED_AT_PX)
    whole = images.open_raw(tmp_path / "a.jpg")
    assert images.original_size(looked_at) == images.original_size(whole) == whole.size
    assert min(looked_at.size) >= min(LOOKED_AT_PX, *size)


def test_masks_and_subjects_are_looked_for_once(folder, monkeypatch):
    Image.new("L", (768, 768), 200).save(folder / "絵00-mask.png")
    age(folder)
    opened, remembered = count_opened(monkeypatch), Remembered()
    masks = []
    real = reading.read_mask
    monkeypatch.setattr(reading, "read_mask", lambda path: masks.append(path.name) or real(path))
    known = {}
    hooks = ScanHooks(
        known, lambda picture, size: (0.25, 0.5), lambda d, p: known.update({d: p.size}), None, remembered
    )
    first = scan(folder, hooks, crop="subject", masks="file", height=32)
    seen = len(opened)
    assert seen == 2 * PICTURES
    assert scan(folder, hooks, crop="subject", masks="file", height=32) == first
    assert (len(opened), masks) == (seen, ["絵00-mask.png"])


def test_a_second_look_takes_a_small_part_of_the_first(folder):
    thumbnails = Thumbnails()
    request = SurveyRequest(DataSettings(folder=str(folder), width=64, height=64))
    spent = []
    for _ in range(2):
        started = time.process_time()
        survey(request, thumbnails, FakeProgress())
        spent.append(time.process_time() - started)
    assert spent[1] < spent[0] / 4


def test_a_first_look_costs_little_more_than_to_decode_the_pictures(folder):
    started = time.process_time()
    for path in sorted(folder.glob("*")):
        Image.open(path).convert("RGB")
    decoding = time.process_time() - started
    started = time.process_time()
    survey(SurveyRequest(DataSettings(folder=str(folder), width=64, height=64)), Thumbnails(), FakeProgress())
    assert time.process_time() - started < 4 * decoding
