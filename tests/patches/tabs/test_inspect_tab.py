"""The tab Inspect Hypernetwork on the embedded host: the list, and every button with right and wrong input."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Metadata, Structure

from tests.patches.test_on_host import generate

Press = Callable[..., tuple[Any, ...]]


@pytest.fixture
def folder(patched: Any) -> Iterator[Path]:
    """Return the host's folder of networks; folders in it are gone afterwards."""
    place = Path(patched.module("shared").cmd_opts.hypernetwork_dir)
    yield place
    for inner in [path for path in place.iterdir() if path.is_dir()]:
        shutil.rmtree(inner)


def save(path: Path, seed: int = 1, **structure: Any) -> Path:
    from hypernetwork_workbench.patches.model import host as ports

    network = Hypernetwork.create(Structure(init_std=0.2, **structure), ports.model_widths(), seed)
    network.metadata = Metadata(name=path.stem, step=5, optional_info="old notes", extra={"tool": [1]})
    path.parent.mkdir(exist_ok=True)
    files.save(network, path)
    return path


def listed(host: Any) -> dict[str, str]:
    shared = host.module("shared")
    shared.reload_hypernetworks()
    place = Path(shared.cmd_opts.hypernetwork_dir)
    return {name: Path(path).relative_to(place).as_posix() for name, path in shared.hypernetworks.items()}


@pytest.fixture
def tab(patched: Any, folder: Path) -> Any:
    """Return the tab, built inside a page."""
    from hypernetwork_workbench.patches.tabs.inspect.tab import InspectTab

    built = InspectTab()
    with gr.Blocks(), gr.Tabs():
        built.build()
    return built


@pytest.fixture
def press(tab: Any) -> Press:
    """Presses the button of an action, with values by the addresses of the fields; others as the form has them."""

    def pressed(section: str, **values: Any) -> tuple[Any, ...]:
        given = {address.replace("__", "."): value for address, value in values.items()}
        entered = [given.pop(field.address, field.component.value) for field in tab.form.fields]
        assert not given, "no such field"
        return tab.handlers[section](*entered)

    return pressed


def test_the_hosts_list_has_every_network_under_its_own_name(patched, folder):
    save(folder / "n.pt")
    save(folder / "n.safetensors", 2)
    save(folder / "styles" / "n.pt", 3)
    save(folder / "styles" / "m.safetensors", 4)
    names = {"n": "styles/n.pt", "n.pt": "n.pt", "n.safetensors": "n.safetensors", "m": "styles/m.safetensors"}
    assert listed(patched) == names
    pictures = [generate(patched, f"a red circle<hypernet:{name}:1>")[0] for name in names]
    plain, _ = generate(patched, "a red circle")
    for index, picture in enumerate(pictures):
        assert not any(np.array_equal(picture, other) for other in [plain, *pictures[:index]])


def test_without_the_patch_the_host_lists_what_it_always_did(patched, folder):
    from hypernetwork_workbench import patches

    save(folder / "n.pt")
    save(folder / "m.safetensors")
    with_patch = listed(patched)
    patches.uninstall_all()
    assert listed(patched) == {"n": "n.pt"}
    patches.install_all()
    assert listed(patched) == with_patch


def test_choosing_a_network_shows_it_and_fills_the_fields_in(tab, folder, patched):
    save(folder / "n.pt")
    listed(patched)
    report, comparison, *rest = tab.show("n")
    assert "o<!---->ld notes" in report
    assert "<svg" in report
    assert comparison == ""
    assert rest[-3:] == ["n", "n", "old notes"]
    assert set(rest[:-3]) == {""}


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "absent", "n.safetensors", "None"])
def test_only_what_the_host_lists_can_be_chosen(name, tab, press, folder, patched):
    save(folder / "n.pt")
    save(folder.parent / "secret.pt")
    listed(patched)
    shown = tab.show(name)
    assert f"Network: there is no network {name}" in shown[2]
    assert shown[0] == ""
    for section in ("compare", "convert", "rename", "notes"):
        status = press(section, file=name, convert__name="x", rename__name="x", compare__other="n")[0]
        assert f"Network: there is no network {name}" in status
    assert (folder.parent / "secret.pt").exists()
    assert [path.name for path in folder.iterdir()] == ["n.pt"]
    assert "Network: choose a network" in tab.show(None)[2]


def test_a_broken_file_shows_its_problem_and_what_can_be_known(tab, folder, patched):
    path = save(folder / "n.pt")
    path.write_bytes(path.read_bytes()[:500])
    listed(patched)
    report, *_, notes = tab.show("n")
    assert "n.pt: it is damaged" in report
    assert "500 bytes" in report
    assert notes == ""


def test_a_converted_file_is_listed_and_makes_the_same_picture(press, folder, patched):
    save(folder / "n.pt", activation="mish")
    listed(patched)
    status, first, second = press("convert", file="n", convert__name="m", convert__form=".safetensors")
    assert f"Wrote m.safetensors ({(folder / 'm.safetensors').stat().st_size / 1000:.1f} kB)" in status
    assert "its name in prompts is m" in status
    assert first["choices"] == second["choices"] == ["m", "n"]
    assert np.array_equal(
        generate(patched, "a red circle<hypernet:n:1>")[0], generate(patched, "a red circle<hypernet:m:1>")[0]
    )
    status, *_ = press("convert", file="m", convert__name="n", convert__dtype="float16")
    assert "New name: n.pt exists already; choose another name, or tick “Replace an existing file”" in status
    assert files.load(folder / "n.pt").metadata.name == "n"
    status, *_ = press("convert", file="m", convert__name="n", convert__dtype="float16", convert__overwrite=True)
    assert "Wrote n.pt" in status
    assert files.read_document(folder / "n.pt").tensors()[0].dtype == torch.float16


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"convert__name": ""}, "New name: give the network a name"),
        ({"convert__name": "a/b"}, "New name: must not contain /"),
        ({"convert__name": "m", "convert__form": "ckpt"}, "File form: must be one of"),
        ({"convert__name": "m", "convert__dtype": "int8"}, "Weights as: must be one of"),
        ({"convert__name": "m", "convert__form": ".pt for every reader"}, "it has no portable form: ComfyUI does not"),
    ],
)
def test_a_conversion_that_cannot_be_says_why(values, sentence, press, folder, patched):
    save(folder / "n.pt", activation="gelu")
    listed(patched)
    status, *others = press("convert", file="n", **values)
    assert sentence in status
    assert status.count("<li>") == 1
    assert others == [gr.update(), gr.update()]
    assert [path.name for path in folder.iterdir()] == ["n.pt"]


def test_renaming_shows_the_network_under_its_new_name(press, folder, patched):
    path = save(folder / "styles" / "n.pt")
    files.optimizer_path(path).write_bytes(b"state")
    listed(patched)
    status, chosen, other, report = press("rename", file="n", rename__name="夜")
    assert "n.pt is 夜.pt now, and with it 夜.pt.optim." in status
    assert (chosen["value"], chosen["choices"]) == ("夜", ["夜"])
    assert "value" not in other
    assert "夜<!---->.pt" in report
    assert listed(patched) == {"夜": "styles/夜.pt"}
    status, *_ = press("rename", file="夜", rename__name="a:b")
    assert "Rename to: must not contain :" in status
    assert listed(patched) == {"夜": "styles/夜.pt"}


def test_notes_are_written_and_shown(press, folder, patched):
    path = save(folder / "n.pt")
    listed(patched)
    before = files.load(path).metadata
    status, report = press("notes", file="n", notes__optional_info="new <i>notes</i>")
    assert "n.pt has the new notes" in status
    assert "n<!---->ew &lt;i&gt;notes&lt;/i&gt;" in report
    after = files.load(path).metadata
    assert after.optional_info == "new <i>notes</i>"
    assert (after.extra, after.step, after.name) == (before.extra, before.step, before.name)
    status, _ = press("notes", file="n", notes__optional_info="x" * 100_001)
    assert "Notes in the file: must be at most 100,000 characters long" in status
    assert files.load(path).metadata == after


def test_two_networks_are_compared(press, folder, patched):
    save(folder / "a.pt", 1)
    save(folder / "b.safetensors", 2, layer_structure=(1, 1.5, 1))
    listed(patched)
    status, table = press("compare", file="a", compare__other="b")
    assert status == ""
    assert "1, 1.5, 1" in table
    assert "Their outputs differ." in table
    (folder / "b.safetensors").write_bytes(b"broken")
    for other, sentence in (("b", "Compare with: b.safetensors: "), (None, "Compare with: choose a network")):
        status, table = press("compare", file="a", compare__other=other)
        assert sentence in status
        assert table == gr.update()


def test_every_widget_has_an_id_and_stays_out_of_the_hosts_defaults(tab):
    for field in tab.form.fields:
        assert field.component.elem_id.startswith("hnw_inspect_")
        assert field.component.do_not_save_to_config
