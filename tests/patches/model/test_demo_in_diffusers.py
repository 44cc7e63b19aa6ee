"""The demo model, converted for diffusers, gives there the picture of the embedded host, with a network and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypernetwork_workbench.adapters import diffusers as adapter
from hypernetwork_workbench.hypernetworks import files

from tests.patches.test_on_host import generate, save_network

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
folders = pytest.importorskip("tests.support.pipeline_folders", reason="diffusers is not installed")
pytestmark = pytest.mark.slow

#: With these the noise levels are those of whole timesteps in both programs: 999, 888, ..., 0.
STEPS, CFG, SEED = 10, 4.0, 5
#: Of 255.
ROUNDING = 1
PROMPT, NEGATIVE = "a red circle on a white background", "blue"


@pytest.fixture(scope="module")
def checkpoint() -> Path:
    """Return the demo model."""
    return folders.DEMO


def _converted() -> Any:
    """Return a pipeline of diffusers with the weights of the file."""
    unet, vae = folders.demo_unet_and_vae()
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="linspace", steps_offset=1
    )
    pipe = diffusers.StableDiffusionPipeline(vae, None, None, unet, scheduler, None, None, None, False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _in_diffusers(pipe: Any, host: Any) -> np.ndarray:
    """Return the picture of the same noise, sampler and texts as the host's."""
    with torch.no_grad():
        texts = host.model.get_learned_conditioning([NEGATIVE, PROMPT])
        noise = torch.randn((4, 8, 8), generator=torch.Generator().manual_seed(SEED))[None]
        found = pipe(
            prompt_embeds=texts[1:],
            negative_prompt_embeds=texts[:1],
            latents=noise,
            height=64,
            width=64,
            num_inference_steps=STEPS,
            guidance_scale=CFG,
        )
    return np.asarray(found.images[0], dtype=int)


def _in_host(host: Any, prompt: str = PROMPT) -> np.ndarray:
    changes = {"negative_prompt": NEGATIVE, "sampler_name": "Euler", "steps": STEPS}
    return generate(host, prompt, SEED, **changes)[0].astype(int)


def test_the_picture_is_the_hosts_to_rounding(patched: Any):
    network = save_network(patched, "night", std=0.1, activation="mish")
    pipe = _converted()
    plain = _in_diffusers(pipe, patched)
    assert np.abs(plain - _in_host(patched)).max() <= ROUNDING
    with adapter.apply(pipe, files.load(network), strength=0.7):
        changed = _in_diffusers(pipe, patched)
    assert np.abs(changed - plain).max() > 20
    assert np.abs(changed - _in_host(patched, f"{PROMPT}<hypernet:night:0.7>")).max() <= ROUNDING
    assert np.array_equal(_in_diffusers(pipe, patched), plain)
