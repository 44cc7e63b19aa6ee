"""New networks as files, and the network that a job starts from: what is refused under which name."""

import pytest
import safetensors
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.files.create import create_file, new_network, starting_network
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Metadata, Structure
from hypernetwork_workbench.hypernetworks.network.settings import CreateSettings, NetworkSettings, ShapeSettings


@pytest.mark.parametrize(
    ("written", "of_model", "widths"),
    [("8, 12, 8", (16,), (8, 12)), ("", (16, 8, 16), (16, 8)), ("8", (), (8,))],
)
def test_the_widths_are_those_that_are_written_else_the_models_each_once(written, of_model, widths):
    assert new_network(ShapeSettings(widths=written), of_model, 0).widths == widths


def test_without_a_model_the_widths_must_be_written():
    with pytest.raises(SettingsError, match="no model is loaded that could give them; write them here") as caught:
        new_network(ShapeSettings(widths=""), (), 0)
    assert caught.value.field == "widths"


def test_a_job_names_the_field_of_its_section_that_is_wrong(tmp_path):
    cases = [
        (NetworkSettings(widths=""), (), "network.widths", "no model is loaded"),
        (NetworkSettings(widths="8"), (12, 16), "network.widths", r"widths \(8,\) fit none of .* \(12, 16\)"),
        (NetworkSettings(file=str(tmp_path / "none.pt")), (8,), "network.file", "there is no such file"),
    ]
    files.save(Hypernetwork.create(Structure(), (8,), 0), tmp_path / "n.pt")
    cases.append((NetworkSettings(file=str(tmp_path / "n.pt")), (12,), "network.file", r"widths \(8,\) fit none"))
    for settings, widths, field, reason in cases:
        with pytest.raises(SettingsError, match=reason) as caught:
            starting_network(settings, widths, 0)
        assert caught.value.field == field


def test_a_job_starts_from_its_file_in_float32_where_one_width_fits(tmp_path):
    network = Hypernetwork.create(Structure(), (8, 12), 0)
    files.save(network, tmp_path / "n.pt", dtype=torch.float16)
    found = starting_network(NetworkSettings(file=str(tmp_path / "n.pt")), (12, 16), 0)
    assert found.widths == (8, 12)
    for weight, before in zip(found.parameters(), network.parameters(), strict=True):
        assert torch.equal(weight, before.half().float())


def test_a_new_file_has_its_name_and_notes_and_replaces_another_only_when_asked_for(tmp_path):
    settings = {"name": "ink", "widths": "8", "optional_info": "by hand", "seed": 3}
    path = create_file(CreateSettings(**settings), (), tmp_path / "new")
    assert path == tmp_path / "new" / "ink.pt"
    assert files.load(path).metadata == Metadata(name="ink", optional_info="by hand", training={"seed": 3})
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=r"ink\.pt exists already; choose another name, or set overwrite") as caught:
        create_file(CreateSettings(**settings | {"seed": 4}), (), tmp_path / "new")
    assert caught.value.field == "name"
    assert path.read_bytes() == before
    create_file(CreateSettings(**settings | {"seed": 4, "overwrite": True}), (), tmp_path / "new")
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    ("widths", "model"),
    [
        ((768, 320), "stable-diffusion-v1/hypernetwork"),
        ((1024,), "stable-diffusion-v2-768-v/hypernetwork"),
        ((768, 2048, 1024), "stable-diffusion-xl-v1-base/hypernetwork"),
        ((640,), None),
    ],
)
def test_the_header_of_a_safetensors_names_network_and_model(widths, model, tmp_path):
    network = Hypernetwork.create(Structure((1, 0.01, 1)), widths, 0)
    network.metadata = Metadata(name="夜")
    files.save(network, tmp_path / "n.safetensors")
    with safetensors.safe_open(tmp_path / "n.safetensors", "pt") as file:
        texts = file.metadata()
    assert (texts["format"], texts["modelspec.title"]) == ("hypernetwork", "夜")
    assert texts.get("modelspec.architecture") == model
