"""Files saved by the WebUI and the original extension give the outputs these gave."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files, report
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from safetensors.torch import load_file

from tests.support import comfyui_reader, golden, webui_reader

CASES = golden.cases()
COMFYUI_KNOWS = {"linear", "relu", "leakyrelu", "elu", "swish", "tanh", "sigmoid", "softsign", "mish"}


@pytest.mark.parametrize(("path", "case"), CASES, ids=[path.stem for path, _ in CASES])
def test_a_golden_file_gives_its_outputs_also_after_writing_it(path, case, tmp_path):
    expected = load_file(golden.expected_path(path))
    network = files.load(path)
    assert network.structure.layer_structure == tuple(case["layer_structure"])
    assert network.structure.activation == case["activation_func"]
    assert network.structure.layer_norm == case["add_layer_norm"]
    assert network.structure.use_dropout == case["use_dropout"]
    assert network.structure.weight_init == case["weight_init"]
    assert network.metadata.step == 17
    assert network.metadata.name == path.stem
    assert (network.metadata.sd_checkpoint, network.metadata.sd_checkpoint_name) == ("0123456789", "tiny")
    outputs = {}
    for width in network.widths:
        outputs[width] = network.transform(expected[f"{width}.x"], case["strength"])
        for side, output in zip("kv", outputs[width], strict=True):
            torch.testing.assert_close(output, expected[f"{width}.{side}"], atol=1e-5, rtol=0)
    for suffix in (".pt", ".safetensors"):
        copy = tmp_path / f"copy{suffix}"
        files.save(network, copy)
        again = files.load(copy)
        assert again.structure == network.structure
        assert again.metadata == network.metadata
        for width in network.widths:
            for old, new in zip(outputs[width], again.transform(expected[f"{width}.x"], case["strength"]), strict=True):
                assert torch.equal(old, new)


@pytest.mark.parametrize(("path", "case"), CASES, ids=[path.stem for path, _ in CASES])
def test_a_golden_file_written_here_is_read_by_the_webui(path, case, tmp_path):
    expected = load_file(golden.expected_path(path))
    copy = tmp_path / "copy.pt"
    files.save(files.load(path), copy)
    assert report.describe(copy).readers["WebUI"].reads == (not case.get("skip_connection", False))
    if case.get("skip_connection"):
        with pytest.raises(webui_reader.ReaderError):
            webui_reader.read(copy)
        return
    reader = webui_reader.read(copy)
    for width in reader.layers:
        for side, output in zip("kv", reader.transform(expected[f"{width}.x"], case["strength"]), strict=True):
            torch.testing.assert_close(output, expected[f"{width}.{side}"], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("path", "case"), CASES, ids=[path.stem for path, _ in CASES])
def test_the_portable_form_of_a_golden_file_is_read_right_by_all_or_refused(path, case, tmp_path):
    expected = load_file(golden.expected_path(path))
    copy = tmp_path / "copy.pt"
    network = files.load(path)
    norm_alone = (
        case["add_layer_norm"] and case["activation_func"] != "linear" and not network.structure.activate_output
    )
    if case.get("skip_connection") or norm_alone or case["activation_func"] not in COMFYUI_KNOWS:
        with pytest.raises(HypernetworkFileError, match="no portable form"):
            files.save(network, copy, portable=True)
        assert not copy.exists()
        return
    files.save(network, copy, portable=True)
    for reader in (files.load(copy), webui_reader.read(copy), comfyui_reader.read(copy)):
        for width in (int(key.split(".")[0]) for key in expected if key.endswith(".x")):
            for side, output in zip("kv", reader.transform(expected[f"{width}.x"], case["strength"]), strict=True):
                torch.testing.assert_close(output, expected[f"{width}.{side}"], atol=1e-5, rtol=0)
