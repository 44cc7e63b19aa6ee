"""Files of embeddings: as the WebUI reads them, and read without being trusted."""

from __future__ import annotations

import json

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.embedding import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Metadata
from safetensors.torch import load_file, save_file

ONE = {"emb_params": torch.randn(3, 8)}
TWO = {"clip_l": torch.randn(3, 8), "clip_g": torch.randn(3, 12)}
KNOWN = Metadata("word", 7, "0123456789", "model", training={"run": "f" * 16, "settings": {"a": {"b": 1}}})


def as_the_webui_does(path):
    """Return the vectors as `create_embedding_from_data` of the WebUI finds them."""
    data = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    if "string_to_param" in data:
        (found,) = data["string_to_param"].values()
        return found.to(dtype=torch.float32)
    if "clip_g" in data and "clip_l" in data:
        return {key: value.detach().to(dtype=torch.float32) for key, value in data.items()}
    (found,) = data.values()
    return found


@pytest.mark.parametrize("suffix", files.SUFFIXES)
@pytest.mark.parametrize("vectors", [ONE, TWO], ids=["one", "two"])
def test_a_file_is_read_as_it_was_written_and_by_the_webui(tmp_path, vectors, suffix):
    path = tmp_path / f"word{suffix}"
    files.write(path, vectors, KNOWN)
    read = files.read(path)
    assert {key: value.tolist() for key, value in read.vectors.items()} == {k: v.tolist() for k, v in vectors.items()}
    assert read.metadata == KNOWN
    theirs = as_the_webui_does(path)
    if len(vectors) == 1:
        assert torch.equal(theirs, vectors["emb_params"])
    else:
        assert all(torch.equal(theirs[key], vectors[key]) for key in vectors)


def test_files_of_other_programs_are_read(tmp_path):
    torch.save({"<cat>": torch.ones(8)}, tmp_path / "concept.bin")
    vec = torch.nn.Parameter(torch.ones(2, 8))
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": vec.data}, "step": 3}, tmp_path / "old.pt")
    assert files.read(tmp_path / "concept.bin").vectors["emb_params"].shape == (1, 8)
    found = files.read(tmp_path / "old.pt")
    assert (found.metadata.name, found.metadata.step, found.vectors["emb_params"].shape) == ("old", 3, (2, 8))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": torch.ones(1, 8), "b": torch.ones(1, 8)}, "2 tensors"),
        ({"a": torch.ones(1, 2, 8)}, r"shape \[1, 2, 8\]"),
        ({"a": torch.full((1, 8), float("nan"))}, "not finite"),
        ({"clip_l": torch.ones(1, 8), "clip_g": torch.ones(2, 8)}, "different numbers of vectors"),
        ({"a": torch.ones(1, 8, dtype=torch.int64)}, "no numbers"),
    ],
)
def test_what_is_no_embedding_is_refused_with_the_reason(tmp_path, content, reason):
    save_file(content, tmp_path / "w.safetensors")
    with pytest.raises(HypernetworkFileError, match=rf"w\.safetensors: this is no embedding: .*{reason}"):
        files.read(tmp_path / "w.safetensors")


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 40)
    (tmp_path / "w.pt").write_bytes(b"PK" + b"\0" * 40)
    for name in ("w.safetensors", "w.pt", "none.pt"):
        with pytest.raises(HypernetworkFileError, match=name):
            files.read(tmp_path / name)


def test_metadata_that_is_none_is_left_out(tmp_path):
    text = json.dumps({"name": 3, "step": "many", "training": [1]})
    save_file(ONE, tmp_path / "w.safetensors", {"hypernetwork_workbench": text})
    assert files.read(tmp_path / "w.safetensors").metadata == Metadata("w")
