"""Networks by name: a file that came since the list was made is found, and one that is none is named everywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError

from tests.patches.test_on_host import generate, save_network
from tests.support import other_files

SAMPLE = [
    "embedding_webui",
    "lora_kohya",
    "sd1",
    "civitai_login",
    "zip_with_network",
    "yolo_v8",
    "git_lfs",
    "composition",
]


@pytest.fixture
def folder(patched):
    save_network(patched, "night", seed=1)
    place = Path(patched.module("shared").cmd_opts.hypernetwork_dir)
    yield place
    for path in place.glob("other*"):
        path.unlink()
    patched.module("shared").reload_hypernetworks()


def copied(folder, name="other", suffix=".pt"):
    """Copy a network into the folder; nobody presses Refresh."""
    shutil.copy(folder / "night.pt", folder / f"{name}{suffix}")
    return name


def ways(host):
    """Every way in which a network is named, by what it is."""
    from hypernetwork_workbench.patches.api import routes
    from hypernetwork_workbench.patches.runs.job import job_from
    from hypernetwork_workbench.patches.sets import host_training, xyz_grid
    from hypernetwork_workbench.patches.tabs.inspect import work
    from hypernetwork_workbench.patches.tabs.merge import compositions
    from hypernetwork_workbench.patches.tabs.merge import work as merging

    return {
        "inspect": work.network_path,
        "http inspect": lambda name: routes.inspect({}, name),
        "train": lambda name: job_from(
            {"network": {"file": name}, "data": {"folder": "x"}, "output": {"name": "y", "overwrite": False}}
        ),
        "host's train": host_training._trained,
        "merge": lambda name: merging.outline_of({"network_1": name}, 1),
        "composition": lambda name: compositions._outlines(compositions.read(f"{name}:0.5 + night")),
        "grid": lambda name: xyz_grid._confirm_names(None, [name]),
    }


@pytest.mark.parametrize("way", ["inspect", "http inspect", "train", "host's train", "merge", "composition", "grid"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_copied_meanwhile_is_found(way, suffix, folder, patched):
    name = copied(folder, suffix=suffix)
    shared = patched.module("shared")
    assert name not in shared.hypernetworks
    ways(patched)[way](name)
    assert name in shared.hypernetworks


@pytest.mark.parametrize("way", ["inspect", "train", "composition", "grid"])
def test_a_file_of_another_ending_is_named_with_what_to_do(way, folder, patched):
    name = copied(folder, suffix=".ckpt")
    with pytest.raises(
        (SettingsError, RuntimeError), match=r" \(other.ckpt is a hypernetwork; let its name end in \.pt\)$"
    ):
        ways(patched)[way](name)


@pytest.mark.parametrize("kind", SAMPLE)
def test_a_tag_for_another_file_says_what_it_is(kind, folder, patched):
    what, _, content = other_files.CASES[kind]
    (folder / "other.pt").write_bytes(content())
    _, processed = generate(patched, "a<hypernet:other:1><hypernet:night:0.5>")
    begins = f"Hypernetwork other was not used: other.pt: it is {what}, not a hypernetwork; "
    assert processed.comments.startswith(begins)
    assert [each.name for each in patched.module("shared").loaded_hypernetworks] == ["night"]


@pytest.mark.parametrize("kind", ["zip_of_texts", "rar5", "notes"])
def test_a_tag_says_what_lies_there_under_its_name(kind, folder, patched):
    what, _, content = other_files.CASES[kind]
    (folder / "other.zip").write_bytes(content())
    _, processed = generate(patched, "a<hypernet:other:1>")
    told = f"there is no hypernetwork of this name (other.zip: it is {what}, not a hypernetwork; "
    assert processed.comments.startswith(f"Hypernetwork other was not used: {told}")


@pytest.mark.parametrize("kind", ["civitai_error", "git_lfs", "embedding_webui", "png"])
def test_another_file_named_as_a_composition_is_named(kind, folder, patched):
    what, _, content = other_files.CASES[kind]
    (folder / "other.hns").write_bytes(content())
    _, processed = generate(patched, "a<hypernet:other:1>")
    begins = f"Hypernetwork other was not used: other.hns: it is {what}, not a hypernetwork; "
    assert processed.comments.startswith(begins)
    from hypernetwork_workbench.patches.tabs.merge import compositions

    with pytest.raises(SettingsError, match=f"it is {what}".replace("(", r"\(").replace(")", r"\)")):
        compositions.read("other + night")


@pytest.mark.parametrize("way", ["http inspect", "host's train", "merge"])
@pytest.mark.parametrize("kind", SAMPLE)
def test_every_way_to_open_a_file_says_what_it_is(kind, way, folder, patched):
    what, _, content = other_files.CASES[kind]
    (folder / "other.safetensors").write_bytes(content())
    with pytest.raises(Exception, match=r"other.safetensors: it is .*, not a hypernetwork; ") as caught:
        ways(patched)[way]("other")
    assert f"it is {what}, not a hypernetwork" in str(caught.value)
