"""Another VAE and text encoder for one run in the real WebUI: used, named, and gone afterwards to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from hypernetwork_workbench.hypernetworks import files
from safetensors.torch import load_file, save_file

from tests import sources
from tests.real_host.test_runs import V1, wait
from tests.real_host.webui import WebUI


def _trained(host: WebUI, pictures: Path, name: str, **model: object) -> files.Hypernetwork:
    job = {
        "data": {"folder": str(pictures), "width": 64, "height": 64, "template": "[filewords], (bright:1.4)"},
        "schedule": {"rate": "0.05"},
        "train": {"max_steps": 3},
        "preview": {"every": 3, "sampling_steps": 2, "prompt": "a (red:1.4) circle"},
        "output": {"name": name},
        "model": model,
    }
    id_ = host.call(f"{V1}/train", job)["run"]
    told = wait("the end of the run", lambda: (found := host.call(f"{V1}/status/{id_}"))["ended"] and found)
    assert told["state"] == "finished", told
    return files.load(host.folder / "models" / "hypernetworks" / f"{name}.pt")


def test_a_run_has_them_and_the_pictures_afterwards_are_as_before(host: WebUI, pictures: Path) -> None:
    noise = torch.Generator().manual_seed(1)
    vae, clip = {}, {}
    for name, weight in load_file(sources.ROOT / "examples" / "demo.safetensors").items():
        changed = (weight.float() + 0.02 * torch.randn(weight.shape, generator=noise)).contiguous()
        if name.startswith("first_stage_model."):
            vae[name.removeprefix("first_stage_model.")] = changed
        elif name.startswith("cond_stage_model.transformer."):
            clip[name.removeprefix("cond_stage_model.transformer.")] = changed
    save_file(vae, pictures / "other.vae.safetensors")
    (pictures / "clip").mkdir()
    save_file(clip, pictures / "clip" / "model.safetensors")

    before = host.picture()
    trained = [
        _trained(host, pictures, "plain"),
        _trained(host, pictures, "vae", vae=str(pictures / "other.vae.safetensors")),
        _trained(host, pictures, "clip", text_model=str(pictures / "clip")),
        _trained(host, pictures, "skip", clip_skip=2),
        *(_trained(host, pictures, f"brackets-{emphasis}", emphasis=emphasis) for emphasis in ("ignore", "none")),
    ]
    weights = [torch.cat([each.flatten() for each in network.state_dict().values()]) for network in trained]
    for number, one in enumerate(weights):
        assert all(not torch.equal(one, other) for other in weights[number + 1 :])
    parts = [network.metadata.training["parts"] for network in trained]
    assert [list(each) for each in parts] == [[], ["vae"], ["text_model"], [], [], []]
    assert np.array_equal(before, host.picture())
    assert torch.equal(
        weights[0],
        torch.cat([each.flatten() for each in _trained(host, pictures, "again").state_dict().values()]),
    )
    options = host.call("/sdapi/v1/options")
    assert (options["CLIP_stop_at_last_layers"], options["emphasis"]) == (1, "Original")
