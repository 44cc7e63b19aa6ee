"""Links in datasets: folders are followed and read once, and nothing is trained twice without a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.data.reading import ScanHooks
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset, scan_pictures
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.jobs.train_entry import planned_rates
from PIL import Image

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")


def draw(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (len(name), 90, 200)).save(path, "PNG")
    return folder


def scan(folder: Path, **settings: object):
    data = DataSettings(**{"folder": str(folder), "width": 32, "height": 32, **settings})
    return scan_pictures(data, "n", 0, ScanHooks())


def names(found, folder: Path) -> list[str]:
    return [sample.path.relative_to(folder).as_posix() for sample in found.samples]


def test_linked_folders_and_pictures_are_trained_and_loops_end(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    store = draw(tmp_path / "drive", "a.png", "deep/b.png")
    folder = draw(tmp_path / "in", "own.png", "sub/c.png")
    (folder / "linked").symlink_to(store, target_is_directory=True)
    (folder / "again").symlink_to(folder / "sub", target_is_directory=True)
    (folder / "sub" / "up").symlink_to("..", target_is_directory=True)
    (store / "back").symlink_to(folder, target_is_directory=True)
    (folder / "one.png").symlink_to(store / "a.png")
    (folder / "gone.png").symlink_to(store / "gone.png")
    (folder / "round.jpg").symlink_to("round.jpg")
    (folder / "dir.png").symlink_to(store / "nowhere", target_is_directory=True)
    caplog.set_level("INFO")
    found = read_dataset(DataSettings(folder=str(folder), width=32, height=32), "n")
    assert names(found, folder) == ["linked/a.png", "linked/deep/b.png", "one.png", "own.png", "sub/c.png"]
    said = caplog.text
    assert "again leads to sub, which is read already; what is in it counts once" in said
    assert "sub/up leads to the whole folder" in said
    assert "linked/back leads to the whole folder" in said
    for name, reason in {"gone.png": "where there is no file", "round.jpg": "leads back to itself"}.items():
        assert f"Left out: {name}: the picture cannot be read (it is a link to" in said
        assert reason in said


@pytest.mark.parametrize(
    "second", ["5_link", "5_link/../10_cat", "a link elsewhere", "regularisation", "a folder above", "a folder below"]
)
def test_a_folder_that_is_there_twice_is_named(tmp_path: Path, second: str):
    folder = tmp_path / "in"
    cats = draw(folder / "10_cat", "a.png", "inner/b.png")
    settings: dict[str, object] = {"folder_repeats": True}
    if second == "5_link":
        (folder / second).symlink_to(cats, target_is_directory=True)
    elif second == "regularisation":
        settings["regularisation_folder"] = str(folder)
    else:
        (tmp_path / "other").symlink_to(cats, target_is_directory=True)
        above = {"a link elsewhere": tmp_path / "other", "a folder above": folder, "a folder below": cats / "inner"}
        settings["more_folders"] = str(above.get(second, cats))
    found = scan(folder, **settings)
    twice = [remark for remark in found.remarks if "is in the dataset twice" in remark]
    assert len(twice) == (1 if second == "a folder below" else 2)
    assert all("both are trained" in remark for remark in twice)


def test_a_folder_that_is_there_once_is_not_named(tmp_path: Path):
    folder = draw(tmp_path / "in", "10_cat/a.png", "5_dog/a.png", "0_later/b.png")
    (folder / "0_again").symlink_to(folder / "10_cat", target_is_directory=True)
    assert scan(folder, folder_repeats=True).remarks == ()


def test_what_programs_leave_behind_is_neither_trained_nor_named(tmp_path: Path):
    left = (".ipynb_checkpoints/a-checkpoint.png", ".thumbnails/a.png", "._a.png", "@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg")
    left += ("10_cat/.thumbnails/a.png", "__MACOSX/10_cat/._a.png", "10_cat/a.png.bak", "10_cat/a.jpg_original")
    left += ("10_cat/MVI_1.THM", "10_cat/a.png~")
    folder = draw(tmp_path / "in", "10_cat/a.png", *left)
    for repeats in (False, True):
        found = scan(folder, folder_repeats=repeats)
        assert names(found, folder) == ["10_cat/a.png"]
        uncounted = "the numbers in 10_cat are not counted as repeats; data.folder_repeats is off"
        assert (found.left_out, found.passed_over) == ((), ())
        assert found.remarks == (() if repeats else (uncounted,))


def test_the_form_counts_the_pictures_that_a_run_trains(tmp_path: Path):
    folder = draw(tmp_path / "in", "a.png", "b", "c.jfif", "c-mask.png", ".thumbnails/a.png", "sub/d.JPE")
    (folder / "again").symlink_to(folder / "sub", target_is_directory=True)
    (folder / "a.txt").write_text("a caption")
    schedule = {"kind": "cosine restarts", "cycle": "2 epochs"}
    data = {"folder": str(folder), "width": 32, "height": 32}
    assert len(scan(folder).samples) == 4
    assert planned_rates({"schedule": schedule, "train": {}, "data": data}).steps_per_epoch == 4


def test_a_caption_file_that_leads_nowhere_is_named_and_hides_no_other(tmp_path: Path):
    folder = draw(tmp_path / "in", "a.png", "b.png", "c.png")
    (folder / "a.txt").symlink_to(tmp_path / "gone.txt")
    (folder / "b.TXT").write_text("a cat")
    (folder / "c.txt").symlink_to("c.txt")
    (folder / "round").symlink_to("round")
    found = scan(folder)
    assert [(sample.path.name, sample.written) for sample in found.samples] == [("b.png", "a cat")]
    assert [one.sentence for one in found.left_out] == [
        f"a.txt: the caption cannot be read (it is a link to {tmp_path / 'gone.txt'}, where there is no file)",
        "c.txt: the caption cannot be read (it is a link to c.txt, which leads back to itself)",
    ]
