"""The text model of the settings in the real WebUI: pictures as of a checkpoint with these weights, then as before."""

from __future__ import annotations

import json
import shutil

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from tests import sources
from tests.real_host.webui import PICTURE, WebUI

OPTION, FIELD = "hnw_text_model", "CLIP text model"
TEXT = "cond_stage_model.transformer."


def _info(host: WebUI, **changes: object) -> tuple[str, list[str]]:
    answer = json.loads(host.call("/sdapi/v1/txt2img", {**PICTURE, **changes})["info"])
    return answer["infotexts"][0], answer.get("comments", [])


def test_pictures_are_those_of_a_checkpoint_with_it_and_as_before_when_it_is_cleared(
    host: WebUI,
) -> None:
    noise = torch.Generator().manual_seed(1)
    demo = load_file(sources.ROOT / "examples" / "demo.safetensors")
    clip = {
        name: (weight.float() + 0.02 * torch.randn(weight.shape, generator=noise)).contiguous()
        for name, weight in demo.items()
        if name.startswith(TEXT) and weight.is_floating_point()
    }
    place = host.folder / "models" / "text_encoder" / "mine"
    place.mkdir(parents=True)
    save_file({name.removeprefix(TEXT): weight for name, weight in clip.items()}, place / "model.safetensors")
    models = host.folder / "models" / "Stable-diffusion"
    models.mkdir(exist_ok=True)
    save_file(demo | clip, models / "whole.safetensors")
    shutil.copy(models / "demo.yaml", models / "whole.yaml")

    before = host.picture()
    original = host.call("/sdapi/v1/options")["sd_model_checkpoint"]
    host.call("/sdapi/v1/refresh-checkpoints", {})
    whole = {"override_settings": {"sd_model_checkpoint": "whole.safetensors"}}
    wanted = host.picture(**whole)
    assert not np.array_equal(before, wanted)
    assert np.array_equal(before, host.picture())

    host.call("/sdapi/v1/options", {OPTION: str(place)})
    assert np.array_equal(wanted, host.picture())
    text, comments = _info(host)
    assert f"{FIELD}: mine/model.safetensors [" in text
    assert comments == []
    hires = {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7}
    with_hires = host.picture(**hires)
    assert np.array_equal(wanted, host.picture(**whole)), "the other checkpoint gets it too"
    host.call("/sdapi/v1/options", {OPTION: ""})
    assert np.array_equal(with_hires, host.picture(**hires, **whole))
    assert np.array_equal(before, host.picture())
    assert np.array_equal(wanted, host.picture(override_settings={OPTION: "mine"}))
    assert np.array_equal(before, host.picture())

    host.call("/sdapi/v1/options", {OPTION: str(place / "nowhere.pt")})
    assert np.array_equal(before, host.picture())
    text, comments = _info(host)
    assert FIELD not in text
    assert len(comments) == 1
    assert comments[0].startswith(f"{FIELD} was not used: ")
    host.call("/sdapi/v1/options", {OPTION: "", "sd_model_checkpoint": original})
    assert np.array_equal(before, host.picture())
