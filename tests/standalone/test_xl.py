"""SDXL on the embedded host: how a checkpoint is recognised, what its text becomes, and what its U-Net is told."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from hypernetwork_workbench.standalone import host as embedded
from safetensors.torch import load_file, save_file
from torch.nn import functional

from tests.standalone.test_checkpoints import refusal
from tests.standalone.test_processing import LONG_PROMPT, make, pixels
from tests.support import tiny_xl

REAL = {
    "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
    "conditioner.embedders.1.model.ln_final.weight": (1280,),
    "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
    "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 2048),
    "model.diffusion_model.middle_block.1.transformer_blocks.9.attn2.to_k.weight": (1280, 2048),
    "model.diffusion_model.label_emb.0.0.weight": (1280, 2816),
    "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return a tiny SDXL checkpoint."""
    return tiny_xl.write(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def host(checkpoint, tmp_path_factory):
    """Return the host with it, without page and without the extension."""
    running = embedded.start(checkpoint, tmp_path_factory.mktemp("data"), extension=False)
    yield running
    running.stop()


def real(**changes):
    return {key: torch.empty(shape, device="meta") for key, shape in (REAL | changes).items() if shape}


def test_the_real_size_is_recognised(host, tmp_path):
    config, xl = host.module("sd_models_config"), host.module("sd_models_xl")
    params = config.find_checkpoint_config(real(), tmp_path / "model.safetensors")
    with torch.device("meta"):
        model = xl.build_unet(params)
    assert sum(weight.numel() for weight in model.parameters()) == 2_567_463_684
    assert len(list(model.parameters())) == 1680
    assert {layer.to_k.in_features for layer in model.modules() if hasattr(layer, "to_k")} == {640, 1280, 2048}
    assert params["scale_factor"] == 0.13025


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"conditioner.embedders.0.model.ln_final.weight": (1280,)}, "SDXL's refiner, .* load the base"),
        ({"model.diffusion_model.input_blocks.0.0.weight": (320, 9, 3, 3)}, "inpainting, .* are not supported"),
        ({next(key for key in REAL if "middle" in key): None}, "a smaller SDXL, such as SSD-1B"),
        ({"edm_mean": (1, 4, 1, 1)}, "neither noise nor velocity, as Playground"),
        ({"edm_vpred.sigma_max": (1,)}, "neither noise nor velocity, as Playground"),
        ({"model.diffusion_model.input_blocks.0.0.weight": (256, 4, 3, 3)}, "put model.yaml beside it"),
        ({"conditioner.embedders.1.model.ln_final.weight": None}, "no text encoder"),
    ],
)
def test_other_models_are_refused(host, tmp_path, changes, reason):
    config = host.module("sd_models_config")
    with pytest.raises(config.CheckpointError, match=reason):
        config.find_checkpoint_config(real(**changes), tmp_path / "model.safetensors")


def test_a_tiny_one_needs_its_config(host, checkpoint, tmp_path):
    path = tmp_path / "bare.safetensors"
    shutil.copy(checkpoint, path)
    assert "put bare.yaml beside it" in refusal(host.module("sd_models"), path)


def test_a_missing_tensor_is_named(host, checkpoint, tmp_path):
    sd_models, path = host.module("sd_models"), tmp_path / checkpoint.name
    shutil.copy(checkpoint.with_suffix(".yaml"), path.with_suffix(".yaml"))
    weights = load_file(checkpoint)
    del weights["model.diffusion_model.label_emb.0.0.weight"]
    save_file(weights, path)
    with pytest.raises(sd_models.CheckpointError, match=r"lacks model.diffusion_model.label_emb.0.0.weight"):
        sd_models.build(sd_models.read_state_dict(str(path)), path)


@pytest.mark.parametrize("scaling", ["EpsScaling", "VScaling"])
def test_the_prediction_is_that_of_the_config(host, tmp_path, scaling):
    path = tiny_xl.write(tmp_path, scaling=scaling)
    sd_models = host.module("sd_models")
    model = sd_models.build(sd_models.read_state_dict(str(path)), path)
    assert model.parameterization == ("v" if scaling == "VScaling" else "eps")


def test_the_classes_are_those_of_sgm(host):
    unet = host.model.model.diffusion_model
    names = {type(module).__module__ for module in unet.modules() if not type(module).__module__.startswith("torch")}
    assert names == {"modules.sd_models_xl", *(f"sgm.modules.{name}" for name in ("attention",)), *_OPENAI}


_OPENAI = {"sgm.modules.diffusionmodules.openaimodel", "sgm.modules.diffusionmodules.util"}


def open_clip(weights, tokens):
    """Return what OpenCLIP's text model gives before its last block, and the pooled vector, from its own weights."""
    x = weights["token_embedding.weight"][tokens] + weights["positional_embedding"]
    width, mask = x.shape[-1], torch.full((77, 77), float("-inf")).triu(1)

    def norm(x, name):
        return functional.layer_norm(x, (width,), weights[f"{name}.weight"], weights[f"{name}.bias"])

    def linear(x, name):
        return functional.linear(x, weights[f"{name}weight"], weights[f"{name}bias"])

    for layer in range(2):
        before, block = x, f"transformer.resblocks.{layer}."
        q, k, v = linear(norm(x, f"{block}ln_1"), f"{block}attn.in_proj_").chunk(3, -1)
        x = x + linear(functional.scaled_dot_product_attention(q, k, v, attn_mask=mask), f"{block}attn.out_proj.")
        x = x + linear(functional.gelu(linear(norm(x, f"{block}ln_2"), f"{block}mlp.c_fc.")), f"{block}mlp.c_proj.")
    last = norm(x, "ln_final")[torch.arange(len(tokens)), tokens.argmax(-1)]
    return before, last @ weights["text_projection"]


def test_both_text_encoders_make_the_context_and_the_second_the_vector(host, checkpoint):
    weights, prefix = load_file(checkpoint), "conditioner.embedders.1.model."
    second = {key.removeprefix(prefix): value.float() for key, value in weights.items() if key.startswith(prefix)}
    with torch.no_grad():
        found = host.model.get_learned_conditioning(["a red circle"])
        tokens = host.model.conditioner.embedders[1].tokenize(["a red circle"])[0][0]
        text, pooled = open_clip(second, tokens)
        first = host.model.conditioner.embedders[0]
        clip = first.transformer(first.tokenize(["a red circle"])[0][0], output_hidden_states=True).hidden_states[-2]
    assert tokens[0, 5:].sum() == 0, "the second pads with 0"
    assert torch.allclose(found["crossattn"], torch.cat([clip, text], 2), atol=1e-5)
    assert torch.allclose(found["vector"][:, : tiny_xl.POOLED_WIDTH], pooled, atol=1e-5)


def test_the_vector_is_that_of_the_first_part_and_of_the_picture_s_sizes(host):
    sd_conditioning = host.module("prompt_parser").SdConditioning
    with torch.no_grad():
        both = host.model.get_learned_conditioning([LONG_PROMPT, "short"])
        small = host.model.get_learned_conditioning(sd_conditioning(["short"], width=64, height=96))
    assert both["crossattn"].shape[1] > 77
    pooled = tiny_xl.POOLED_WIDTH
    assert torch.allclose(both["vector"][1, :pooled], small["vector"][0, :pooled], atol=1e-5)
    embed = host.module("sd_models_xl").openaimodel.Timestep(4)
    numbers = torch.tensor([96, 64, 0, 0, 96, 64])
    assert torch.allclose(small["vector"][0, pooled:], embed(numbers).flatten())


def test_an_empty_negative_prompt_is_zeros_as_in_the_webui(host):
    seen = []
    unet = host.model.model.diffusion_model
    handle = unet.register_forward_pre_hook(lambda _, inputs, named: seen.append(named), with_kwargs=True)
    try:
        make(host, steps=1)
        make(host, steps=1, negative_prompt="grey")
    finally:
        handle.remove()
    for number, is_zero in ((0, True), (-1, False)):
        context, vector = (seen[number][name][1] for name in ("context", "y"))
        assert (not context.any(), not vector[: tiny_xl.POOLED_WIDTH].any()) == (is_zero, is_zero)
        assert vector[tiny_xl.POOLED_WIDTH :].any()


@pytest.mark.parametrize("size", [(64, 64), (72, 104)])
def test_pictures_of_any_size(host, size):
    first, again = (make(host, width=size[0], height=size[1], batch_size=2).images for _ in range(2))
    assert first[0].size == size
    assert np.array_equal(pixels(first[1]), pixels(again[1]))
    assert not np.array_equal(pixels(first[0]), pixels(make(host, prompt="b", width=size[0], height=size[1]).images[0]))


@pytest.mark.parametrize("option", ["None", "Automatic"])
def test_hypernetworks_change_pictures_whichever_attention_runs(host, option):
    """Both forwards of the host run in the layers of `sgm`, and ask for hypernetworks there."""
    hijack, widths = host.module("sd_hijack"), set()
    hypernetwork = host.module("hypernetworks.hypernetwork")
    original = hypernetwork.apply_hypernetworks

    def spy(networks, context, layer=None):
        widths.add(context.shape[-1])
        return original(networks, context, layer)

    hypernetwork.apply_hypernetworks = spy
    try:
        hijack.apply_optimizations(option)
        make(host, steps=1)
    finally:
        hypernetwork.apply_hypernetworks = original
        hijack.apply_optimizations()
    assert widths == set(tiny_xl.WIDTHS)


def test_the_page_starts_with_the_size_that_a_checkpoint_knows(host, checkpoint, tmp_path):
    usual_px = host.module("sd_models_config").usual_px
    assert usual_px(checkpoint) == 4 * 64
    for name, key, size in (("xl", next(iter(REAL)).replace("0.t", "1.t"), 512), ("real", [*REAL][1], 1024)):
        save_file({key: torch.zeros(1)}, tmp_path / f"{name}.safetensors")
        assert usual_px(tmp_path / f"{name}.safetensors") == size
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    assert [usual_px(tmp_path / name) for name in ("broken.safetensors", "old.ckpt")] == [512, 512]
    assert host.module("ui_txt2img").defaults().size_px == 4 * 64
