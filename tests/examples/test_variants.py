"""The demo's kin in SDXL's and SD2's shape: small files, their configs, and weights under the names of those models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.examples.shapes import checkpoint, data, draw, models, text, variant_files, variants
from omegaconf import OmegaConf
from safetensors import safe_open

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CONFIGS = {"demo-xl": variant_files.xl_config, "demo-sd2": variant_files.sd2_config}
NAMES = sorted(CONFIGS)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_small_and_half_precision_with_the_config_the_code_writes(name: str) -> None:
    file = EXAMPLES / f"{name}.safetensors"
    assert file.stat().st_size <= 24e6
    with safe_open(file, "pt") as weights:
        assert {weights.get_slice(key).get_dtype() for key in weights.keys()} == {"F16"}  # noqa: SIM118
    assert OmegaConf.to_container(OmegaConf.load(file.with_suffix(".yaml"))) == CONFIGS[name]()


def test_sizes_and_pooled_text_reach_the_u_net_of_sdxls_shape() -> None:
    with safe_open(EXAMPLES / "demo-xl.safetensors", "pt") as weights:
        for place in ("0.0", "0.2"):
            assert weights.get_tensor(f"model.diffusion_model.label_emb.{place}.weight").abs().max() > 1e-4


def test_another_scale_factor_leaves_the_pictures_alone() -> None:
    autoencoder = checkpoint.load_checkpoint(EXAMPLES / "demo.safetensors").autoencoder
    rescaled = variant_files._rescaled(autoencoder, variants.XL_SCALE_FACTOR)
    pictures = data.as_input(data.draw_many(4, draw.PLAIN, 1).pictures)
    with torch.no_grad():
        (mean, spread), (own, own_spread) = rescaled.moments(pictures), autoencoder.moments(pictures)
        ratio = models.SCALE_FACTOR / variants.XL_SCALE_FACTOR
        assert torch.allclose(mean, own * ratio, atol=1e-4)
        assert torch.allclose((spread / 2).exp(), (own_spread / 2).exp() * ratio, atol=1e-4)
        pairs = ((rescaled, mean), (autoencoder, own))
        pictures_of = [model.decoder(model.post_quant_conv(latents)) for model, latents in pairs]
    assert torch.allclose(*pictures_of, atol=1e-4)


def test_only_the_text_before_the_padding_counts() -> None:
    torch.manual_seed(0)
    padded = text.SmallVocabulary(variants.XL_OPENCLIP, padding=0)
    ids = text.token_ids(["a red circle"])
    end = int(ids[0].argmax())
    zeroed = ids.clone()
    zeroed[0, end + 1 :] = 0
    plain = text.SmallVocabulary(variants.XL_OPENCLIP, padding=0)
    plain.load_state_dict(padded.state_dict())
    plain.padding = None
    with torch.no_grad():
        assert torch.equal(padded(ids), plain(zeroed))


@pytest.mark.filterwarnings("ignore:.*sdp_kernel:FutureWarning")  # sgm's own attention asks for it
def test_a_variant_starts_with_the_demos_u_net_and_no_other() -> None:
    demo = checkpoint.load_checkpoint(EXAMPLES / "demo.safetensors")
    variant = variants.XL().eval()
    weights = demo.unet.state_dict()
    variants.take_unet(variant, weights)
    noisy, context = torch.randn(2, 4, 8, 8), torch.randn(2, 77, 96)
    times = torch.tensor([10, 900])
    with torch.no_grad():
        found = variant.unet(noisy, times, context=context, y=torch.randn(2, variants.XL_UNET["adm_in_channels"]))
        assert torch.allclose(found, demo.unet(noisy, times, context), atol=1e-4)
    del weights["out.2.bias"]
    with pytest.raises(ValueError, match=re.escape("out.2.bias")):
        variants.take_unet(variant, weights)
