"""Caption files beside pictures: which one counts, and which ones are not used."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.data.captions import (
    CaptionSource,
    Neighbours,
    caption_origin,
    extensions,
    read_caption,
)
from hypernetwork_workbench.hypernetworks.data.reading import ScanHooks
from hypernetwork_workbench.hypernetworks.data.scan import scan_pictures
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from PIL import Image

NFD = unicodedata.normalize("NFD", "ガラス é")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "CASE").touch()
    if (tmp_path / "case").exists():
        pytest.skip("this disk does not tell the case of names")
    (tmp_path / "CASE").unlink()
    return tmp_path


def put(folder: Path, *names: str) -> None:
    for name in names:
        if name.lower().endswith((".png", ".jpg")):
            Image.new("RGB", (16, 16)).save(folder / name)
        else:
            (folder / name).write_text(f"from {name}", encoding="utf-8")


@pytest.mark.parametrize(
    ("picture", "caption"),
    [
        ("cat.png", "cat.txt"),
        ("cat.png", "cat.png.txt"),
        ("dog.jpg", "dog.TXT"),
        ("dog.jpg", "dog.Txt"),
        ("dog.JPG", "dog.jpg.txt"),
        ("fox.png", "fox.Caption"),
        ("fox.png", "fox.png.caption"),
        ("Owl.PNG", "owl.txt"),
        ("owl.png", "OWL.Png.TXT"),
        ("v1.5.png", "v1.5.txt"),
        ("v1.5.png", "V1.5.TXT"),
        (unicodedata.normalize("NFC", NFD) + ".png", NFD + ".txt"),
        (NFD + ".png", unicodedata.normalize("NFC", NFD) + ".TXT"),
        ("straße.png", "STRASSE.txt"),
        ("1girl, solo [a].png", "1GIRL, SOLO [A].txt"),
    ],
)
def test_a_caption_file_is_found_however_its_name_is_written(folder, picture, caption):
    put(folder, picture, caption, "another.png", "another.txt")
    assert read_caption(folder / picture) == f"from {caption}"
    scan = scan_pictures(DataSettings(folder=str(folder), width=16, height=16), "n", 0, ScanHooks())
    assert {sample.path.name: sample.written for sample in scan.samples}[picture] == f"from {caption}"
    assert scan.unused_captions == ()


@pytest.mark.parametrize(
    ("names", "first", "unused"),
    [
        (["cat.txt", "cat.png.txt"], "cat.txt", ["cat.png.txt"]),
        (["cat.caption", "cat.png.txt"], "cat.png.txt", ["cat.caption"]),
        (["cat.TXT", "cat.caption"], "cat.TXT", ["cat.caption"]),
        (["cat.txt", "CAT.txt", "cat.Txt"], "cat.txt", ["CAT.txt", "cat.Txt"]),
        (["cat.png.txt", "Cat.txt"], "cat.png.txt", ["Cat.txt"]),
    ],
)
def test_where_two_fit_the_order_is_fixed_and_the_other_is_said(folder, names, first, unused):
    put(folder, "cat.png", *names)
    scan = scan_pictures(DataSettings(folder=str(folder), width=16, height=16), "n", 0, ScanHooks())
    assert [sample.written for sample in scan.samples] == [f"from {first}"]
    assert [path.name for path in scan.unused_captions] == unused


@pytest.mark.parametrize(
    ("pictures", "captions"),
    [
        (["cat.png"], ["CAT.txt", "Cat.txt"]),
        (["cat.png"], ["cat.TXT", "cat.Txt"]),
        (["Cat.png", "cAt.png"], ["cat.txt"]),
        (["cat.png"], ["cat1.txt", "dog.txt"]),
        (["cat.png"], ["cat .txt"]),
    ],
)
def test_a_name_that_could_mean_another_is_not_used_and_said(folder, pictures, captions):
    put(folder, *pictures, *captions)
    scan = scan_pictures(DataSettings(folder=str(folder), width=16, height=16), "n", 0, ScanHooks())
    assert {sample.found.origin.kind for sample in scan.samples} == {"the words of its file name"}
    assert [path.name for path in scan.unused_captions] == sorted(captions)


def test_a_caption_in_another_case_goes_to_the_picture_of_its_own_case(folder):
    put(folder, "Cat.png", "cat.png", "cat.TXT")
    assert read_caption(folder / "cat.png") == "from cat.TXT"
    assert read_caption(folder / "Cat.png") == "Cat"


def test_pictures_of_one_name_share_a_caption_and_may_have_their_own(folder):
    put(folder, "cat.png", "cat.jpg", "cat.jpg.txt")
    assert read_caption(folder / "cat.jpg") == "from cat.jpg.txt"
    assert read_caption(folder / "cat.png") == "cat"
    put(folder, "cat.txt")
    assert read_caption(folder / "cat.png") == read_caption(folder / "cat.jpg") == "from cat.txt"


def test_folders_and_dot_files_are_no_captions(folder):
    put(folder, "cat.png", "._cat.txt")
    (folder / "cat.txt").mkdir()
    scan = scan_pictures(DataSettings(folder=str(folder), width=16, height=16), "n", 0, ScanHooks())
    assert scan.samples[0].written == "cat"
    assert scan.unused_captions == ()


def test_captions_of_pictures_that_are_left_out_or_in_the_metadata_are_told_from_others(folder):
    put(folder, "a.png", "a.txt", "b.png", "b.txt")
    (folder / "b.png").write_bytes(b"no picture")
    (folder / "meta.json").write_text('{"a": {"caption": "x"}}', encoding="utf-8")
    settings = DataSettings(folder=str(folder), width=16, height=16, metadata_file=str(folder / "meta.json"))
    scan = scan_pictures(settings, "n", 0, ScanHooks())
    assert [path.name for path in scan.unused_captions] == ["a.txt"]


def test_a_folder_is_listed_once_for_all_its_pictures(folder, monkeypatch):
    import os

    put(folder, *(f"{number}.png" for number in range(9)))
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    neighbours = Neighbours([".txt"])
    for number in range(9):
        caption_origin(folder / f"{number}.png", CaptionSource(), neighbours)
    assert listed == [folder]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (".txt, caption", (".txt", ".caption")),
        ("txt，．caption、.tags", (".txt", ".caption", ".tags")),
        (".txt;.txt, .wd14.txt", (".txt", ".wd14.txt")),
        ("  ", ()),
    ],
)
def test_endings_are_read_as_people_type_them(text, found):
    assert extensions(text) == found
