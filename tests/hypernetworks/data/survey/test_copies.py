"""Copies: long pictures in parts and mirrored ones, never over a file."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, SettingsError
from hypernetwork_workbench.hypernetworks.data.captions.source import CLASS, FILE, METADATA, NAME, CaptionOrigin
from hypernetwork_workbench.hypernetworks.data.images import framed, open_picture
from hypernetwork_workbench.hypernetworks.data.survey import copies
from hypernetwork_workbench.hypernetworks.data.survey.copies import CopySettings, parts, plan_copies, write_copies
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.hypernetworks.data.survey.test_survey import Watcher, look

side = st.integers(8, 4000)


@given(st.tuples(side, side), st.tuples(st.integers(1, 64), st.integers(1, 64)), st.floats(0, 1), st.floats(0, 0.9))
def test_parts_cover_the_picture_overlap_enough_and_have_the_targets_ratio(size, eighths, threshold, overlap):
    target = (eighths[0] * 8, eighths[1] * 8)
    found = parts(size, target, threshold, overlap)
    for frame in found:
        left, top, right, bottom = frame.box
        assert 0 <= left < right <= size[0] + 1e-6
        assert 0 <= top < bottom <= size[1] + 1e-6
        assert math.isclose((right - left) * target[1], (bottom - top) * target[0], rel_tol=1e-6)
        assert frame.width_px <= max(1, math.ceil(right - left))
    if not found:
        return
    assert len(found) >= 2
    along = [(frame.box[1], frame.box[3]) if size[1] > size[0] else (frame.box[0], frame.box[2]) for frame in found]
    length = along[0][1] - along[0][0]
    assert along[0][0] == 0
    assert math.isclose(along[-1][1], max(size))
    assert all(one[1] - other[0] >= length * overlap - 1e-6 * max(size) for one, other in itertools.pairwise(along))


def test_parts_lie_as_the_webuis_preprocessing_laid_them():
    # 512 x 2000 for 512 x 512: ceil((2000 - 102.4) / 409.6) = 5 parts, 372 pixels apart
    frames = parts((512, 2000), (512, 512), 0.5, 0.2)
    assert [frame.box[1] for frame in frames] == [0, 372, 744, 1116, 1488]
    assert {(frame.width_px, frame.height_px) for frame in frames} == {(512, 512)}
    assert parts((512, 1000), (512, 512), 0.5, 0.2) == []


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "pictures"
    place.mkdir()
    tall = Image.new("RGB", (32, 96), "red")
    tall.paste("blue", (0, 0, 16, 96))
    tall.save(place / "tall.png")
    (place / "tall.txt").write_text("a tower", encoding="utf-8")
    Image.new("L", (32, 96), 200).save(place / "tall-mask.png")
    Image.new("RGB", (40, 40), "green").save(place / "small_house.jpg")
    return place


def test_a_new_folder_gets_the_whole_dataset(folder, tmp_path):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    new = tmp_path / "new" / "set"
    settings = CopySettings(target=str(new), mirror=True, overlap=0.0)
    assert write_copies(plan_copies(look(folder), settings), Watcher()) == 8
    assert sorted(path.name for path in new.iterdir()) == sorted(
        ["small_house.jpg", "small_house-mirrored.png", "small_house-mirrored.txt"]
        + [
            f"tall-part-{number}{copy}{end}"
            for number in (1, 2, 3)
            for copy in ("", "-mirrored")
            for end in (".png", ".txt", "-mask.png")
        ]
    )
    assert (new / "small_house.jpg").read_bytes() == before["small_house.jpg"]
    part, mirrored = (open_picture(new / f"tall-part-2{copy}.png") for copy in ("", "-mirrored"))
    assert part.size == (32, 32)
    assert list(ImageOps.mirror(part).getdata()) == list(mirrored.getdata())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    copied = {sample.path.name: sample.written for sample in look(new).samples}
    assert copied["tall-part-3-mirrored.png"] == "a tower"
    assert copied["small_house-mirrored.png"] == "small house"


@pytest.mark.parametrize("name", ["tall.txt", "tall.TXT", "tall.png.txt", "TALL.txt"])
def test_copies_of_a_caption_file_are_the_file_byte_for_byte(folder, tmp_path, name):
    (folder / "tall.txt").unlink()
    (folder / name).write_bytes("\ufeffred tower、夜\r\n blue,  tower\r\n".encode("utf-16-le"))
    new = tmp_path / "new"
    write_copies(plan_copies(look(folder), CopySettings(target=str(new), overlap=0.0)), Watcher())
    found = [path for path in new.iterdir() if path.suffix.lower() == ".txt"]
    assert sorted(path.stem for path in found) == ["tall-part-1", "tall-part-2", "tall-part-3"]
    assert {path.read_bytes() for path in found} == {(folder / name).read_bytes()}
    assert {sample.written for sample in look(new).samples} == {"red tower、夜 blue, tower", "small house"}


def test_beside_the_originals_nothing_is_written_over(folder):
    settings = CopySettings(overlap=0.0)
    write_copies(plan_copies(look(folder), settings), Watcher())
    held = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(held) == 4 + 3 * 3
    with pytest.raises(SettingsError, match=r"tall-part-1\.png exists already; name a new folder"):
        plan_copies(look(folder), settings)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == held


def test_after_a_failure_or_an_interrupt_nothing_is_left_behind(folder, tmp_path, monkeypatch):
    new = tmp_path / "new"
    planned = plan_copies(look(folder), CopySettings(target=str(new), overlap=0.0))
    with pytest.raises(DatasetError, match="stopped after 2 of 4 pictures; none of them was kept"):
        write_copies(planned, Watcher(stop_after=2))
    assert list(new.iterdir()) == []
    save = copies._save

    def failing(picture, path, written):
        if path.name == "tall-part-3.png":
            raise DatasetError("tall-part-3.png: cannot be written: the disk is full")
        save(picture, path, written)

    monkeypatch.setattr(copies, "_save", failing)
    with pytest.raises(DatasetError, match="the disk is full"):
        write_copies(planned, Watcher())
    assert list(new.iterdir()) == []


def test_what_cannot_be_done_names_the_field(folder, tmp_path):
    with pytest.raises(SettingsError, match="nothing to do"):
        CopySettings(split=False)
    with pytest.raises(SettingsError, match="no picture is that long"):
        plan_copies(look(folder), CopySettings(split_threshold=0.1, target=str(tmp_path / "new")))
    Image.new("RGB", (32, 90)).save(folder / "tall.jpg")
    with pytest.raises(SettingsError, match=r"two pictures would be written to tall-part-1\.png"):
        plan_copies(look(folder), CopySettings(target=str(tmp_path / "new")))


@pytest.mark.parametrize("inside", [".", "new", "deep/new", "../{name}/new"])
def test_a_new_folder_among_the_pictures_is_refused(folder, inside):
    """The pictures of a dataset are those of its folder and all folders in it."""
    before = sorted(folder.rglob("*"))
    target = folder / inside.format(name=folder.name)
    with pytest.raises(SettingsError, match=r"target: is in .* name another folder"):
        plan_copies(look(folder), CopySettings(target=str(target)))
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("kind", "of_a_file", "of_a_part"),
    [(METADATA, True, True), (FILE, True, True), (CLASS, True, True), (NAME, False, True)],
)
def test_only_a_whole_file_with_its_caption_in_its_name_needs_no_caption_file(kind, of_a_file, of_a_part, tmp_path):
    sample = SimpleNamespace(found=SimpleNamespace(origin=CaptionOrigin(kind, tmp_path / "a.txt")))
    copied = [copies.Copy(sample, tmp_path, "a", is_plain=is_plain) for is_plain in (True, False)]
    assert [one.is_captioned for one in copied] == [of_a_file, of_a_part]


@pytest.mark.parametrize(
    ("others", "sizes"),
    [("cropped", {"small_house": (24, 16), "tall": (24, 16)}), ("resized", {"small_house": (16, 16), "tall": (5, 16)})],
)
def test_other_pictures_are_cropped_as_the_form_says_or_scaled_to_fit(folder, tmp_path, others, sizes):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    settings = CopySettings(split=False, others=others, target=str(tmp_path / "new"))
    seen = look(folder, width=24, height=16, crop="subject")
    write_copies(plan_copies(seen, settings), Watcher())
    found = {path.stem: open_picture(path, "white") for path in (tmp_path / "new").glob("*.png")}
    assert {name: one.size for name, one in found.items() if "mask" not in name} == sizes
    assert found["tall-mask"].size == found["tall"].size
    assert (tmp_path / "new" / "tall.txt").read_text(encoding="utf-8") == "a tower"
    if others == "cropped":
        frame = seen.samples[1].frames[0]
        part = framed(open_picture(folder / "tall.png", "white"), frame)
        assert part.tobytes() == found["tall"].tobytes()
    write_copies(plan_copies(seen, CopySettings(split=False, others=others, mirror=True)), Watcher())
    assert {f"tall-{others}.png", f"tall-{others}-mirrored.png"} <= {path.name for path in folder.iterdir()}
    assert {name: (folder / name).read_bytes() for name in before} == before
