"""Text encoders under the names of the other library: there and back, and as transformers itself would have them."""

from __future__ import annotations

import pytest
import torch
from hypernetwork_workbench.hypernetworks.files import clip_names

WIDTH, LAYERS = 8, 2


def transformers_weights():
    transformers = pytest.importorskip("transformers")
    config = transformers.CLIPTextConfig(
        vocab_size=20,
        hidden_size=WIDTH,
        intermediate_size=16,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        max_position_embeddings=7,
        projection_dim=6,
    )
    torch.manual_seed(3)
    state = transformers.CLIPTextModelWithProjection(config).state_dict()
    return {name: torch.randn_like(one) for name, one in state.items() if one.is_floating_point()}


def seen(weights):
    names, get = clip_names.renamed(frozenset(weights), weights.__getitem__)
    return {name: get(name) for name in names}


@pytest.mark.parametrize("before", ["", "cond_stage_model.", "conditioner.embedders.1."])
def test_there_and_back_all_weights_are_the_same(before):
    plain = {f"{before}transformer.{name}": one for name, one in transformers_weights().items()}
    openclip = seen(plain)
    assert openclip[f"{before}model.transformer.resblocks.1.attn.in_proj_weight"].shape == (3 * WIDTH, WIDTH)
    assert openclip[f"{before}model.positional_embedding"].shape == (7, WIDTH)
    assert openclip[f"{before}model.text_projection"].shape == (WIDTH, 6)
    assert len(openclip) == len(plain) - 2 * 2 * LAYERS
    back = seen(openclip)
    assert torch.equal(back.pop(f"{before}text_projection"), openclip[f"{before}model.text_projection"])
    assert back.keys() == plain.keys()
    assert all(torch.equal(back[name], plain[name]) for name in plain)
    query = f"{before}transformer.text_model.encoder.layers.0.self_attn.q_proj.bias"
    assert torch.equal(openclip[f"{before}model.transformer.resblocks.0.attn.in_proj_bias"][:WIDTH], plain[query])


def test_files_of_a_text_encoder_alone_have_the_names_that_a_host_looks_for():
    alone = transformers_weights()
    assert "model.transformer.resblocks.0.mlp.c_fc.weight" in seen(alone)
    openclip = {name.removeprefix("model."): one for name, one in seen(alone).items()}
    assert seen(openclip).keys() == {"text_projection", *(f"transformer.{name}" for name in alone)}


def test_what_is_no_text_encoder_or_half_of_one_is_left_out():
    weight = torch.zeros(2, 2)
    lone = "transformer.text_model.encoder.layers.0.self_attn.q_proj.weight"
    assert seen({"first_stage_model.decoder.conv_in.bias": weight, "logit_scale": weight, lone: weight}) == {}
