"""The demo models in SDXL's and SD2's shape in the real WebUI: a style is learnt, used at strengths, and gone after."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypernetwork_workbench.examples.shapes import captions, checkpoint, data, draw, measures, variant_files, variants
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables
from hypernetwork_workbench.hypernetworks.tuning.style import frechet_distance
from PIL import Image

from tests.real_host import webui, workplace

V1 = "/hypernetwork-workbench/v1"
STEPS = 150
#: The longest that training takes on two cores that others use too.
SECONDS = 400
FIRST_SEED, FRESH_SEED = 1000, 90_210
SUBJECTS = captions.held_out()
TEXTS = [captions.caption(subject) for subject in SUBJECTS]
SHAPES = {
    "demo-xl": {variant_files.XL_ARCHITECTURE: variant_files.openclip_shape(variants.XL)},
    "demo-sd2": {variant_files.SD2_ARCHITECTURE: variant_files.openclip_shape(variants.SD2)},
}


@pytest.fixture(scope="module", params=sorted(SHAPES))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one demo model after the other, in a data folder of its own."""
    folder = workplace.make(tmp_path_factory.mktemp(request.param))
    models = workplace.take_other(folder, SHAPES[request.param], variants.CLIP if request.param == "demo-xl" else None)
    for ending in (".safetensors", ".yaml"):
        shutil.copy(workplace.ROOT / "examples" / f"{request.param}{ending}", models)
    return models / f"{request.param}.safetensors"


def pictures(host: webui.WebUI, name: str = "") -> list[np.ndarray]:
    """Return the pictures of all subjects, each [64, 64, 3], with the settings of the demo's job."""
    like = {"steps": 12, "cfg_scale": 4, "sampler_name": "Euler a"}
    return [host.picture(**like, prompt=text + name, seed=FIRST_SEED + n) for n, text in enumerate(TEXTS)]


def train(host: webui.WebUI) -> dict[str, Any]:
    """Train as the demo's job says, over HTTP, and return what the run tells at its end."""
    job = read_tables(workplace.ROOT / "examples" / "demo.toml")
    del job["evaluation"]
    job["data"]["folder"] = str(
        shutil.copytree(workplace.ROOT / "examples" / "night", host.folder / "datasets" / "night")
    )
    job["train"]["max_steps"] = STEPS
    job["preview"]["every"] = "0"
    id_ = host.call(f"{V1}/train", job)["run"]
    end = time.monotonic() + SECONDS
    while not (told := host.call(f"{V1}/status/{id_}"))["ended"]:
        assert time.monotonic() < end, told
        time.sleep(0.5)
    return dict(told)


def latents(shown: list[Image.Image]) -> torch.Tensor:
    """Return what the demo's autoencoder makes of pictures, [pictures, 4, 8, 8]; that of its kin differs in scale."""
    autoencoder = checkpoint.load_checkpoint(workplace.ROOT / "examples" / "demo.safetensors").autoencoder
    with torch.no_grad():
        return autoencoder.encode(data.as_input(torch.stack([data.to_tensor(each) for each in shown])))


def measured(made: list[np.ndarray]) -> tuple[float, float]:
    """Return the distance from fresh drawings in the night style, and the share of captions that were followed."""
    shown = [Image.fromarray(each) for each in made]
    rng = np.random.default_rng(FRESH_SEED)
    fresh = [draw.random_picture(rng, subject, (64, 64), draw.NIGHT_STYLE) for subject in SUBJECTS * 4]
    return frechet_distance(latents(shown), latents(fresh)), measures.share_followed(shown, TEXTS)


def test_a_style_is_learnt_to_a_quarter_of_its_distance_and_leaves_nothing_behind(model: Path) -> None:
    folder = model.parents[2]
    with webui.running(folder, checkpoint=model) as bare:
        plain = pictures(bare)
    workplace.add_extension(folder)
    with webui.running(folder, checkpoint=model) as host:
        assert np.array_equal(pictures(host), plain)
        told = train(host)
        assert (told["state"], told["done"]) == ("finished", STEPS), told
        at = {strength: pictures(host, f"<hypernet:night:{strength}>") for strength in (0, 0.5, 1)}
        after = pictures(host)
        assert "Traceback" not in host.log
    assert np.array_equal(at[0], plain)
    assert np.array_equal(after, plain)
    (before, half, whole), followed = zip(*(measured(at[strength]) for strength in (0, 0.5, 1)), strict=True)
    assert whole < half < before
    assert whole <= before / 4
    assert followed[2] >= 0.75
