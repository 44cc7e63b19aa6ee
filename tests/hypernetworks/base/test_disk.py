"""What is on a disk: links, pipes, loops, and what programs leave behind."""

import os
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base import disk
from hypernetwork_workbench.hypernetworks.base.disk import UnfitFileError, is_left_behind, open_regular, walk

posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes need rights elsewhere")


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12")


def names(folder: Path, **how) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in walk(folder, **how).files]


@posix
def test_a_link_is_opened_whatever_way_it_takes(tmp_path):
    fill(tmp_path, "drive/real.pt", "models/near.pt")
    (tmp_path / "drive" / "second").symlink_to("real.pt")
    (tmp_path / "models" / "far.pt").symlink_to(tmp_path / "drive" / "second")
    (tmp_path / "models" / "beside.pt").symlink_to("near.pt")
    for name in ("far.pt", "beside.pt", "near.pt"):
        with open_regular(tmp_path / "models" / name) as file:
            assert file.read() == b"12"


@posix
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("nowhere", "it is a link to nowhere, where there is no file"),
        ("x.pt", "it is a link to x.pt, which leads back to itself"),
        ("/dev/null", "it is a link to /dev/null, which is not a regular file"),
        ("pipe", "it is a link to pipe, which is not a regular file"),
        (".", "it is a link to ., which is a folder"),
        ("file/below", "it is a link to file/below, which cannot be read (Not a directory)"),
        ("two\nlines", "it is a link to two\ufffdlines, where there is no file"),
    ],
)
def test_a_link_that_leads_to_no_file_is_named(tmp_path, target, reason):
    fill(tmp_path, "file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "x.pt").symlink_to(target)
    with pytest.raises(UnfitFileError) as caught:
        open_regular(tmp_path / "x.pt")
    assert caught.value.strerror == reason


@posix
def test_what_is_put_in_place_of_a_file_after_it_was_looked_at_is_not_read(tmp_path, monkeypatch):
    fill(tmp_path, "x.pt")
    os.mkfifo(tmp_path / "pipe")
    real = os.open

    def swap(path, *arguments):
        path.unlink()
        path.symlink_to("pipe")
        return real(path, *arguments)

    monkeypatch.setattr(disk.os, "open", swap)
    with pytest.raises(UnfitFileError, match="it is a link to pipe, which is not a regular file"):
        open_regular(tmp_path / "x.pt")


@posix
def test_links_to_folders_are_followed_and_each_folder_is_read_once(tmp_path):
    fill(tmp_path / "store", "far.pt")
    folder = tmp_path / "in"
    fill(folder, "z/own.pt", "near.pt")
    (folder / "a").symlink_to(folder / "z", target_is_directory=True)
    (folder / "linked").symlink_to(tmp_path / "store", target_is_directory=True)
    (folder / "z" / "loop").symlink_to(folder, target_is_directory=True)
    (tmp_path / "store" / "back").symlink_to(folder / "linked", target_is_directory=True)
    found = walk(folder)
    assert names(folder) == ["linked/far.pt", "near.pt", "z/own.pt"]
    assert list(found.remarks) == [
        "a leads to z, which is read already; what is in it counts once",
        "z/loop leads to the whole folder, which is read already; what is in it counts once",
        "linked/back leads to linked, which is read already; what is in it counts once",
    ]
    assert names(folder, is_deep=False) == ["near.pt"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    fill(tmp_path, "a.pt", "closed/b.pt", "open/c.pt")
    real = os.scandir

    def scandir(place):
        if place.name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(place)

    monkeypatch.setattr(disk.os, "scandir", scandir)
    assert walk(tmp_path).remarks == ("closed cannot be read (Permission denied)",)
    assert names(tmp_path) == ["a.pt", "open/c.pt"]
    with pytest.raises(PermissionError):
        walk(tmp_path / "closed")


LEFT_BEHIND = [
    *(".ipynb_checkpoints/a-checkpoint.png", ".thumbnails/a.png", "._a.png", ".DS_Store", ".git/a.png", ".a.png.swp"),
    *("__MACOSX/a.png", "@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg", "Thumbs.db", "THUMBS.DB", "desktop.ini", "Icon\r"),
    *("#recycle/a.png", "$RECYCLE.BIN/a.png", "lost+found/a.png", ".@__thumb/a.png", "a.png~", "~$a.png"),
]


def test_what_programs_leave_behind_is_passed_over(tmp_path):
    ours = ["a.png", "a~b.png", "recycle/b.png", "x/desktop.png"]
    fill(tmp_path, *LEFT_BEHIND, *ours)
    assert names(tmp_path) == ours
    hidden = tmp_path / ".cache"
    fill(hidden, "a.png")
    assert names(hidden) == ["a.png"]  # a folder that somebody names is what they mean
    assert not is_left_behind("a.b")


def test_a_walk_ends_at_its_limit(tmp_path):
    fill(tmp_path, *(f"{n}/{n}.pt" for n in range(20)))
    assert len(walk(tmp_path, most_files=5).files) < 20
    assert len(walk(tmp_path, most_files=50).files) == 20


def test_folders_named_like_a_copy_are_walked_and_the_copies_of_files_are_not(tmp_path):
    fill(tmp_path, "10_cat_original/a.png", "my_original", "a.jpg_original", "b.PNG_Original")
    assert names(tmp_path) == ["10_cat_original/a.png", "my_original"]


def test_a_walk_that_ends_early_says_so(tmp_path):
    fill(tmp_path, *(f"{number}/a.png" for number in range(10)))
    assert walk(tmp_path, most_files=30).is_whole
    assert not walk(tmp_path, most_files=10).is_whole
