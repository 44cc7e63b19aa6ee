import os
import time
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files, report
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError, SettingsError
from hypernetwork_workbench.hypernetworks.files.portable import reads_as_number
from hypernetwork_workbench.hypernetworks.network.activations import ACTIVATIONS
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Metadata, Structure
from hypernetwork_workbench.hypernetworks.network.layers import WEIGHT_INITS
from hypothesis import given
from hypothesis import strategies as st

from tests.support import comfyui_reader, webui_reader
from tests.support.examples import examples

PROPERTY = examples(60)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def structures(draw) -> Structure:
    hidden = draw(st.lists(st.sampled_from([0.5, 0.75, 1, 1.5, 2, 3]), max_size=3))
    dropout = [0, *(draw(st.sampled_from([0, 0.1, 0.35])) for _ in hidden), 0]
    residual = draw(st.booleans())
    return Structure(
        layer_structure=(1, *hidden, 1),
        activation=draw(st.sampled_from(sorted(ACTIVATIONS))),
        weight_init=draw(st.sampled_from(WEIGHT_INITS)),
        init_std=draw(st.sampled_from([0, 0.01, 0.3])),
        layer_norm=draw(st.booleans()),
        activate_output=draw(st.booleans()),
        dropout_structure=tuple(dropout),
        skip_connection=residual,
        upsample_linear=residual and draw(st.booleans()),
    )


@st.composite
def metadata(draw) -> Metadata:
    text = st.none() | st.text(min_size=1, max_size=20)
    return Metadata(
        name=draw(st.text(min_size=1, max_size=20)),
        step=draw(st.integers(0, 10**9)),
        sd_checkpoint=draw(text),
        sd_checkpoint_name=draw(text),
        optional_info=draw(text),
        training=draw(st.dictionaries(st.text(max_size=8), PLAIN, max_size=3)),
        extra=draw(st.dictionaries(st.text(min_size=1, max_size=8).map("x_".__add__), PLAIN, max_size=3)),
    )


def make(structure: Structure, facts: Metadata | None = None, seed: int = 0, widths=(8, 12)) -> Hypernetwork:
    network = Hypernetwork.create(structure, widths, seed)
    network.metadata = facts or Metadata(name="n")
    return network


def inputs(width: int) -> torch.Tensor:
    return torch.randn(2, 5, width, generator=torch.Generator().manual_seed(width))


def assert_same(first, second, strength=0.7, exact=True):
    for width in (8, 12):
        for a, b in zip(
            first.transform(inputs(width), strength), second.transform(inputs(width), strength), strict=True
        ):
            torch.testing.assert_close(a, b, atol=0 if exact else 1e-5, rtol=0)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@given(structure=structures(), facts=metadata())
@PROPERTY
def test_settings_metadata_and_outputs_survive_a_file(suffix, structure, facts, tmp_path):
    network = make(structure, facts)
    files.save(network, tmp_path / f"n{suffix}")
    again = files.load(tmp_path / f"n{suffix}")
    assert again.structure == structure
    assert again.metadata == facts
    assert again.widths == network.widths
    assert not again.training
    assert_same(network, again)


@given(structure=structures())
@PROPERTY
def test_the_webui_reads_what_is_written_and_the_report_knows(structure, tmp_path):
    network, path = make(structure), tmp_path / "n.pt"
    files.save(network, path)
    if report.describe(path).readers["WebUI"]:
        assert_same(network, webui_reader.read(path), exact=False)
    else:
        with pytest.raises(webui_reader.ReaderError):
            webui_reader.read(path)


@given(structure=structures())
@PROPERTY
def test_comfyui_reads_what_the_report_says_it_reads(structure, tmp_path):
    network, path = make(structure), tmp_path / "n.pt"
    files.save(network, path)
    if report.describe(path).readers["ComfyUI"]:
        assert_same(network, comfyui_reader.read(path), exact=False)


@given(structure=structures())
@PROPERTY
def test_the_portable_form_is_read_right_by_all_or_refused_with_the_reason(structure, tmp_path):
    network, path = make(structure), tmp_path / "n.pt"
    path.unlink(missing_ok=True)
    fits = (
        structure.activation in comfyui_reader.ACTIVATIONS
        and not structure.skip_connection
        and (not structure.layer_norm or structure.activation == "linear" or structure.activate_output)
    )
    if not fits:
        with pytest.raises(HypernetworkFileError, match="no portable form"):
            files.save(network, path, portable=True)
        assert not path.exists()
        return
    files.save(network, path, portable=True)
    assert all(report.describe(path).readers.values())
    state = torch.load(path, weights_only=True)
    assert state["use_dropout"] is False
    assert not any(state["dropout_structure"])
    for reader in (files.load, webui_reader.read, comfyui_reader.read):
        assert_same(network, reader(path), exact=False)


def test_a_written_file_has_only_the_three_members_plain_numbers_and_aligned_data(tmp_path):
    network, path = make(Structure(activation="relu"), Metadata(name="n", step=3)), tmp_path / "n.pt"
    network.metadata.training = {"rate": np.float64(0.5), "steps": np.int64(7)}
    files.save(network, path)
    with zipfile.ZipFile(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.namelist()}
    assert names == {"data.pkl", "version", *(f"data/{index}" for index in range(16))}
    for state in (torch.load(path, weights_only=True), torch.load(path, weights_only=True, mmap=True)):
        assert state["training"] == {"rate": 0.5, "steps": 7}
        assert type(state["training"]["rate"]) is float
        assert [key for key in state if type(key) is int] == [8, 12]
        for flag in ("activate_output", "is_layer_norm", "use_dropout", "last_layer_dropout"):
            assert state[flag] is False
        assert all(tensor.data_ptr() % 4 == 0 for tensor in state[8][0].values())


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_may_be_saved_in_three_dtypes_and_load_as_float32(suffix, dtype, tmp_path):
    network, path = make(Structure(weight_init="XavierNormal")), tmp_path / f"n{suffix}"
    files.save(network, path, dtype=dtype)
    described = report.describe(path)
    assert described.dtypes == (str(dtype).removeprefix("torch."),)
    again = files.load(path)
    for old, new in zip(network.parameters(), again.parameters(), strict=True):
        assert new.dtype == torch.float32
        assert torch.equal(old.to(dtype).float(), new)
    assert next(network.parameters()).dtype == torch.float32
    files.save(again, tmp_path / f"again{suffix}", dtype=dtype)
    assert (tmp_path / f"again{suffix}").read_bytes() == path.read_bytes()


def test_a_dtype_too_small_for_the_weights_is_refused(tmp_path):
    network = make(Structure())
    with torch.no_grad():
        next(network.parameters()).fill_(1e6)
    with pytest.raises(HypernetworkFileError, match=r"does not fit into torch\.float16"):
        files.save(network, tmp_path / "n.pt", dtype=torch.float16)
    with pytest.raises(SettingsError, match="dtype"):
        files.save(network, tmp_path / "n.pt", dtype=torch.int8)
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_never_replace_a_good_file(tmp_path):
    network, path = make(Structure()), tmp_path / "n.pt"
    files.save(network, path)
    before = path.read_bytes()
    with torch.no_grad():
        list(network.parameters())[-1].view(-1)[3] = float("nan")
    for target in (path, tmp_path / "other.safetensors"):
        with pytest.raises(HypernetworkFileError, match=r"12\.v\.linear\.1\.bias is not finite"):
            files.save(network, target)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def old_file(width: int = 8, kind=tuple) -> dict:
    def state() -> dict:
        return {
            "linear1.weight": torch.randn(2 * width, width),
            "linear1.bias": torch.randn(2 * width),
            "linear2.weight": torch.randn(width, 2 * width),
            "linear2.bias": torch.randn(width),
        }

    return {width: kind((state(), state()))}


@pytest.mark.parametrize("kind", [tuple, list])
@pytest.mark.parametrize("new_zip", [True, False])
def test_old_files_without_metadata_load(kind, new_zip, tmp_path):
    state, path = old_file(kind=kind), tmp_path / "anime.pt"
    torch.save(state, path, _use_new_zipfile_serialization=new_zip)
    network = files.load(path)
    assert network.structure == Structure(activate_output=True)
    assert network.metadata == Metadata(name="anime")
    x = inputs(8)
    weights = state[8][1]
    hidden = x @ weights["linear1.weight"].T + weights["linear1.bias"]
    wanted = x + hidden @ weights["linear2.weight"].T + weights["linear2.bias"]
    torch.testing.assert_close(network.transform(x)[1], wanted)


def test_keys_the_format_does_not_know_are_kept(tmp_path):
    path = tmp_path / "n.pt"
    extra: dict = {"my_tool": {"a": [1, (2, 3)], "b": None}, "optimizer_name": "AdamW", "mask": torch.arange(3)}
    torch.save({**old_file(), **extra, "step": 5}, path)
    files.save(files.load(path), tmp_path / "again.pt")
    again = files.load(tmp_path / "again.pt").metadata.extra
    assert torch.equal(again.pop("mask"), extra.pop("mask"))
    assert again == extra
    with pytest.raises(HypernetworkFileError, match="cannot be written as text"):
        files.save(files.load(path), tmp_path / "again.safetensors")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_another_tools_training_key_is_kept(suffix, tmp_path):
    torch.save({**old_file(), "training": "by hand"}, tmp_path / "n.pt")
    files.save(files.load(tmp_path / "n.pt"), tmp_path / f"again{suffix}")
    assert files.load(tmp_path / f"again{suffix}").metadata.extra == {"training": "by hand"}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("activation_func", None, {"activation": "linear"}),
        ("weight_initialization", None, {"weight_init": "Normal"}),
        ("weight_initialization", "MyOwn", {"weight_init": "Normal"}),
        ("is_layer_norm", None, {"layer_norm": False}),
        ("activate_output", None, {"activate_output": False}),
        ("activate_output", 1, {"activate_output": True}),
        ("layer_structure", None, {"layer_structure": (1, 2, 1)}),
        ("dropout_structure", [0, 0, 0.2], {"dropout_structure": (0, 0, 0)}),
        ("use_dropout", True, {"dropout_structure": (0, 0, 0)}),
    ],
)
def test_odd_metadata_is_read_by_the_rules_of_the_format(key, value, expected, tmp_path):
    torch.save({**old_file(), key: value}, tmp_path / "n.pt")
    structure = files.load(tmp_path / "n.pt").structure
    assert {name: getattr(structure, name) for name in expected} == expected


def test_hardswish_is_the_formats_swish(tmp_path):
    network = make(Structure(activation="swish"))
    files.save(network, tmp_path / "n.pt")
    state = torch.load(tmp_path / "n.pt", weights_only=True)
    torch.save({**state, "activation_func": "hardswish"}, tmp_path / "n.pt")
    assert files.load(tmp_path / "n.pt").structure == network.structure


def test_use_dropout_without_a_structure_means_three_tenths_between_the_hidden_layers(tmp_path):
    network = make(Structure((1, 2, 2, 2, 1), dropout_structure=(0, 0.3, 0.3, 0, 0)))
    files.save(network, tmp_path / "n.pt")
    state = torch.load(tmp_path / "n.pt", weights_only=True)
    del state["dropout_structure"]
    torch.save(state, tmp_path / "n.pt")
    assert files.load(tmp_path / "n.pt").structure.dropout_structure == (0, 0.3, 0.3, 0, 0)
    state["last_layer_dropout"] = True
    torch.save(state, tmp_path / "n.pt")
    # The last dropout takes a key number of its own.
    with pytest.raises(HypernetworkFileError, match=r"8\.k lacks linear\.6\.weight"):
        files.load(tmp_path / "n.pt")


def test_numpy_numbers_text_widths_and_parameters_of_other_tools_load(tmp_path):
    state = old_file()
    pair = tuple(OrderedDict((name, torch.nn.Parameter(value)) for name, value in half.items()) for half in state[8])
    content = {"8": pair, "step": np.int64(12), "loss": np.float32(0.5), "rate": np.float64(1e-5)}
    torch.save(content, tmp_path / "n.pt")
    network = files.load(tmp_path / "n.pt")
    assert network.widths == (8,)
    assert network.metadata.step == 12
    assert network.metadata.extra == {"loss": 0.5, "rate": 1e-5}
    assert not report.describe(tmp_path / "n.pt").readers["WebUI"]


def test_k_and_v_with_the_same_weights_load_as_two(tmp_path):
    half = old_file()[8][0]
    torch.save({8: (half, half)}, tmp_path / "n.pt")
    network = files.load(tmp_path / "n.pt")
    with torch.no_grad():
        network.pair(8)[0].linear[0].weight.zero_()
    assert network.pair(8)[1].linear[0].weight.any()


def test_loading_does_not_depend_on_torch_load(tmp_path, monkeypatch):
    files.save(make(Structure()), tmp_path / "n.pt")
    monkeypatch.setattr(torch, "load", lambda *_, **__: None)
    assert files.load(tmp_path / "n.pt").widths == (8, 12)


def test_the_content_decides_how_a_file_is_read(tmp_path):
    network = make(Structure())
    files.save(network, tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").rename(tmp_path / "b.pt")
    assert_same(network, files.load(tmp_path / "b.pt"))


def test_safetensors_hold_all_metadata_as_text_and_open_elsewhere(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    facts = Metadata(name="夜", step=9, sd_checkpoint="abc", training={"dataset": "shapes"}, extra={"k": [1]})
    path = tmp_path / "n.safetensors"
    files.save(make(Structure((1, 1.5, 1), "mish"), facts), path)
    with safetensors.safe_open(path, "pt") as file:
        texts = file.metadata()
        assert file.get_tensor("12.v.linear.2.weight").shape == (12, 18)
    assert texts["name"] == "夜"
    assert texts["layer_structure"] == "[1, 1.5, 1]"
    assert texts["training"] == '{"dataset": "shapes"}'
    assert files.load(path).metadata == facts
    with pytest.raises(HypernetworkFileError, match=r"portable form is a \.pt"):
        files.save(make(Structure()), path, portable=True)


def test_optimizer_state_belongs_to_one_file(tmp_path):
    network, path = make(Structure()), tmp_path / "n.pt"
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    network.train().transform(inputs(8))[0].sum().backward()
    optimizer.step()
    files.save(network, path)
    place = files.optimizer_path(path)
    assert place.name == "n.pt.optim"
    assert files.load_optimizer_state(place, "0" * 10) is None
    files.save_optimizer_state(place, "AdamW", optimizer.state_dict(), files.short_hash(path))
    content = torch.load(place, weights_only=True)
    assert content["hash"] == files.short_hash(path)
    loaded = files.load_optimizer_state(place, files.short_hash(path))
    assert loaded is not None
    name, state = loaded
    assert name == "AdamW"
    fresh = torch.optim.AdamW(network.parameters(), lr=1)
    fresh.load_state_dict(state)
    for key, values in optimizer.state_dict()["state"].items():
        for field, value in values.items():
            assert torch.equal(fresh.state_dict()["state"][key][field], value)
    assert fresh.param_groups[0]["lr"] == 1e-3
    assert files.load_optimizer_state(place, "0" * 10) is None
    place.write_bytes(place.read_bytes()[:-100])
    with pytest.raises(HypernetworkFileError, match=r"n\.pt\.optim"):
        files.load_optimizer_state(place, files.short_hash(path))


def test_a_value_no_file_can_hold_is_named(tmp_path):
    network = make(Structure())
    network.metadata.training = {"optimizer": {"kind": object()}}
    with pytest.raises(HypernetworkFileError, match=r"\['training'\]\['optimizer'\]\['kind'\] is a object"):
        files.save(network, tmp_path / "n.pt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [2**80, "\ud800", [[0] * 20] * 20_000])
def test_what_could_not_be_read_again_is_not_written(value, tmp_path):
    net = make(Structure())
    files.save(net, tmp_path / "x.pt")
    before = (tmp_path / "x.pt").read_bytes()
    net.metadata.training["found"] = value
    with pytest.raises(HypernetworkFileError, match=r"^x\.pt: "):
        files.save(net, tmp_path / "x.pt")
    assert (tmp_path / "x.pt").read_bytes() == before


@pytest.mark.parametrize("name", ["n.ckpt", "n", "n.pt.optim"])
def test_only_the_two_suffixes_are_written(name, tmp_path):
    with pytest.raises(HypernetworkFileError, match="must end in"):
        files.save(make(Structure()), tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights elsewhere")
def test_a_symbolic_link_is_not_written_through(tmp_path):
    (tmp_path / "real.pt").write_bytes(b"old")
    (tmp_path / "n.pt").symlink_to(tmp_path / "real.pt")
    with pytest.raises(HypernetworkFileError, match="symbolic link"):
        files.save(make(Structure()), tmp_path / "n.pt")
    assert (tmp_path / "real.pt").read_bytes() == b"old"


@pytest.mark.slow
def test_an_sd1_network_has_its_size_and_loads_at_once(tmp_path):
    path = tmp_path / "n.pt"
    files.save(Hypernetwork.create(Structure(), (768, 320, 640, 1280), 0), path)
    assert round(path.stat().st_size / 1e6, 1) == 87.8
    seconds = []
    for _ in range(5):
        start = time.thread_time()
        files.load(path)
        seconds.append(time.thread_time() - start)
    assert min(seconds) < 0.3


@pytest.mark.parametrize(
    ("key", "is_width"),
    [
        ("12", True),
        (" 1_2 ", True),
        (b"12", True),
        (12.5, True),
        (True, True),
        ("", False),
        ("1.5", False),
        ("x", False),
        (None, False),
        ((1,), False),
        (float("inf"), False),
        (float("nan"), False),
    ],
)
def test_a_key_that_comfyui_takes_for_a_width_is_known(key, is_width):
    assert reads_as_number(key) == is_width
