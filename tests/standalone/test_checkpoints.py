"""Checkpoints: which are read, which are refused and why, and that nothing in them runs."""

from __future__ import annotations

import collections
import hashlib
import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest
import torch
from hypernetwork_workbench.standalone import host as embedded
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig

from tests.standalone.test_processing import make, pixels
from tests.support import tiny_checkpoint


class Bomb:
    """Makes a folder when it is unpickled by a reader that lets it."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def sd_models(host):
    return host.module("sd_models")


def refusal(sd_models, path):
    with pytest.raises(sd_models.CheckpointError) as error:
        sd_models.check(str(path))
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)
    return str(error.value)


def test_ckpt_gives_the_same_model_as_safetensors(host, sd_models, checkpoint, tmp_path):
    path = tmp_path / "copy.ckpt"
    tensors = load_file(checkpoint)
    old_names = {key.replace("transformer.text_model.", "transformer."): value for key, value in tensors.items()}
    torch.save({"state_dict": collections.OrderedDict(old_names), "global_step": 5, "epoch": 1}, path)
    shutil.copy(checkpoint.with_suffix(".yaml"), path.with_suffix(".yaml"))
    before = make(host)
    original = sd_models.select_checkpoint()
    try:
        sd_models.reload_model_weights(info=sd_models.CheckpointInfo(str(path)))
        assert host.model.sd_checkpoint_info.name == "copy.ckpt"
        after = make(host)
    finally:
        sd_models.reload_model_weights(info=original)
    assert np.array_equal(pixels(before.images[0]), pixels(after.images[0]))
    assert after.info != before.info


def test_old_training_checkpoints_are_read_without_their_objects(host, tmp_path):
    content = {"state_dict": {"a": torch.ones(2)}, "callbacks": {}}
    path, plain = tmp_path / "old.ckpt", tmp_path / "plain.ckpt"
    torch.save(content, plain)
    callback = pickle.dumps(collections.Counter()).replace(b"collections", b"pytorch_lightning.callbacks")
    assert b"pytorch_lightning" in callback
    # The pickle of a training library's object, put where the empty dict of callbacks was.
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("data.pkl"):
                spot = data.index(b"callbacks") + len(b"callbacks")
                tail = data[spot:]
                empty_dict = tail.index(b"}")
                middle = b"cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n)\x81"
                data = data[:spot] + tail[:empty_dict] + middle + tail[empty_dict + 1 :]
            target.writestr(name, data)
    read = host.module("safe").load(path)
    assert torch.equal(read["state_dict"]["a"], torch.ones(2))
    assert read["callbacks"] is None


def test_hostile_ckpt_is_refused_and_nothing_runs(sd_models, tmp_path):
    mark, path = tmp_path / "made", tmp_path / "hostile.ckpt"
    torch.save({"state_dict": {"a": torch.ones(1)}, "extra": Bomb(mark)}, path)
    assert "mkdir" in refusal(sd_models, path)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the trap itself does not work"


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all" * 100, b"PK\x03\x04 broken"])
@pytest.mark.parametrize("name", ["x.safetensors", "x.ckpt"])
def test_damaged_files_are_refused(sd_models, tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert "cannot be read" in refusal(sd_models, path)


def test_missing_and_foreign_files_are_refused(sd_models, tmp_path):
    assert "not there" in refusal(sd_models, tmp_path / "nowhere.safetensors")
    foreign = tmp_path / "notes.txt"
    foreign.write_text("hello")
    assert "neither" in refusal(sd_models, foreign)


def without(checkpoint, folder, prefix):
    path = folder / "part.safetensors"
    save_file({key: value for key, value in load_file(checkpoint).items() if not key.startswith(prefix)}, path)
    shutil.copy(checkpoint.with_suffix(".yaml"), path.with_suffix(".yaml"))
    return path


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        ("model.", "no U-Net"),
        ("first_stage_model.decoder.conv_in", "no autoencoder"),
        ("cond_stage_model.transformer.text_model.embeddings.token", "no text encoder"),
    ],
)
def test_incomplete_checkpoints_are_refused(sd_models, checkpoint, tmp_path, prefix, reason):
    assert reason in refusal(sd_models, without(checkpoint, tmp_path, prefix))


def test_missing_tensor_is_named_when_the_model_is_built(sd_models, checkpoint, tmp_path):
    path = without(checkpoint, tmp_path, "model.diffusion_model.out.2.bias")
    with pytest.raises(sd_models.CheckpointError, match=r"model\.diffusion_model\.out\.2\.bias"):
        sd_models.build(sd_models.read_state_dict(str(path)), path)


def test_checkpoint_that_does_not_fit_its_config_is_refused(sd_models, checkpoint, tmp_path):
    path = tmp_path / "odd.safetensors"
    shutil.copy(checkpoint, path)
    text = checkpoint.with_suffix(".yaml").read_text()
    path.with_suffix(".yaml").write_text(text.replace("context_dim: 24", "context_dim: 32"))
    with pytest.raises(sd_models.CheckpointError, match="does not fit"):
        sd_models.build(sd_models.read_state_dict(str(path)), path)


@pytest.mark.parametrize("text", ["", "model: 3", "{", "model: {params: {unet_config: {}}}"])
def test_broken_config_is_refused(sd_models, checkpoint, tmp_path, text):
    path = tmp_path / "odd.safetensors"
    shutil.copy(checkpoint, path)
    path.with_suffix(".yaml").write_text(text)
    with pytest.raises(sd_models.CheckpointError, match=r"odd\.yaml"):
        sd_models.check(str(path))


def test_unusual_shapes_need_a_config(sd_models, checkpoint, tmp_path):
    path = tmp_path / "bare.safetensors"
    shutil.copy(checkpoint, path)
    assert "put bare.yaml beside it" in refusal(sd_models, path)


SD1 = ("cond_stage_model.transformer.text_model.embeddings.token_embedding.weight", 768)
SD2 = ("cond_stage_model.model.token_embedding.weight", 1024)


@pytest.mark.parametrize(("text", "version"), [(SD1, 1), (SD2, 2)])
def test_real_sizes_are_recognised(host, tmp_path, text, version):
    config = host.module("sd_models_config")
    key, width = text
    shapes = {key: (49408, width), config.VAE: (512, 4, 3, 3), config.UNET_INPUT: (320, 4, 3, 3)}
    shapes[config.UNET_CONTEXT] = (320, width)
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    params = config.find_checkpoint_config(state, tmp_path / "model.safetensors")
    assert params["unet_config"]["params"]["context_dim"] == width
    assert params.get("parameterization") == ("eps" if version == 1 else None)
    state[config.UNET_INPUT] = torch.empty((320, 9, 3, 3), device="meta")
    with pytest.raises(config.CheckpointError, match="inpainting"):
        config.find_checkpoint_config(state, tmp_path / "model.safetensors")
    if version == 2:
        unclip = state | {config.UNET_VECTOR: torch.empty((1280, 1536), device="meta")}
        with pytest.raises(config.CheckpointError, match="unCLIP models are not supported"):
            config.find_checkpoint_config(unclip, tmp_path / "model.safetensors")
    state[config.SDXL_REFINER_TEXT] = torch.empty(1, device="meta")
    with pytest.raises(config.CheckpointError, match="SDXL's refiner"):
        config.find_checkpoint_config(state, tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("text", "unet_parameters", "widths"),
    [(SD1, 859_520_964, {320, 640, 768, 1280}), (SD2, 865_910_724, {320, 640, 1024, 1280})],
)
def test_built_in_shapes_are_stable_diffusions(host, tmp_path, text, unet_parameters, widths):
    config, sd_ldm = host.module("sd_models_config"), host.module("sd_ldm")
    key, width = text
    shapes = {key: (49408, width), config.VAE: (512, 4, 3, 3), config.UNET_INPUT: (320, 4, 3, 3)}
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    state[config.UNET_CONTEXT] = torch.empty((320, width), device="meta")
    params = config.find_checkpoint_config(state, tmp_path / "model.safetensors")
    clip = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    with torch.device("meta"):
        model = sd_ldm.LatentDiffusion(params, clip)
    unet = model.model.diffusion_model
    assert sum(weight.numel() for weight in unet.parameters()) == unet_parameters
    assert len(list(unet.parameters())) == 686
    assert sum(weight.numel() for weight in model.first_stage_model.parameters()) == 83_653_863
    assert sum(weight.numel() for weight in model.cond_stage_model.parameters()) == 123_060_480
    assert {layer.to_k.in_features for layer in unet.modules() if hasattr(layer, "to_k")} == widths
    assert "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight" in model.state_dict()
    assert "first_stage_model.encoder.down.3.block.1.conv2.weight" in model.state_dict()


def test_v_prediction_of_the_config_reaches_model_and_sampler(host, tmp_path):
    path = tiny_checkpoint.write(tmp_path, name="v", parameterization="v")
    sd_models, samplers = host.module("sd_models"), host.module("sd_samplers")
    model = sd_models.build(sd_models.read_state_dict(str(path)), path)
    assert model.parameterization == "v"
    assert type(samplers.create_sampler("Euler", model).model_wrap).__name__ == "CompVisVDenoiser"


@pytest.mark.parametrize("marks", [(), ("v_pred",), ("ztsnr",), ("v_pred", "ztsnr")])
def test_empty_tensors_of_a_checkpoint_tell_prediction_and_schedule(host, tmp_path, marks):
    path = tiny_checkpoint.write(tmp_path)
    sd_models = host.module("sd_models")
    state = sd_models.read_state_dict(str(path)) | {name: torch.empty(0) for name in marks}
    model = sd_models.build(state, path)
    assert model.parameterization == ("v" if "v_pred" in marks else "eps")
    last = model.alphas_cumprod[-1].item()
    assert last == pytest.approx(4.9e-8 if "ztsnr" in marks else 0.00466, rel=0.01)


def test_trial_tells_v_from_eps(host):
    predicts_v = host.module("sd_models_config").predicts_v

    class UNet(torch.nn.Linear):
        def __init__(self, share):
            super().__init__(1, 1)
            self.share = share

        def forward(self, x, timesteps, context):
            return self.share * x

    # At the last step x is nearly all noise: eps is x itself, and v is minus the picture, here far from it.
    assert not predicts_v(UNet(1.0), 8)
    assert predicts_v(UNet(-2.0), 8)


def test_openclip_text_encoder_becomes_the_same_function(host):
    """The converted weights against torch's own multi-head attention, as OpenCLIP runs them."""
    sd_text = host.module("sd_text")
    width, heads, generator = 64, 1, torch.Generator().manual_seed(0)
    blocks = [torch.nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(2)]
    norms = [[torch.nn.LayerNorm(width) for _ in range(2)] for _ in blocks]
    mlps = [(torch.nn.Linear(width, 128), torch.nn.Linear(128, width)) for _ in blocks]
    table = torch.randn(49408, width, generator=generator)
    places, final = torch.randn(77, width, generator=generator), torch.nn.LayerNorm(width)
    state = {"model.token_embedding.weight": table, "model.positional_embedding": places, "model.logit_scale": table}
    state |= {f"model.ln_final.{key}": value for key, value in final.state_dict().items()}
    for number, block in enumerate(blocks):
        root = f"model.transformer.resblocks.{number}."
        parts = {"attn": block, "ln_1": norms[number][0], "ln_2": norms[number][1]}
        parts |= {"mlp.c_fc": mlps[number][0], "mlp.c_proj": mlps[number][1]}
        state |= {f"{root}{name}.{k}": v for name, part in parts.items() for k, v in part.state_dict().items()}
    converted = sd_text.openclip_to_transformers(state)
    encoder = sd_text.TextEncoder(sd_text.text_config(converted, {}, True), skip=1)
    encoder.transformer.load_state_dict(converted)
    with torch.no_grad():
        found = encoder.eval()(["a red circle"])
        tokens = encoder.tokenize(["a red circle"])[0][0]
        assert tokens[0, 5:].sum() == 0, "SD2 pads with 0"
        x = table[tokens] + places
        mask = torch.full((77, 77), float("-inf")).triu(1)
        y = norms[0][0](x)
        x = x + blocks[0](y, y, y, attn_mask=mask, need_weights=False)[0]
        x = x + mlps[0][1](torch.nn.functional.gelu(mlps[0][0](norms[0][1](x))))
    # The last block is left out: the penultimate layer's output goes through the final norm.
    assert torch.allclose(found, final(x), atol=1e-4)


def test_tokens_are_clips(host):
    ids = host.model.cond_stage_model.tokenize(["a photo of an astronaut riding a horse"])[0][0, 0]
    assert ids[:10].tolist() == [49406, 320, 1125, 539, 550, 18376, 6765, 320, 4558, 49407]
    assert set(ids[10:].tolist()) == {49407}


def test_checkpoint_is_known_by_name_and_hash(host, sd_models, checkpoint):
    info = host.model.sd_checkpoint_info
    assert sd_models.checkpoints_list["tiny.safetensors"] is info
    assert info.sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert info.shorthash == host.model.sd_model_hash == info.sha256[:10]


def test_missing_checkpoint_stops_the_start(tmp_path):
    with pytest.raises(Exception, match="not there"):
        embedded.start(tmp_path / "nowhere.ckpt", tmp_path / "data", extension=False)


def test_latents_come_back_from_the_autoencoder_in_shape(host):
    with torch.no_grad():
        posterior = host.model.encode_first_stage(torch.zeros(2, 3, 64, 72))
        latents = host.model.scale_factor * posterior.sample()
        assert latents.shape == (2, 4, 8, 9)
        assert host.model.decode_first_stage(latents).shape == (2, 3, 64, 72)
