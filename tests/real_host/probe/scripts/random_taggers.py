"""Gives the WebUI's own taggers files with random weights, where it would download trained ones."""

from __future__ import annotations

import importlib
from pathlib import Path

import torch
from modules import deepbooru_model, paths, script_callbacks, shared
from PIL import Image

TAGS = 40
"""As many of deepbooru's tags can be found; the others stay below any threshold."""


def _write_deepbooru():
    torch.manual_seed(0)
    model = deepbooru_model.DeepDanbooruModel()
    last = model.n_Conv_178.weight.data
    last[TAGS:] = -last[TAGS:].abs()
    tags = [f"tag_{number}" for number in range(len(last))]
    _save({**model.state_dict(), "tags": tags}, "torch_deepdanbooru", "model-resnet_custom_v3.pt")


def _write_blip():
    shared.interrogator.create_fake_fairscale()
    blip = importlib.import_module("models.blip")
    torch.manual_seed(0)
    config = Path(paths.paths["BLIP"], "configs", "med_config.json")
    model = blip.blip_decoder(pretrained="", image_size=384, vit="base", med_config=str(config))
    _save({"model": model.state_dict()}, "BLIP", "model_base_caption_capfilt_large.pth")
    # The WebUI loads CLIP with BLIP and takes its number format from there; a caption does not use it.
    shared.interrogator.clip_model = torch.nn.Linear(1, 1)


def _save(state, folder, name):
    path = Path(paths.models_path, folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)


def _describe(path: str):
    """Return what the WebUI's own BLIP, loaded by us before, says of a picture."""
    shared.interrogator.load()
    return shared.interrogator.generate_caption(Image.open(path).convert("RGB"))


def _on_app_started(_demo, app):
    app.add_api_route("/probe/deepbooru", _write_deepbooru, methods=["POST"])
    app.add_api_route("/probe/blip", _write_blip, methods=["POST"])
    app.add_api_route("/probe/described", _describe, methods=["GET"])


script_callbacks.on_app_started(_on_app_started)
