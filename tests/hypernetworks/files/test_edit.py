"""Converting, renaming and annotating files: what changes, what must not, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files, report
from hypernetwork_workbench.hypernetworks.base import atomic
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError, SettingsError
from hypernetwork_workbench.hypernetworks.files.convert import ConversionSettings, convert
from hypernetwork_workbench.hypernetworks.files.edit import NotesSettings, RenamingSettings, rename, write_notes
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Metadata, Structure

SUFFIXES = (".pt", ".safetensors")


def saved(folder: Path, name: str = "n.pt", dtype: torch.dtype | None = None, **structure) -> Path:
    network = Hypernetwork.create(Structure(**structure), (8, 12), 0)
    network.metadata = Metadata("inside", 7, "abc", "demo", "old", {"dataset": "shapes"}, {"tool": {"k": [1, None]}})
    files.save(network, folder / name, dtype=dtype)
    return folder / name


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("form", [".pt", ".pt for every reader", ".safetensors"])
@pytest.mark.parametrize("dtype", ["as in the file", "float32", "float16", "bfloat16"])
def test_a_conversion_keeps_the_weights_and_the_metadata(source, form, dtype, tmp_path):
    path = saved(tmp_path, f"n{source}", torch.float16, dropout_structure=(0, 0.2, 0))
    before = path.read_bytes()
    target = convert(path, ConversionSettings(name="m", form=form, dtype=dtype))
    assert path.read_bytes() == before
    assert target.name == f"m{'.safetensors' if form == '.safetensors' else '.pt'}"
    wanted = "float16" if dtype == "as in the file" else dtype
    described = report.describe(target)
    assert described.dtypes == (wanted,)
    assert all(described.readers.values()) == (form == ".pt for every reader")
    old, new = files.load(path), files.load(target)
    for first, second in zip(old.parameters(), new.parameters(), strict=True):
        assert torch.equal(first.to(getattr(torch, wanted)).float(), second)
    assert new.metadata == dataclasses.replace(old.metadata, name="m")


def test_a_file_in_double_precision_becomes_float32(tmp_path):
    path = saved(tmp_path)
    state = torch.load(path, weights_only=True)
    for half in (*state[8], *state[12]):
        half.update({key: tensor.double() for key, tensor in half.items()})
    torch.save(state, path)
    assert report.describe(convert(path, ConversionSettings(name="m"))).dtypes == ("float32",)


def test_an_existing_file_is_replaced_only_when_asked_for(tmp_path):
    path = saved(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(SettingsError, match=r"name: n\.pt exists already; choose another name, or set overwrite"):
        convert(path, ConversionSettings(name="n", dtype="float16"))
    assert tree(tmp_path) == before
    assert convert(path, ConversionSettings(name="n", dtype="float16", overwrite=True)) == path
    assert report.describe(path).dtypes == ("float16",)


@pytest.mark.parametrize(
    ("structure", "settings", "reason"),
    [
        ({"activation": "gelu"}, {"form": ".pt for every reader"}, "no portable form: ComfyUI does not know"),
        ({"skip_connection": True}, {"form": ".pt for every reader"}, "only the original extension knows residual"),
    ],
)
def test_a_conversion_that_cannot_be_is_refused_with_the_reason(structure, settings, reason, tmp_path):
    path = saved(tmp_path, **structure)
    before = tree(tmp_path)
    with pytest.raises(HypernetworkFileError, match=reason):
        convert(path, ConversionSettings(name="m", **settings))
    assert tree(tmp_path) == before


def test_weights_too_large_for_float16_are_refused(tmp_path):
    path = saved(tmp_path)
    state = torch.load(path, weights_only=True)
    state[8][0]["linear.0.bias"][0] = 1e5
    torch.save(state, path)
    with pytest.raises(HypernetworkFileError, match=r"8\.k\.linear\.0\.bias does not fit into torch\.float16"):
        convert(path, ConversionSettings(name="m", dtype="float16"))


@pytest.mark.parametrize("kind", [ConversionSettings, RenamingSettings])
@pytest.mark.parametrize("name", ["", "../n", "a/b", "a:b", "con", "None", "x" * 201, "a\\b", "."])
def test_a_name_that_cannot_be_is_refused(kind, name):
    with pytest.raises(SettingsError, match=r"^name: "):
        kind(name=name)


def beside(path: Path, *endings: str) -> None:
    for ending in endings:
        path.with_name(ending).write_bytes(ending.encode())


def test_renaming_takes_states_and_cards_along_and_changes_no_byte(tmp_path):
    path = saved(tmp_path)
    beside(path, "n.pt.optim", "n.pt.state", "n.state", "n.preview.png", "n.txt", "n2.pt", "n2.pt.optim", "n.log")
    before = tree(tmp_path)
    moved = rename(path, RenamingSettings(name="夜 2"))
    assert moved[0] == tmp_path / "夜 2.pt"
    renamed = {"n.pt", "n.pt.optim", "n.pt.state", "n.state", "n.preview.png", "n.txt"}
    expected = {f"夜 2{name[1:]}" if name in renamed else name: data for name, data in before.items()}
    assert tree(tmp_path) == expected
    assert files.load(moved[0]).metadata.name == "inside"


def test_a_twin_of_the_other_form_keeps_the_cards(tmp_path):
    path = saved(tmp_path)
    saved(tmp_path, "n.safetensors")
    beside(path, "n.preview.png", "n.pt.optim")
    rename(path, RenamingSettings(name="m"))
    assert set(tree(tmp_path)) == {"m.pt", "m.pt.optim", "n.safetensors", "n.preview.png"}


@pytest.mark.parametrize("taken", ["m.pt", "m.pt.optim", "m.preview.png"])
def test_renaming_never_replaces_a_file(taken, tmp_path):
    path = saved(tmp_path)
    beside(path, "n.pt.optim", "n.preview.png", taken)
    before = tree(tmp_path)
    with pytest.raises(SettingsError, match=f"name: {taken} exists already"):
        rename(path, RenamingSettings(name="m"))
    assert tree(tmp_path) == before
    if taken == "m.pt":
        assert rename(path, RenamingSettings(name="n"))[0] == path


def test_a_rename_that_fails_half_way_is_taken_back(tmp_path, monkeypatch):
    path = saved(tmp_path)
    beside(path, "n.pt.optim", "n.preview.png")
    before = tree(tmp_path)
    original = Path.rename

    def failing(self, target):
        if Path(target).name == "m.preview.png":
            raise PermissionError(13, "Permission denied")
        return original(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(HypernetworkFileError, match=r"n\.pt: cannot be renamed \(Permission denied\)"):
        rename(path, RenamingSettings(name="m"))
    assert tree(tmp_path) == before
    with pytest.raises(HypernetworkFileError, match="no such file"):
        rename(tmp_path / "absent.pt", RenamingSettings(name="m"))


def plain(value):
    """Return a value that compares bit for bit, with its order and dtypes."""
    if isinstance(value, torch.Tensor):
        return (str(value.dtype), tuple(value.shape), value.contiguous().view(-1).view(torch.uint8).tolist())
    if isinstance(value, dict):
        return [(plain(key), plain(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [plain(item) for item in value])
    return (type(value).__name__, value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("new_zip", [True, False])
def test_notes_change_nothing_else_in_a_pt(dtype, new_zip, tmp_path):
    path = saved(tmp_path, dtype=dtype)
    state = torch.load(path, weights_only=True)
    state |= {"mask": torch.arange(5), "flags": torch.tensor([True]), "of_a_tool": {"a": (1, [2.5, None])}}
    state[8][1]["linear.0.bias"][3] = float("nan")
    torch.save(state, path, _use_new_zipfile_serialization=new_zip)
    for text in ("new\nnotes – 夜", ""):
        write_notes(path, NotesSettings(optional_info=text))
        state["optional_info"] = text or None
        assert plain(files.read_content(path).state) == plain(state)
        assert plain(torch.load(path, weights_only=True)) == plain(state)


def test_a_file_without_the_key_gets_one_only_for_a_text(tmp_path):
    path = saved(tmp_path)
    state = torch.load(path, weights_only=True)
    del state["optional_info"]
    torch.save(state, path)
    write_notes(path, NotesSettings(optional_info=""))
    assert "optional_info" not in files.read_content(path).state
    write_notes(path, NotesSettings(optional_info="new"))
    assert list(files.read_content(path).state)[-1] == "optional_info"


def test_notes_change_nothing_else_in_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    path = saved(tmp_path, "n.safetensors", torch.bfloat16)
    before, content = path.read_bytes(), files.read_content(path)
    write_notes(path, NotesSettings(optional_info="new – 夜"))
    after = files.read_content(path)
    assert plain({**content.state, "optional_info": "new – 夜"}) == plain(after.state)
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata()["optional_info"] == "new – 夜"
    write_notes(path, NotesSettings(optional_info=""))
    assert "optional_info" not in files.read_content(path).state
    write_notes(path, NotesSettings(optional_info="old"))
    assert len(path.read_bytes()) == len(before)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_optimizer_state_still_belongs_to_a_file_with_new_notes(suffix, tmp_path):
    path = saved(tmp_path, f"n{suffix}")
    place = files.optimizer_path(path)
    values = {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]}
    files.save_optimizer_state(place, "AdamW", values, files.short_hash(path))
    write_notes(path, NotesSettings(optional_info="new"))
    found = files.load_optimizer_state(place, files.short_hash(path))
    assert found is not None
    assert plain(found[1]) == plain(values)


@pytest.mark.parametrize("content", ["other", "broken"])
def test_an_optimizer_state_of_another_file_stays_as_it_is(content, tmp_path):
    path = saved(tmp_path)
    place = files.optimizer_path(path)
    files.save_optimizer_state(place, "AdamW", {"state": {}}, "0" * 10)
    if content == "broken":
        place.write_bytes(place.read_bytes()[:50])
    before = place.read_bytes()
    write_notes(path, NotesSettings(optional_info="new"))
    assert files.load(path).metadata.optional_info == "new"
    assert place.read_bytes() == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_notes_that_cannot_be_written_leave_the_file_as_it_was(suffix, tmp_path, monkeypatch):
    path = saved(tmp_path, f"n{suffix}")
    before = tree(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(HypernetworkFileError, match="No space left on device"):
        write_notes(path, NotesSettings(optional_info="new"))
    assert tree(tmp_path) == before


def test_wrong_notes_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="optional_info: must be at most 100,000 characters"):
        NotesSettings(optional_info="x" * 100_001)
    with pytest.raises(SettingsError, match="optional_info: holds half a character"):
        NotesSettings(optional_info="a\ud83d")
    (tmp_path / "n.pt").write_bytes(b"broken")
    with pytest.raises(HypernetworkFileError, match=r"n\.pt: "):
        write_notes(tmp_path / "n.pt", NotesSettings(optional_info="x"))
    assert (tmp_path / "n.pt").read_bytes() == b"broken"


def test_notes_do_not_blow_up_a_file_of_shared_data(tmp_path):
    path = saved(tmp_path)
    state = torch.load(path, weights_only=True)
    torch.save({**state, "again": [torch.zeros(1 << 14)] * 100}, path)
    before = path.read_bytes()
    with pytest.raises(HypernetworkFileError, match="share the same data"):
        write_notes(path, NotesSettings(optional_info="x"))
    assert path.read_bytes() == before


def test_half_a_character_from_a_tool_cannot_be_written_as_text(tmp_path):
    network = files.load(saved(tmp_path))
    network.metadata.optional_info = "a\ud83d"
    with pytest.raises(HypernetworkFileError, match="its metadata cannot be written as text"):
        files.save(network, tmp_path / "m.safetensors")
    assert set(tree(tmp_path)) == {"n.pt"}
    path = saved(tmp_path, "m.safetensors")
    data = path.read_bytes().replace(b'"optional_info":"old"', b'"optional_info":"\\ud83d"')
    data = (int.from_bytes(data[:8], "little") + 3).to_bytes(8, "little") + data[8:]
    path.write_bytes(data)
    with pytest.raises(HypernetworkFileError, match=r"its header is damaged \(UnicodeEncodeError\)"):
        files.load(path)
