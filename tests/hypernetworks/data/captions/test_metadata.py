"""kohya's metadata: which entry belongs to which picture."""

from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.data.captions.metadata import CaptionMetadata


@pytest.mark.parametrize(
    ("key", "picture"),
    [
        ("a.jfif", "a.jfif"),
        ("a.jfif", "a.png"),
        ("a.HEIC", "a"),
        ("x/a.dat", "a.dat"),
        ("v1.5 cat", "v1.5 cat"),
        ("v1.5 cat.png", "v1.5 cat.webp"),
        ("a", "a.tga"),
        (r"C:\in\a.psd", "a.psd"),
    ],
)
def test_an_entry_is_found_whatever_the_endings(key: str, picture: str):
    entry = {"caption": "a"}
    assert CaptionMetadata({key: entry, "other.dat": {}}).of(Path("/in", picture)) is entry


def test_pictures_that_differ_in_their_endings_alone_are_told_apart():
    metadata = CaptionMetadata({"a.png": {"caption": "1"}, "a.jpg": {"caption": "2"}, "b/a.gif": {"caption": "3"}})
    found = [metadata.of(Path("/in", name)) for name in ("a.png", "a.jpg", "b/a.gif", "a.webp")]
    assert [one and one["caption"] for one in found] == ["1", "2", "3", None]


def test_paths_of_hundreds_of_folders_take_no_more_than_their_ends():
    entries = {f"{number}/{'a/' * 2000}{number}.png": {"caption": str(number)} for number in range(20)}
    metadata = CaptionMetadata(entries)
    assert len(metadata) < 2000
    assert metadata.of(Path("/in/7.png")) == {"caption": "7"}
    assert metadata.of(Path(f"/in/{'a/' * 2000}7.png")) == {"caption": "7"}
