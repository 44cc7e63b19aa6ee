"""Hypernetworks of the host: how a prompt names them and what attention does with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.standalone.test_processing import make, pixels
from tests.support.tiny_checkpoint import WIDTHS


def write_network(path, scale=0.3, widths=WIDTHS):
    generator = torch.Generator().manual_seed(4)

    def part(width):
        return {
            "linear.0.weight": torch.randn(2 * width, width, generator=generator) * scale / width**0.5,
            "linear.0.bias": torch.zeros(2 * width),
            "linear.1.weight": torch.randn(width, 2 * width, generator=generator) * scale,
            "linear.1.bias": torch.zeros(width),
        }

    state = {width: (part(width), part(width)) for width in widths}
    torch.save({**state, "name": path.stem, "layer_structure": [1, 2, 1], "activate_output": False}, path)


@pytest.fixture
def network(host):
    shared = host.module("shared")
    folder = shared.cmd_opts.hypernetwork_dir
    path = host.data_dir / "models" / "hypernetworks" / "bend.pt"
    assert str(path.parent) == folder
    write_network(path)
    shared.reload_hypernetworks()
    yield path
    path.unlink()
    shared.reload_hypernetworks()
    shared.loaded_hypernetworks.clear()


def test_prompts_are_parsed_as_in_the_webui(host):
    parse = host.module("extra_networks").parse_prompt
    text, found = parse("1girl, <hypernet:agm:1.1> <lora:x:12:k=v> <hypernet:ray>, end <not one>")
    assert text == "1girl,  , end <not one>".replace(" ,", "  ,", 1)
    assert [params.items for params in found["hypernet"]] == [["agm", "1.1"], ["ray"]]
    assert [params.items for params in found["lora"]] == [["x", "12", "k=v"]]


def test_network_in_the_prompt_changes_the_picture_by_its_strength(host, network):
    pictures = [pixels(make(host, prompt=f"a circle{tag}").images[0]) for tag in ("", "<hypernet:bend:0>")]
    assert np.array_equal(*pictures)
    half, full = (pixels(make(host, prompt=f"a circle<hypernet:bend:{s}>").images[0]) for s in (0.5, 1))
    assert not np.array_equal(half, pictures[0])
    assert not np.array_equal(half, full)
    assert np.array_equal(pixels(make(host, prompt="a circle").images[0]), pictures[0])


def test_network_of_the_settings_is_added_with_the_default_strength(host, network):
    opts = host.module("shared").opts
    opts.sd_hypernetwork, opts.extra_networks_default_multiplier = "bend", 0.5
    try:
        by_setting = make(host, prompt="a circle")
    finally:
        opts.sd_hypernetwork, opts.extra_networks_default_multiplier = "None", 1.0
    by_prompt = make(host, prompt="a circle<hypernet:bend:0.5>")
    assert np.array_equal(pixels(by_setting.images[0]), pixels(by_prompt.images[0]))
    assert by_setting.info == by_prompt.info


def test_unknown_network_is_left_out_with_a_word_in_the_log(host, caplog):
    make(host, prompt="a circle <hypernet:nowhere:1>")
    assert "nowhere" in caplog.text


def test_broken_network_file_is_logged_and_left_out(host, network, caplog):
    network.write_bytes(b"not a network")
    make(host, prompt="a circle <hypernet:bend:1>")
    assert "bend.pt" in caplog.text


def attention_layers(model):
    return [module for module in model.model.diffusion_model.modules() if type(module).__name__ == "CrossAttention"]


def test_both_attention_forwards_agree_with_and_without_a_network(host, network):
    hypernetwork = host.module("hypernetworks.hypernetwork")
    optimizations = host.module("sd_hijack")
    layer = next(layer for layer in attention_layers(host.model) if layer.to_k.in_features == WIDTHS[0])
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, 5, layer.to_q.in_features, generator=generator)
    context = torch.randn(2, 7, WIDTHS[0], generator=generator)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    results = []
    for names in ([], ["bend"]):
        hypernetwork.load_hypernetworks(names, [0.7] * len(names))
        with torch.no_grad():
            plain = hypernetwork.attention_CrossAttention_forward(layer, x, context, mask)
            fused = optimizations.scaled_dot_product_attention_forward(layer, x, context, mask)
        assert torch.allclose(plain, fused, atol=1e-5)
        results.append(plain)
    assert not torch.allclose(results[0], results[1], atol=1e-3)


def test_optimizations_go_on_and_off(host):
    sd_hijack, attention = host.module("sd_hijack"), type(next(iter(attention_layers(host.model))))
    fused = host.module("sd_hijack").scaled_dot_product_attention_forward
    plain = host.module("hypernetworks.hypernetwork").attention_CrossAttention_forward
    try:
        assert sd_hijack.apply_optimizations("None") == ""
        assert attention.forward is plain
        assert sd_hijack.apply_optimizations() == "sdp"
        assert attention.forward is fused
        sd_hijack.undo_optimizations()
        assert attention.forward is plain
    finally:
        sd_hijack.apply_optimizations()


def test_checkpointing_gives_the_same_gradients_and_is_taken_back(host):
    checkpointing = host.module("sd_hijack_checkpoint")
    model = host.model
    block = next(type(one) for one in model.modules() if type(one).__name__ == "BasicTransformerBlock")
    before = block.forward

    def gradient():
        x = torch.ones(1, 4, 8, 8, requires_grad=True)
        context = torch.ones(1, 77, WIDTHS[0])
        model.requires_grad_(False)
        model.apply_model(x, torch.tensor([5]), {"c_crossattn": [context]}).square().sum().backward()
        return x.grad

    try:
        plain = gradient()
        checkpointing.add()
        checkpointing.add()
        assert block.forward is not before
        saved = gradient()
    finally:
        checkpointing.remove()
        checkpointing.remove()
        model.requires_grad_(True)
    assert block.forward is before
    assert torch.allclose(plain, saved, rtol=1e-4, atol=1e-6)
