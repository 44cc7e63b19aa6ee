"""A linked network is read like any other, and what it leads to is never written over by another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files, report
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError, SettingsError
from hypernetwork_workbench.hypernetworks.files.convert import ConversionSettings, convert
from hypernetwork_workbench.hypernetworks.files.create import create_file
from hypernetwork_workbench.hypernetworks.files.edit import NotesSettings, RenamingSettings, rename, write_notes
from hypernetwork_workbench.hypernetworks.merge import outlines
from hypernetwork_workbench.hypernetworks.merge.saving import ResultSettings
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.network.settings import CreateSettings
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return another drive, with a network in each form."""
    place = tmp_path / "store"
    place.mkdir()
    for ending in files.SUFFIXES:
        files.save(Hypernetwork.create(Structure(init_std=0.1), (8, 12), 0), place / f"far{ending}")
    return place


@pytest.fixture
def models(tmp_path: Path) -> Path:
    place = tmp_path / "models"
    place.mkdir()
    return place


@pytest.fixture(params=[".pt", ".safetensors", "a link to a link"])
def link(request: pytest.FixtureRequest, store: Path, models: Path) -> Path:
    ending = request.param if request.param.startswith(".") else ".pt"
    path = models / f"near{ending}"
    target = store / f"far{ending}"
    if request.param == "a link to a link":
        (store / "second").symlink_to(target.name)
        target = store / "second"
    path.symlink_to(target)
    return path


def tree(folder: Path) -> dict[str, bytes | str]:
    found = folder.rglob("*")
    return {p.name: str(p.readlink()) if p.is_symlink() else p.read_bytes() for p in found if not p.is_dir()}


def test_a_linked_network_is_read_everywhere(link: Path, store: Path):
    real = link.resolve()
    before = tree(store)
    assert torch.equal(next(files.load(link).parameters()), next(files.load(real).parameters()))
    assert files.short_hash(link) == files.short_hash(real)
    assert report.describe(link).name == "near"
    assert report.outline(link).file_bytes == real.stat().st_size
    assert outlines.outline(link, "a").widths == (8, 12)
    assert convert(link, ConversionSettings(name="copy")).parent == link.parent
    assert tree(store) == before


def test_training_starts_from_a_linked_network(link: Path, pictures: Path, tmp_path: Path, store: Path):
    before = tree(store)
    ports = fake_ports(tmp_path)
    result = train(make_job(pictures, network__file=str(link), train__max_steps=2), ports)
    assert files.load(result.network).metadata.step == 2
    assert tree(store) == before


@pytest.mark.parametrize("kind", ["a link to a network", "a link to nothing", "a link in a circle"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_no_new_network_takes_the_place_of_a_link(
    kind: str, overwrite: bool, store: Path, models: Path, pictures: Path, tmp_path: Path
):
    targets = {"a link to a network": "../store/far.pt", "a link to nothing": "nowhere", "a link in a circle": "far.pt"}
    link = models / "far.pt"
    link.symlink_to(targets[kind])
    files.save(files.load(store / "far.pt"), models / "own.pt")
    before = tree(tmp_path)
    reason = "far.pt is a link to .*, which is not written over; choose another name"
    with pytest.raises(SettingsError, match=f"^name: {reason}"):
        create_file(CreateSettings(name="far", widths=(8,), overwrite=overwrite), (), models)
    with pytest.raises(SettingsError, match=f"^name: {reason}"):
        convert(models / "own.pt", ConversionSettings(name="far", overwrite=overwrite))
    with pytest.raises(SettingsError, match=f"^name: {reason}"):
        ResultSettings(name="far", overwrite=overwrite).target(models)
    with pytest.raises(SettingsError, match=r"^name: far\.pt exists already"):
        rename(models / "own.pt", RenamingSettings(name="far"))
    assert tree(tmp_path) == before
    ports = fake_ports(tmp_path)
    job = make_job(pictures, output__name="far", output__dir=str(models), output__overwrite=overwrite)
    with pytest.raises(SettingsError, match=rf"^output\.name: {reason}"):
        train(job, ports)
    assert ports.encoder.encoded_pictures == 0


def test_a_link_is_renamed_and_what_it_leads_to_keeps_its_name(link: Path, store: Path):
    before = tree(store)
    (moved,) = rename(link, RenamingSettings(name="other"))
    assert (moved.name, moved.is_symlink()) == (f"other{link.suffix}", True)
    assert files.load(moved).widths == (8, 12)
    assert tree(store) == before


def test_notes_go_into_the_file_that_a_link_leads_to(link: Path):
    for place in (link, link.resolve()):
        files.save_optimizer_state(files.optimizer_path(place), "AdamW", {"state": {}}, files.short_hash(link))
    write_notes(link, NotesSettings(optional_info="new"))
    assert link.is_symlink()
    for place in (link, link.resolve()):
        assert files.read_document(place).metadata.optional_info == "new"
        assert files.load_optimizer_state(files.optimizer_path(place), files.short_hash(link)) is not None


@pytest.mark.parametrize("target", ["nowhere.pt", "/dev/zero", "."])
def test_a_link_that_leads_to_no_file_is_named_wherever_it_is_opened(models: Path, target: str):
    link = models / "near.pt"
    link.symlink_to(target)
    for work in (files.load, files.short_hash, report.describe, lambda path: outlines.outline(path, "a")):
        with pytest.raises(HypernetworkFileError, match=rf"^near\.pt: it is a link to {target}, wh"):
            work(link)
