"""The file of a merge: its name, form and dtype, and what it never replaces."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.merge.saving import ResultSettings, save, with_hashes, writing

from tests.support.networks import random_network


@pytest.mark.parametrize(
    ("form", "name", "is_portable"),
    [(".pt", "ink.pt", False), (".pt for every reader", "ink.pt", True), (".safetensors", "ink.safetensors", False)],
)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_result_has_the_form_and_the_dtype_of_its_settings(form, name, is_portable, dtype, tmp_path):
    settings = ResultSettings(name="ink", form=form, dtype=dtype)
    network = random_network(1, name="inside", activation="relu")
    path = settings.target(tmp_path / "made" / "of two")
    assert path == tmp_path / "made" / "of two" / name
    save(network, path, settings)
    loaded = files.load(path)
    assert loaded.metadata.name == "ink"
    stored = next(iter(files.load(path).parameters()))
    expected = random_network(1, activation="relu").to(getattr(torch, dtype))
    assert torch.equal(stored.float(), next(expected.parameters()).float())
    files.save(network, tmp_path / name, portable=is_portable, dtype=getattr(torch, dtype))
    assert path.stat().st_size == (tmp_path / name).stat().st_size


def test_a_form_that_nobody_touched_makes_a_pt_in_full():
    settings = ResultSettings(name="ink")
    assert (settings.form, settings.dtype, settings.overwrite) == (".pt", "float32", False)
    with pytest.raises(SettingsError) as caught:
        ResultSettings(name="a/b")
    assert caught.value.field == "name"


def test_a_file_is_replaced_where_that_was_asked_for_only(tmp_path):
    (tmp_path / "ink.pt").write_bytes(b"mine")
    with pytest.raises(SettingsError, match=r"ink\.pt exists already; choose another name, or set overwrite") as caught:
        ResultSettings(name="ink").target(tmp_path)
    assert caught.value.field == "name"
    with pytest.raises(SettingsError, match="exists already"), writing(tmp_path / "ink.pt", ResultSettings(name="ink")):
        pytest.fail("the block must not run")
    assert (tmp_path / "ink.pt").read_bytes() == b"mine"
    settings = ResultSettings(name="ink", overwrite=True)
    save(random_network(1), settings.target(tmp_path), settings)
    assert files.load(tmp_path / "ink.pt").metadata.name == "ink"


def test_a_name_is_written_once_at_a_time(tmp_path):
    settings = ResultSettings(name="ink", overwrite=True)
    path = tmp_path / "new" / "ink.pt"
    with writing(path, settings):
        with pytest.raises(SettingsError, match="ink is being merged") as caught, writing(path, settings):
            pytest.fail("the block must not run")
        assert caught.value.field == "name"
    with writing(path, settings):
        pass


def test_a_recipe_takes_the_hashes_in_order():
    recipe = {"method": "ties", "networks": [{"name": "A"}, {"name": "B"}]}
    assert with_hashes(recipe, ["1a", "2b"]) == {
        "method": "ties",
        "networks": [{"name": "A", "hash": "1a"}, {"name": "B", "hash": "2b"}],
    }
    with pytest.raises(ValueError, match="shorter"):
        with_hashes(recipe, ["1a"])
