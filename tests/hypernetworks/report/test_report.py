import pytest
import torch
from hypernetwork_workbench.hypernetworks import files, report
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Metadata, Structure


def written(tmp_path, structure=None, suffix=".pt", **facts):
    path = tmp_path / f"n{suffix}"
    network = Hypernetwork.create(structure or Structure(), (8, 12), 0)
    network.metadata = Metadata(name="n", **facts)
    files.save(network, path)
    return path


def edited(path, **changes):
    state = torch.load(path, weights_only=True)
    torch.save({**state, **changes}, path)
    return path


def test_a_report_has_structure_sizes_step_and_training(tmp_path):
    structure = Structure((1, 1.5, 1), "relu", layer_norm=True)
    facts = {"step": 7, "sd_checkpoint": "abc", "sd_checkpoint_name": "demo", "training": {"dataset": "shapes"}}
    path = written(tmp_path, structure, **facts)
    described = report.describe(path)
    assert described.structure == structure
    assert described.layer_widths == {8: (8, 12, 8), 12: (12, 18, 12)}
    assert described.parameters == structure.parameter_count((8, 12))
    assert described.weight_bytes["float32"] == 4 * described.parameters
    assert described.weight_bytes["float16"] == described.weight_bytes["bfloat16"] == 2 * described.parameters
    assert described.file_bytes == path.stat().st_size
    assert described.short_hash == files.short_hash(path)
    assert (described.step, described.sd_checkpoint, described.sd_checkpoint_name) == (7, "abc", "demo")
    assert described.training == {"dataset": "shapes"}
    assert described.problem is None
    assert len(described.layers) == 2 * 2 * 8
    text = "\n".join(described.lines())
    assert "step 7" in text
    assert "demo [abc]" in text


def test_statistics_are_those_of_the_weights(tmp_path):
    path = written(tmp_path)
    state = torch.load(path, weights_only=True)
    state[12][1]["linear.0.bias"][:6] = torch.tensor([1.0, 2.0, 3.0, 4.0, float("nan"), float("inf")])
    torch.save(state, path)
    described = report.describe(path, bins=4)
    (layer,) = [one for one in described.layers if (one.width, one.side, one.name) == (12, "v", "linear.0.bias")]
    finite = torch.tensor([1.0, 2.0, 3.0, 4.0, *[0.0] * 18])
    assert layer.mean == pytest.approx(float(finite.mean()))
    assert layer.std == pytest.approx(float(finite.std(correction=0)))
    assert layer.zeros == pytest.approx(18 / 24)
    assert layer.not_finite == pytest.approx(2 / 24)
    assert layer.histogram == report.Histogram(0.0, 4.0, (18, 1, 1, 2))
    assert described.problem == "the weight 12.v.linear.0.bias is not finite"
    assert not any(described.readers.values())


READERS = ("WebUI", "ComfyUI", "SD.Next", "sdkit")
XL_WIDTHS, V2_WIDTHS = (2048, 640, 1280), (1024, 320, 640, 1280)


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        ({}, "yyyy"),
        ({"activation": "mish", "layer_structure": (1, 1.5, 0.5, 1)}, "yyyy"),
        ({"activation": "gelu"}, "ynyy"),
        ({"activation": "rrelu"}, "ynyn"),
        ({"dropout_structure": (0, 0.3, 0)}, "ynyn"),
        ({"layer_norm": True}, "yyyy"),
        ({"layer_norm": True, "activation": "relu"}, "ynyy"),
        ({"layer_norm": True, "activation": "relu", "activate_output": True}, "yyyy"),
        ({"skip_connection": True}, "nnnn"),
    ],
)
def test_readers_follow_their_rules(structure, expected, tmp_path):
    described = report.describe(written(tmp_path, Structure(**structure)))
    assert "".join("y" if described.readers[name] else "n" for name in READERS) == expected
    assert all(reader.reason for reader in described.readers.values())


@pytest.mark.parametrize(("widths", "expected"), [(XL_WIDTHS, "yynn"), (V2_WIDTHS, "yyyy")])
def test_sdxl_is_for_those_that_keep_hypernetworks_in_its_attention(widths, expected, tmp_path):
    path = tmp_path / "other.pt"
    files.save(Hypernetwork(Structure(layer_structure=(1, 0.01, 1)), widths), path)
    described = report.describe(path)
    assert "".join("y" if described.readers[name] else "n" for name in READERS) == expected


def test_forge_reads_all_that_we_do_with_this_extension_alone(tmp_path):
    for structure in ({"activation": "gelu"}, {"skip_connection": True}):
        answer = report.describe(written(tmp_path, Structure(**structure), suffix=".safetensors")).readers["Forge"]
        assert answer.reads
        assert "with this extension" in answer.reason


def test_no_other_program_opens_safetensors(tmp_path):
    described = report.describe(written(tmp_path, suffix=".safetensors"))
    assert described.form == "safetensors"
    assert not any(described.readers[name] for name in READERS)


def test_what_newer_torch_adds_to_the_zip_keeps_the_webui_out(tmp_path):
    path = written(tmp_path)
    state = torch.load(path, weights_only=True)
    torch.save(state, path)
    extra = {name.split("/", 1)[1] for name in files.read_content(path).members} - {"data.pkl", "version"}
    described = report.describe(path)
    assert described.readers["ComfyUI"].reads
    assert described.readers["WebUI"].reads == all(name.startswith("data/") for name in extra)
    files.save(files.load(path), path)
    assert report.describe(path).readers["WebUI"].reads


@pytest.mark.parametrize(
    ("changes", "reader", "reason"),
    [
        ({"activation_func": None}, "ComfyUI", "refuses an activation of None"),
        ({"layer_structure": None}, "WebUI", "refuses a layer_structure of None"),
        ({"dropout_structure": [0, 0, 0.2]}, "WebUI", "does not start and end with 0"),
        ({"77": "text"}, "ComfyUI", "takes an extra key for a width"),
    ],
)
def test_a_reader_that_fails_says_why(changes, reader, reason, tmp_path):
    path = edited(written(tmp_path), **changes)
    with_three = files.read_content(path)
    answer = report.readers(files.Content("zip", (), with_three.state), files.interpret(with_three, path), None)[reader]
    assert not answer.reads
    assert reason in answer.reason


def test_weights_out_of_order_are_wrong_in_comfyui(tmp_path):
    path = written(tmp_path)
    state = torch.load(path, weights_only=True)
    state[8] = tuple(dict(reversed(half.items())) for half in state[8])
    torch.save(state, path)
    assert "in the order of the file" in report.describe(path).readers["ComfyUI"].reason
    files.save(files.load(path), path)
    assert report.describe(path).readers["ComfyUI"].reads


def test_shapes_that_do_not_fit_are_reported_not_hidden(tmp_path):
    described = report.describe(edited(written(tmp_path), layer_structure=[1, 3, 1]))
    assert described.problem == "8.k.linear.0.weight has the shape [16, 8] in place of [24, 8]"
    assert described.layers
    assert not any(described.readers.values())


def test_what_is_no_file_is_an_error(tmp_path):
    with pytest.raises(HypernetworkFileError, match="no such file"):
        report.describe(tmp_path / "missing.pt")
