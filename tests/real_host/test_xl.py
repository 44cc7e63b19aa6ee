"""SDXL in the real WebUI, on a tiny checkpoint of random weights in the classes of its own `sgm`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.standalone import host as embedded

from tests.real_host import webui, workplace
from tests.support import tiny_xl

V1 = "/hypernetwork-workbench/v1"
SECONDS = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder whose checkpoint is the tiny one."""
    made = workplace.make(tmp_path_factory.mktemp("xl"))
    tiny_xl.write(workplace.take_other(made, {tiny_xl.ARCHITECTURE: tiny_xl.OPEN_CLIP}, tiny_xl.CLIP))
    return made


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    """Return the tiny checkpoint."""
    return folder / "models" / "Stable-diffusion" / "tiny-xl.safetensors"


@pytest.fixture(scope="module")
def plain(folder: Path, checkpoint: Path) -> np.ndarray:
    """Return the picture that the WebUI makes by itself."""
    with webui.running(folder, checkpoint=checkpoint) as bare:
        return bare.picture()


@pytest.fixture(scope="module")
def host(folder: Path, checkpoint: Path, plain: np.ndarray) -> Iterator[webui.WebUI]:
    """Return the WebUI with the extension."""
    workplace.add_extension(folder)
    with webui.running(folder, checkpoint=checkpoint) as running:
        yield running


def test_the_embedded_host_makes_the_picture_that_the_webui_makes(
    plain: np.ndarray, checkpoint: Path, tmp_path: Path
) -> None:
    running = embedded.start(checkpoint, tmp_path, extension=False)
    try:
        processing = running.module("processing")
        settings = {key: value for key, value in webui.PICTURE.items() if key != "sampler_name"}
        p = processing.StableDiffusionProcessingTxt2Img(sampler_name="Euler", do_not_save_samples=True, **settings)
        ours = np.asarray(processing.process_images(p).images[0])
    finally:
        running.stop()
    assert np.abs(ours.astype(int) - plain.astype(int)).max() <= 2


def test_a_network_is_created_trained_continued_and_used(host: webui.WebUI, plain: np.ndarray, folder: Path) -> None:
    assert np.array_equal(host.picture(), plain)
    pictures = folder / "datasets" / "pictures"
    pictures.mkdir(parents=True)
    for source in sorted((workplace.ROOT / "examples" / "night").iterdir())[:4]:
        shutil.copy(source, pictures)
    job = {
        "data": {"folder": str(pictures), "width": 64, "height": 96, "framing": "buckets", "flip": True},
        "network": {"init_std": 0.05},
        "schedule": {"rate": "0.01"},
        "train": {"max_steps": 6},
        "preview": {"every": "3", "width": 64, "height": 64, "sampling_steps": 2, "prompt": "a red circle"},
        "output": {"name": "bent", "sheet": False},
    }
    for steps, route in ((6, "train"), (9, "continue")):
        job["train"] = {"max_steps": steps}
        id_ = host.call(f"{V1}/{route}", job)["run"]
        end = time.monotonic() + SECONDS
        while not (told := host.call(f"{V1}/status/{id_}"))["ended"]:
            assert time.monotonic() < end, told
            time.sleep(0.2)
        assert (told["state"], told["done"]) == ("finished", steps), told
    (path,) = (folder / "models" / "hypernetworks").rglob("bent.pt")
    network = files.load(path)
    assert (set(network.widths), network.metadata.step) == (set(tiny_xl.WIDTHS), 9)
    assert np.array_equal(host.picture(), plain)
    assert np.array_equal(host.picture(prompt="a red circle<hypernet:bent:0>"), plain)
    bent = host.picture(prompt="a red circle<hypernet:bent:1>")
    assert not np.array_equal(bent, plain)
    assert np.array_equal(host.picture(), plain)
    assert "Traceback" not in host.log
