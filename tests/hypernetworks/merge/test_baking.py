"""Baking a network into a checkpoint: what each attention layer gives, what is refused, what the file keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import MergeError, SettingsError
from hypernetwork_workbench.hypernetworks.merge import baking
from hypernetwork_workbench.hypernetworks.merge.baking.checkpoint_file import CheckpointError, CheckpointFile
from hypernetwork_workbench.hypernetworks.merge.baking.layers import Baking, attention_layers
from safetensors.torch import load_file, save_file

from tests.support.networks import random_network

UNET = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0"


def checkpoint(dtype=torch.float32):
    """One block with self-attention of width 8 and cross-attention of width 12, and weights that nothing may touch."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, width in (("attn1", 8), ("attn2", 12)):
        for key, shape in (("to_q", (8, 8)), ("to_k", (8, width)), ("to_v", (8, width)), ("to_out.0", (8, 8))):
            state[f"{UNET}.{name}.{key}.weight"] = torch.randn(shape, generator=generator).to(dtype)
        state[f"{UNET}.{name}.to_out.0.bias"] = torch.randn(8, generator=generator).to(dtype)
    state["cond_stage_model.attn1.to_k.weight"] = torch.randn(8, 8, generator=generator).to(dtype)
    state["first_stage_model.ids"] = torch.arange(5)
    return state


def shapes(state):
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def attend(state, name, x, context_k, context_v):
    """Plain attention of one head, all in float64."""
    q, k, v, out = (state[f"{UNET}.{name}.{key}.weight"].double() for key in ("to_q", "to_k", "to_v", "to_out.0"))
    scores = (x @ q.T) @ (context_k @ k.T).transpose(1, 2) / 8**0.5
    return scores.softmax(-1) @ (context_v @ v.T) @ out.T + state[f"{UNET}.{name}.to_out.0.bias"].double()


@pytest.mark.parametrize("strength", [1.0, 0.4, -2.0])
@pytest.mark.parametrize("layers", [(1, 1), (1, 2, 1)])
def test_each_layer_gives_what_it_gives_with_the_network(strength, layers):
    state, network = checkpoint(), random_network(1, (8, 12), layer_structure=layers)
    baked = {**state, **dict(Baking(state, shapes(state), network, strength))}
    generator = torch.Generator().manual_seed(5)
    for name, width in (("attn1", 8), ("attn2", 12)):
        x = torch.randn(2, 6, 8, generator=generator).double()
        context = torch.randn(2, 6, width, generator=generator).double()
        with torch.no_grad():
            inputs = network.double().transform(context, strength)
        wanted = attend(state, name, x, *inputs)
        torch.testing.assert_close(attend(baked, name, x, context, context), wanted, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(attend(state, name, x, context, context), wanted, atol=1e-2)


def test_only_what_the_network_acts_on_changes():
    state = checkpoint(torch.float16)
    changed = Baking(state, shapes(state), random_network(1, (12, 99)), 1.0)
    keys = ("to_k.weight", "to_v.weight", "to_out.0.bias")
    assert set(changed) == {f"{UNET}.attn2.{key}" for key in keys}
    assert len(changed) == 3
    assert {tensor.dtype for tensor in changed.values()} == {torch.float16}
    assert [(layer.width, layer.carries_bias) for layer in attention_layers(shapes(state))] == [(8, True), (12, True)]


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        ({"activation": "relu"}, "the network has the activation relu"),
        ({"layer_norm": True}, "the network has LayerNorm"),
        ({"skip_connection": True}, "the network has residual blocks"),
    ],
)
def test_networks_that_are_not_affine_are_refused(structure, reason):
    state = checkpoint()
    with pytest.raises(MergeError, match=reason):
        Baking(state, shapes(state), random_network(1, (8, 12), **structure), 1.0)


def test_a_bias_that_nothing_can_carry_is_refused_with_its_size():
    state = checkpoint()
    del state[f"{UNET}.attn2.to_out.0.bias"]
    network = random_network(1, (12,))
    with pytest.raises(MergeError, match=r"attn2 has no bias in to_out .* whose values reach \d"):
        Baking(state, shapes(state), network, 1.0)
    for module in network.pair(12):
        for name, tensor in module.state_dict().items():
            if name.endswith("bias"):
                tensor.zero_()
    assert set(Baking(state, shapes(state), network, 1.0)) == {f"{UNET}.attn2.to_{side}.weight" for side in "kv"}


def test_what_does_not_fit_is_refused():
    state = checkpoint(torch.float16)
    with pytest.raises(MergeError, match="so nothing would change"):
        Baking(state, shapes(state), random_network(1, (768,)), 1.0)
    with pytest.raises(MergeError, match="no attention layers"):
        Baking({}, {}, random_network(1, (8,)), 1.0)
    network = random_network(1, (8,))
    for tensor in network.state_dict().values():
        tensor.fill_(300)
    with pytest.raises(MergeError, match="does not fit into float16"):
        dict(Baking(state, shapes(state), network, 1000.0))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file(checkpoint(torch.float16), path, {"kind": "test"})
    path.with_suffix(".yaml").write_text("model: {}\n", encoding="utf-8")
    files.save(random_network(2, (8, 12)), tmp_path / "net.pt")
    return path


def settings(**given):
    return baking.BakeSettings.from_mapping(
        {"network": "net", "checkpoint": "model", "name": "baked", "strength": 0.5, **given}
    )


def test_the_file_keeps_all_else_bit_for_bit_and_tells_what_it_is(source, tmp_path):
    path = baking.target(tmp_path / "new" / "one", source, settings())
    assert baking.bake(tmp_path / "net.pt", source, path, settings()) == 2
    before, after = load_file(source), load_file(path)
    assert list(before) == list(after)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    keys = ("to_k.weight", "to_v.weight", "to_out.0.bias")
    assert changed == {f"{UNET}.attn{number}.{key}" for number in (1, 2) for key in keys}
    with CheckpointFile(path) as file:
        assert file.texts["kind"] == "test"
        recipe = json.loads(file.texts["hypernetwork_bake"])
    assert recipe["hash"] == files.short_hash(tmp_path / "net.pt")
    assert (recipe["network"], recipe["strength"]) == ("net", 0.5)
    assert path.with_suffix(".yaml").read_text(encoding="utf-8") == "model: {}\n"
    assert sorted(one.name for one in path.parent.iterdir()) == ["baked.safetensors", "baked.yaml"]


def test_nothing_is_ever_overwritten(source, tmp_path):
    with pytest.raises(SettingsError, match=r"model\.safetensors exists already; choose another name$"):
        baking.target(tmp_path, source, settings(name="model"))
    (tmp_path / "baked.yaml").write_text("other", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"baked\.yaml exists already"):
        baking.target(tmp_path, source, settings())


def test_a_failure_leaves_no_file(source, tmp_path):
    network = random_network(1, (8,))
    for tensor in network.state_dict().values():
        tensor.fill_(300)
    files.save(network, tmp_path / "net.pt")
    path = baking.target(tmp_path / "new", source, settings(strength=1000))
    with pytest.raises(MergeError, match="does not fit"):
        baking.bake(tmp_path / "net.pt", source, path, settings(strength=1000))
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[:-1], "its data has another length"),
        (lambda data: data[:4], "its header"),
        (lambda data: b"\xff" * 8 + data[8:], "far too large"),
        (lambda data: data[:8] + b"x" + data[9:], "its header is damaged"),
        (lambda data: data.replace(b'"F16"', b'"F32"', 1), "its header is damaged"),
    ],
)
def test_broken_checkpoints_are_refused(spoil, reason, source):
    source.write_bytes(spoil(source.read_bytes()))
    with pytest.raises(CheckpointError, match=reason):
        CheckpointFile(source)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match=r"is no \.safetensors file"):
        CheckpointFile(tmp_path / "model.ckpt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        CheckpointFile(tmp_path / "absent.safetensors")
    save_file({f"{UNET}.attn2.to_k.weight": torch.zeros(4, 12).to(torch.float8_e4m3fn)}, tmp_path / "small.safetensors")
    with (
        CheckpointFile(tmp_path / "small.safetensors") as file,
        pytest.raises(CheckpointError, match="kept as F8_E4M3"),
    ):
        file[f"{UNET}.attn2.to_k.weight"]


def test_settings_of_a_bake_name_what_is_wrong():
    plain = baking.BakeSettings(network="net", checkpoint="model", name="baked")
    assert plain.strength == 1.0
    for strength in (-1000, 1000, 0.1):
        assert settings(strength=strength).strength == strength
    for field, value in (("strength", 0), ("strength", 1000.5), ("strength", -1000.5), ("name", ""), ("name", "a/b")):
        with pytest.raises(SettingsError) as caught:
            settings(**{field: value})
        assert caught.value.field == field


def test_an_attention_layer_has_a_matrix_for_k_and_one_for_v():
    to_k, to_v = (f"{UNET}.attn1.to_{side}.weight" for side in "kv")
    assert [(layer.name, layer.width) for layer in attention_layers({to_k: (8, 5), to_v: (8, 5)})] == [
        (f"{UNET}.attn1", 5)
    ]
    assert attention_layers({to_k: (8, 5)}) == ()
    for shape in ((8,), (8, 5, 1, 1)):
        assert attention_layers({to_k: shape, to_v: shape}) == ()


def test_a_config_that_is_gone_already_does_not_hide_why_a_bake_failed(source, tmp_path, monkeypatch):
    path = baking.target(tmp_path / "new", source, settings())

    def fail(*_):
        path.with_suffix(".yaml").unlink()
        raise CheckpointError("the disk is full")

    monkeypatch.setattr(CheckpointFile, "write_changed", fail)
    with pytest.raises(CheckpointError, match="the disk is full"):
        baking.bake(tmp_path / "net.pt", source, path, settings())
