"""No network of a folder is hidden by another, and each has one name."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.files import listing
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def host_list(folder: Path) -> dict[str, str]:
    """Return the host's rule: the last of several files of one name wins."""
    found = sorted(folder.rglob("*.pt"), key=lambda path: str(path).lower())
    return {path.stem: str(path) for path in found if path.stem != "None"}


def complete(folder: Path) -> dict[str, str]:
    return {
        name: Path(path).relative_to(folder).as_posix()
        for name, path in listing.complete(host_list(folder), folder).items()
    }


def test_where_nothing_is_missing_the_hosts_list_stays_as_it_is(tmp_path: Path):
    fill(tmp_path, "b.pt", "A.pt", "styles/night.pt", "b.pt.optim", "b.preview.png", "None.pt", ".hidden.pt")
    found = host_list(tmp_path)
    found.pop(".hidden", None)
    assert listing.complete(found, tmp_path) == found
    assert list(listing.complete(found, tmp_path)) == list(found)


def test_safetensors_are_listed_by_their_name(tmp_path: Path):
    fill(tmp_path, "a.pt", "b.safetensors", "styles/c.safetensors", "None.safetensors")
    assert complete(tmp_path) == {"a": "a.pt", "b": "b.safetensors", "c": "styles/c.safetensors"}


def test_files_of_the_same_name_are_told_apart_by_their_path(tmp_path: Path):
    fill(tmp_path, "n.pt", "n.safetensors", "styles/n.pt", "styles/n.safetensors")
    assert complete(tmp_path) == {
        "n": "styles/n.pt",
        "n.pt": "n.pt",
        "n.safetensors": "n.safetensors",
        "styles/n.safetensors": "styles/n.safetensors",
    }


def test_two_safetensors_of_one_name_are_both_listed(tmp_path: Path):
    fill(tmp_path, "a/n.safetensors", "b/n.safetensors")
    assert complete(tmp_path) == {"n": "a/n.safetensors", "b/n.safetensors": "b/n.safetensors"}


def test_a_path_that_is_another_files_name_is_written_otherwise(tmp_path: Path):
    fill(tmp_path, "n.pt", "n.pt.pt", "z/n.pt")
    assert complete(tmp_path) == {"n": "z/n.pt", "n.pt": "n.pt.pt", "./n.pt": "n.pt"}


def test_networks_of_other_kinds_keep_their_place(tmp_path: Path):
    fill(tmp_path, "a.pt", "mix.hns")
    found = {**host_list(tmp_path), "mix": str(tmp_path / "mix.hns")}
    assert set(listing.complete(found, tmp_path)) == {"a", "mix"}


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_links_are_followed_and_a_link_back_up_ends(tmp_path: Path):
    store = tmp_path / "store"
    fill(store, "far.safetensors")
    folder = tmp_path / "networks"
    fill(folder, "near.pt")
    (folder / "linked").symlink_to(store, target_is_directory=True)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert set(listing.complete(host_list(folder), folder)) == {"near", "far"}


def test_a_folder_that_is_not_there_has_none(tmp_path: Path):
    assert listing.complete({}, tmp_path / "absent") == {}


@pytest.mark.parametrize(
    ("typed", "listed"),
    [
        ("night", "night"),
        ("night(9f86d081)", "night"),
        ("night.pt", "night"),
        ("night.PT", "night"),
        ("v1.5.safetensors", "v1.5"),
        ("mix.hns", "mix"),
        ("n.pt", "n.pt"),
        ("夜(1)(0a1b2c3d)", "夜(1)"),
        ("night.safetensors", None),
        ("night.png", None),
        ("night.", None),
        ("v1", None),
        ("Night", None),
        ("", None),
    ],
)
def test_a_name_may_have_an_ending_or_the_hash_of_2022(typed, listed):
    files = {name: f"/x/{name}.pt" for name in ("night", "n", "夜(1)")}
    files |= {"v1.5": "/x/v1.5.safetensors", "mix": "/x/mix.hns", "n.pt": "/x/a/n.pt"}
    assert listing.find(files, typed) == (files[listed] if listed else None)
    assert listing.meant(files, typed) == (listed or typed)


def test_names_that_differ_in_signs_alone_are_alike_and_no_others():
    listed = dict.fromkeys(("Night-Sky", "nightsky 2", "ａｒｔ", "day", "--"), "")
    assert listing.alike(listed, "night_sky(9f86d081)") == ["Night-Sky"]
    assert listing.alike(listed, "Art") == ["ａｒｔ"]
    assert listing.alike(listed, "!?") == []


def glob_list(folder: Path) -> dict[str, str]:
    """Return what the WebUI lists: it follows links, in a loop as far as the system does, and takes folders."""
    found = sorted(glob.iglob(f"{folder}/**/*.pt", recursive=True), key=str.lower)  # noqa: PTH207 - its function
    return {Path(path).stem: path for path in found}


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_the_host_s_list_keeps_its_names_and_each_network_is_there_once(tmp_path: Path):
    fill(tmp_path, "night.pt", "styles/day.pt", "folder.pt/SYNOPHOTO_THUMB_M.jpg", "old.pt")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "styles" / "again").symlink_to(tmp_path / "styles", target_is_directory=True)
    listed = listing.complete(glob_list(tmp_path), tmp_path)
    assert {name: Path(path).relative_to(tmp_path).as_posix() for name, path in listed.items()} == {
        "night": "night.pt",
        "old": "old.pt",
        "day": "styles/day.pt",
    }


def test_what_programs_leave_behind_is_no_network(tmp_path: Path):
    fill(tmp_path, "._a.pt", "__MACOSX/a.pt", ".ipynb_checkpoints/a.safetensors", "@eaDir/a.pt", "a.pt~", "b.pt")
    assert complete(tmp_path) == {"b": "b.pt"}


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_linked_network_is_listed_wherever_it_leads(tmp_path: Path):
    folder, store = tmp_path / "networks", tmp_path / "store"
    fill(store, "far.bin", "styles/deep.pt")
    fill(folder, "near.pt")
    (folder / "linked.pt").symlink_to(store / "far.bin")
    (folder / "twice.safetensors").symlink_to("linked.pt")
    (folder / "lost.pt").symlink_to(store / "nowhere")
    (folder / "folder.pt").symlink_to(store, target_is_directory=True)
    assert complete(folder) == {
        "near": "near.pt",
        "linked": "linked.pt",
        "twice": "twice.safetensors",
        "lost": "lost.pt",
        "deep": "folder.pt/styles/deep.pt",
    }


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_names_that_a_page_cannot_show_are_listed_as_it_can(tmp_path: Path):
    fill(tmp_path, "two\nlines.pt", "夜 🌙.pt", os.fsdecode(b"caf\xe9.pt"), os.fsdecode(b"caf\xe8.safetensors"))
    assert complete(tmp_path) == {
        "two\ufffdlines": "two\nlines.pt",
        "夜 🌙": "夜 🌙.pt",
        "caf\ufffd": os.fsdecode(b"caf\xe9.pt"),
        "caf\ufffd.safetensors": os.fsdecode(b"caf\xe8.safetensors"),
    }


def test_the_case_of_an_ending_does_not_matter(tmp_path: Path):
    fill(tmp_path, "a.PT", "b.Safetensors", "c.HNS")
    assert complete(tmp_path) == {"a": "a.PT", "b": "b.Safetensors", "c": "c.HNS"}


@pytest.mark.parametrize(
    ("file", "content", "name", "told"),
    [
        ("night.zip", b"PK\x05\x06" + bytes(18), "night", "night.zip: it is "),
        ("night.pt.crdownload", b"PK\x03\x04", "night", "night.pt.crdownload: its download has not ended"),
        ("night.pt.html", b"<html>", "night.pt", "night.pt.html: it is a web page"),
        ("mix.hns.txt", b"['night', 'day']", "mix", "mix.hns.txt: it is a composition of hypernetworks"),
        ("styles/night.rar", b"Rar!\x1a\x07\x01\x00", "night", "night.rar: it is a RAR archive"),
        ("styles/night.rar", b"Rar!\x1a\x07\x01\x00", "styles/night", "night.rar: it is a RAR archive"),
        ("Night.7z", b"7z\xbc\xaf\x27\x1c", "night(9f86d081)", "Night.7z: it is a 7z archive"),
    ],
)
def test_what_is_there_instead_of_a_network_is_told(tmp_path: Path, file: str, content: bytes, name: str, told: str):
    fill(tmp_path, file, "nightly.zip", "nigh.zip")
    (tmp_path / file).write_bytes(content)
    assert listing.instead(tmp_path, name).startswith(told)
    assert listing.instead(tmp_path, "day") == ""
    assert listing.instead(tmp_path, "") == ""


@pytest.mark.parametrize("form", [".pt", ".safetensors"])
@pytest.mark.parametrize("suffix", [".ckpt", ".bin", ".pth", ".pt.crdownload"])
def test_a_network_of_another_ending_is_told_by_its_content(tmp_path: Path, form: str, suffix: str):
    files.save(Hypernetwork.create(Structure(), (8,), 1), tmp_path / f"x{form}")
    (tmp_path / f"x{form}").rename(tmp_path / f"night{suffix}")
    told = f"night{suffix} is a hypernetwork; let its name end in {form}"
    assert listing.instead(tmp_path, "night") == told


def test_what_stands_beside_a_network_is_not_taken_for_it(tmp_path: Path):
    beside = ("night.png", "night.preview.png", "night.txt", "night.json", "night.civitai.info", "night.pt.optim")
    fill(tmp_path, *beside, "night.pt.state", ".night.zip")
    assert listing.instead(tmp_path, "night") == ""
