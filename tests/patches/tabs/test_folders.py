"""The browser of folders: what it shows, and what it never shows."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


@pytest.fixture
def root(host, monkeypatch, tmp_path):
    """Return the one folder that may be looked into besides the host's own."""
    from hypernetwork_workbench.patches.patching import audience
    from modules import shared

    monkeypatch.setattr(shared.cmd_opts, "hnw_data_root", [str(tmp_path / "root")], raising=False)
    monkeypatch.setattr(audience, "is_this_machine_only", lambda _demo: False)
    for name in ("root/night", "root/Ink", "root/.hidden", "outside/secret"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("a.png", "a.txt", "b.JPG", "prompts.txt", "job.toml", "notes.docx"):
        (tmp_path / "root" / name).touch()
    return tmp_path / "root"


def look(text) -> dict:
    from hypernetwork_workbench.patches.tabs import folders

    return json.loads(folders.look(str(text)))


def names(listed) -> list[str]:
    return [one["name"] for one in listed]


def test_a_folder_shows_its_folders_its_pictures_and_files_that_settings_name(root):
    found = look(root)
    assert (found["place"], found["pictures"], found["note"]) == (str(root), 2, "")
    assert names(found["folders"]) == ["Ink", "night"]
    assert names(found["files"]) == ["job.toml", "prompts.txt"]
    assert look(found["folders"][1]["path"])["above"] == str(root)


def test_a_file_stands_for_its_folder_as_does_a_path_as_people_paste_it(root):
    assert look(root / "job.toml")["place"] == look(f'"{root}"')["place"] == str(root)


@pytest.mark.parametrize("place", ["..", "outside/secret", "root/../outside", "/", "/etc", "root/no such", "a\0b", ""])
def test_outside_is_never_shown(root, place):
    found = look(root.parent / place if place not in ("/", "") else place)
    assert found["place"] in ("", str(root))
    shown = json.dumps(found)
    assert "secret" not in shown
    assert "passwd" not in shown
    assert found["place"] or str(root) in names(found["folders"])


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_to_the_outside_is_not_followed(root):
    (root / "way out").symlink_to(root.parent / "outside")
    assert "way out" not in names(look(root)["folders"])
    assert look(root / "way out")["place"] == ""


def test_the_way_up_ends_at_the_list_of_all_that_may_be_seen(root):
    assert look(root)["above"] == ""
    assert look("")["above"] is None


def test_the_users_own_folders_are_for_a_page_of_this_machine(root, monkeypatch):
    from hypernetwork_workbench.patches.patching import audience

    assert str(Path.home()) not in names(look("")["folders"])
    monkeypatch.setattr(audience, "is_this_machine_only", lambda _demo: True)
    assert str(Path.home()) in names(look("")["folders"])


def test_a_folder_of_thousands_is_cut(root):
    for number in range(510):
        (root / "night" / f"{number}").mkdir()
    found = look(root / "night")
    assert len(found["folders"]) == 500
    assert found["note"] == "10 more are not shown; type the rest of the path."


def test_a_folder_that_cannot_be_read_is_said(root, monkeypatch):
    def fail(_self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fail)
    found = look(root / "night")
    assert found["note"] == "This folder cannot be read (Permission denied)."
    assert found["place"] == ""
