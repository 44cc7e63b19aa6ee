"""The keys `modelspec.*` of a header: which are made anew, and which of another program are kept."""

from __future__ import annotations

import dataclasses

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.files import modelspec
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Metadata
from hypernetwork_workbench.hypernetworks.network.structure import Structure
from safetensors import safe_open


def network(widths=(768,), **metadata):
    made = Hypernetwork(Structure(layer_structure=(1, 2, 1)), widths)
    made.metadata = Metadata(name="night", **metadata)
    return made


def header(path):
    with safe_open(path, "pt") as opened:
        return opened.metadata()


@pytest.mark.parametrize(
    ("widths", "prediction", "architecture"),
    [
        ((320, 768), "", "stable-diffusion-v1/hypernetwork"),
        ((1024,), "", "stable-diffusion-v2-768-v/hypernetwork"),
        ((1024,), "v", "stable-diffusion-v2-768-v/hypernetwork"),
        ((1024,), "epsilon", "stable-diffusion-v2-512/hypernetwork"),
        ((768, 2048), "epsilon", "stable-diffusion-xl-v1-base/hypernetwork"),
        ((640,), "epsilon", None),
    ],
)
def test_the_architecture_is_told_by_widths_and_prediction(widths, prediction, architecture):
    found = modelspec.texts(network(widths, training={"prediction": prediction}), "00")
    assert found.get("modelspec.architecture") == architecture


def test_keys_of_another_program_are_kept_and_the_runs_own_come_first(tmp_path):
    extra = {"modelspec.author": "Another", "modelspec.usage_hint": "strength 0.8", "modelspec.title": "old", "mine": 3}
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    files.save(network(extra=extra), first)
    assert header(first)["modelspec.author"] == "Another"
    assert header(first)["modelspec.title"] == "night"
    loaded = files.load(first)
    assert loaded.metadata.extra == {key: one for key, one in extra.items() if key != "modelspec.title"}
    training = {"settings": {"output": {"author": "Someone", "usage_hint": "x"}, "data": {"width": 8, "height": "9"}}}
    loaded.metadata = dataclasses.replace(loaded.metadata, training=training)
    files.save(loaded, second)
    told = header(second)
    assert (told["modelspec.author"], told["modelspec.usage_hint"]) == ("Someone", "strength 0.8")
    assert "modelspec.resolution" not in told


@pytest.mark.parametrize(
    "training", [{"settings": 3}, {"settings": {"output": [1]}, "saved": 4}, {"saved": "yesterday"}]
)
def test_records_of_another_form_tell_nothing(training):
    found = modelspec.texts(network(training=training), "00")
    assert set(found) == {
        f"modelspec.{key}" for key in ("sai_model_spec", "architecture", "implementation", "title", "hash_sha256")
    }
