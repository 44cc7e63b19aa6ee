"""Training on folders in the form of diffusers: the gradients of a plain loop, and a folder that is what it was."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.ports import Computing, PictureRequest, Ports
from hypernetwork_workbench.hypernetworks.train import train
from hypernetwork_workbench.hypernetworks.train.loss import diffusion_loss
from hypernetwork_workbench.hypernetworks.train.noise import NoiseProcess, NoisyBatch
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from tests.support import long
from tests.support.fake_ports import FakeProgress
from tests.support.runs import draw_pictures, make_job, same, weights

folders = pytest.importorskip("tests.support.pipeline_folders", reason="diffusers is not installed")
tiny = pytest.importorskip("tests.support.tiny_pipelines", reason="diffusers is not installed")
pipelines = pytest.importorskip("hypernetwork_workbench.adapters.pipelines.ports")
pytestmark = pytest.mark.slow

SAME = 1e-5
LONG = "red circle and blue star, " * 16


@pytest.fixture(scope="module", params=long.thinned(tiny.FAMILIES[::-1], len(tiny.FAMILIES)))
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.write(tmp_path_factory.mktemp("pipelines") / family, family)


@pytest.fixture(scope="module")
def ports(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Ports:
    """Return ports that all tests share: each leaves them as they were."""
    return _ports(folder, tmp_path_factory.mktemp("made"))


def _ports(folder: Path, place: Path, stop_after: int | None = None) -> Ports:
    return pipelines.ports_on(folder, FakeProgress(stop_after), place / "networks", place / "logs", torch.device("cpu"))


def _batch(ports: Ports, size: int = 2) -> NoisyBatch:
    draw = torch.Generator().manual_seed(4)
    noisy, target = torch.randn(2, size, 4, 8, 8, generator=draw)
    text = torch.randn(size, 77, ports.denoiser.widths[0], generator=draw)
    width = ports.denoiser.vector_width
    vector = torch.randn(size, width, generator=draw) if width else None
    sizes = torch.tensor([[64, 64, 0, 8, 64, 64]] * size).float() if width else None
    return NoisyBatch(noisy, torch.tensor([20, 900])[:size], Conditioning(text, vector, sizes), target)


def _network(ports: Ports, std: float = 0.2, **more: Any) -> Hypernetwork:
    return Hypernetwork.create(Structure((1, 2, 1), "mish", init_std=std, **more), ports.denoiser.widths, 1)


def _plain_gradients(folder: Path, network: Hypernetwork, batch: NoisyBatch) -> list[Tensor]:
    """Return the gradients of a loop over the forward of the folder's own pipeline, loaded by diffusers."""
    import diffusers

    pipe = diffusers.DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    plain = tiny.with_plain(pipe, lambda x, side: network.pair(x.shape[-1])[side].linear(x) + x)
    added = {}
    if batch.conditioning.vector is not None:
        added["added_cond_kwargs"] = {"text_embeds": batch.conditioning.vector, "time_ids": batch.conditioning.sizes}
    found = plain.unet(batch.noisy, batch.timesteps, encoder_hidden_states=batch.conditioning.text, **added).sample
    functional.mse_loss(found, batch.target).backward()
    return [weight.grad for weight in network.parameters() if weight.grad is not None]


def _state(ports: Ports) -> dict[str, Any]:
    """Return everything that training changes for a while in a U-Net."""
    unet: nn.Module = ports.denoiser._unet
    modules = dict(unet.named_modules())
    return {
        "weights": hashlib.sha256(b"".join(each.numpy().tobytes() for each in unet.state_dict().values())).hexdigest(),
        "takes gradients": [each.requires_grad for each in unet.parameters()],
        "gradients": [each.grad for each in unet.parameters()],
        "training": [each.training for each in modules.values()],
        "forwards": [name for name, each in modules.items() if "forward" in vars(each)],
        "hooks": [name for name, each in modules.items() if each._forward_pre_hooks],
        "processors": {name: id(each) for name, each in unet.attn_processors.items()},
    }


@pytest.mark.parametrize(("attention", "checkpointing"), [("auto", "none"), ("SDPA", "attention"), ("host", "all")])
def test_gradients_are_those_of_a_plain_loop(ports: Ports, folder: Path, attention: str, checkpointing: str):
    batch, network = _batch(ports), _network(ports)
    wanted = _plain_gradients(folder, _network(ports), batch)
    before = _state(ports)
    with ports.denoiser.training(network, Computing(attention, checkpointing)):
        assert network.training
        diffusion_loss(ports.denoiser, batch, LossSettings()).backward()
    assert _state(ports) == before
    assert not network.training
    assert ports.denoiser.trained.network is None
    found = [weight.grad for weight in network.parameters()]
    assert len(found) == len(wanted) > 8
    for one, other in zip(found, wanted, strict=True):
        # Relative to the weight's gradient as a whole: some of its numbers are zero but for rounding.
        assert (one - other).norm() <= SAME * max(other.norm().item(), 1e-4)


def test_dropout_draws_the_same_numbers_again_where_blocks_are_computed_twice(ports: Ports):
    found = []
    for checkpointing in ("none", "all"):
        network = _network(ports, dropout_structure=(0, 0.5, 0))
        torch.manual_seed(9)
        with ports.denoiser.training(network, Computing("auto", checkpointing)):
            diffusion_loss(ports.denoiser, _batch(ports), LossSettings()).backward()
        found.append([weight.grad for weight in network.parameters()])
    assert all((one - other).norm() <= SAME * max(other.norm().item(), 1e-4) for one, other in zip(*found, strict=True))


def test_what_was_in_training_before_is_so_again(ports: Ports):
    unet: nn.Module = ports.denoiser._unet
    try:
        unet.train().requires_grad_(True)
        before = _state(ports)
        with ports.denoiser.training(_network(ports), Computing()):
            assert not unet.training
            diffusion_loss(ports.denoiser, _batch(ports), LossSettings()).backward()
        assert _state(ports) == before
    finally:
        unet.eval().requires_grad_(False)


def test_the_text_goes_through_the_network_once_a_forward(ports: Ports):
    network, seen = _network(ports), []
    width = ports.denoiser.widths[0]
    for side in network.pair(width):
        side.register_forward_hook(lambda *given: seen.append(given[-1].shape))
    with ports.denoiser.training(network, Computing("auto", "all")):
        diffusion_loss(ports.denoiser, _batch(ports), LossSettings()).backward()
    assert len(seen) == 2


def test_texts_are_those_of_the_pipeline(ports: Ports, folder: Path):
    import diffusers

    pipe = diffusers.DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    prompt = "a red circle, on white"
    with torch.no_grad():
        wanted = pipe.encode_prompt(prompt, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)
    (found,) = ports.encoder.encode_texts([prompt])
    assert torch.allclose(found.text, wanted[0][0], atol=SAME)
    if found.vector is not None:
        assert torch.allclose(found.vector, wanted[2][0], atol=SAME)
    assert (found.vector is None) == (ports.denoiser.vector_width == 0)


def test_texts_have_weights_and_any_length(ports: Ports):
    plain, heavy, long, first, broken = ports.encoder.encode_texts(
        ["a red circle", "a (red:1.5) circle", LONG, LONG[: LONG.index(" blue")], "a BREAK b"]
    )
    assert len(plain.text) == len(heavy.text) == 77
    assert len(long.text) == len(broken.text) == 2 * 77
    assert not torch.allclose(plain.text, heavy.text, atol=1e-3)
    alone, begun = ports.encoder.encode_texts(["a red circle", "a"])
    assert torch.allclose(plain.text, alone.text, atol=SAME)
    if broken.vector is not None:
        assert torch.allclose(broken.vector, begun.vector, atol=SAME)  # that of the first part, as in the WebUI
    assert not torch.allclose(long.text[:77], first.text, atol=1e-3)


def test_latents_are_those_of_the_pipelines_vae(ports: Ports, folder: Path):
    import diffusers

    vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae")
    pictures = torch.rand(2, 3, 32, 24) * 2 - 1
    mean, std = ports.encoder.encode_posterior(pictures)
    with torch.no_grad():
        posterior = vae.encode(pictures).latent_dist
    assert torch.allclose(mean, posterior.mean * vae.config.scaling_factor, atol=SAME)
    assert torch.allclose(std, posterior.std * vae.config.scaling_factor, atol=SAME)
    assert torch.equal(ports.encoder.encode_pictures(pictures), mean)


def _request(prompt: str = "a red circle", **changes: Any) -> PictureRequest:
    return PictureRequest(prompt, 5, 64, 64, steps=3, cfg_scale=4.0, **changes)


def _array(pictures: list[Any]) -> np.ndarray:
    return np.stack([np.asarray(each, dtype=int) for each in pictures])


def test_a_preview_is_the_pipelines_picture(ports: Ports, folder: Path):
    import diffusers

    scheduler = diffusers.DDIMScheduler.from_pretrained(folder / "scheduler", timestep_spacing="trailing")
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder, local_files_only=True, scheduler=scheduler)
    if ports.denoiser.prediction != "v":
        pipe.scheduler = diffusers.DDIMScheduler.from_pretrained(folder / "scheduler")
    pipe.set_progress_bar_config(disable=True)
    draw = torch.Generator().manual_seed(5)
    wanted = pipe("a red circle", num_inference_steps=3, guidance_scale=4.0, height=64, width=64, generator=draw).images
    found = ports.previewer.generate([_request(sampler="DDIM")], None, 1.0)
    difference = np.abs(_array(found) - _array(wanted))
    assert difference.mean() < 2
    # Where a schedule ends without any signal, samplers are given a little of it.
    assert difference.max() <= (1 if ports.denoiser.alphas_cumprod[-1] > 0 else 20)


def test_previews_show_the_network_at_its_strength_and_disturb_nothing(ports: Ports):
    network, requests = _network(ports), [_request(), _request("a blue star"), _request(sampler="DPM++ 2M Karras")]
    plain = _array(ports.previewer.generate(requests, None, 1.0))
    before, drawn = _state(ports), torch.get_rng_state()
    assert np.array_equal(_array(ports.previewer.generate(requests, network, 0.0)), plain)
    full = _array(ports.previewer.generate(requests, network, 1.0))
    assert (np.abs(full - plain).max(axis=(1, 2, 3)) > 5).all()
    assert _state(ports) == before
    # In the middle of training they are the same, and the training goes on as if nothing had been.
    with ports.denoiser.training(network, Computing()):
        assert np.array_equal(_array(ports.previewer.generate(requests, network, 1.0)), full)
        assert np.array_equal(_array(ports.previewer.generate(requests, None, 1.0)), plain)
        assert network.training
    assert torch.equal(torch.get_rng_state(), drawn)


def _job(pictures: Path, **changes: Any) -> Any:
    small = {"preview__every": 4, "preview__sampling_steps": 2, "data__width": 64, "data__height": 64}
    return make_job(pictures, **{**small, **changes})


def _loss(ports: Ports, network: Hypernetwork, pictures: Path) -> float:
    """Return the mean loss with a network over pictures, at fixed timesteps and with fixed noise."""
    latents = ports.encoder.encode_pictures(torch.stack([_pixels(path) for path in sorted(pictures.glob("*.png"))]))
    text = torch.stack([each.text for each in ports.encoder.encode_texts(["picture x"] * len(latents))])
    batch = _batch(ports, 1).conditioning
    vector, sizes = (None if part is None else part.expand(len(latents), -1) for part in (batch.vector, batch.sizes))
    noise = NoiseProcess(ports.denoiser.alphas_cumprod, ports.denoiser.prediction, LossSettings())
    found, draw = [], torch.Generator().manual_seed(1)
    for timestep in range(50, 1000, 100):
        timesteps, drawn = torch.full((len(latents),), timestep), torch.randn(latents.shape, generator=draw)
        noisy = noise.apply(latents, Conditioning(text, vector, sizes), timesteps, drawn)
        with ports.denoiser.training(network, Computing()), torch.no_grad():
            found.append(diffusion_loss(ports.denoiser, noisy, LossSettings()).item())
    return sum(found) / len(found)


def _pixels(path: Path) -> Tensor:
    with Image.open(path) as picture:
        shares = np.asarray(picture.resize((64, 64)), dtype=np.float32) / 127.5 - 1
    return torch.from_numpy(shares).permute(2, 0, 1)


@pytest.mark.long(
    "tests/standalone/test_train_diffusers.py::test_the_demo_trains_to_the_same_network_as_in_the_embedded_host"
)
def test_a_run_lowers_the_loss_and_is_the_same_in_two_parts(folder: Path, ports: Ports, tmp_path: Path):
    pictures = draw_pictures(tmp_path / "pictures")
    changes = {"data__width": 64, "data__height": 64, "preview__every": 9, "preview__sampling_steps": 2}
    whole = train(make_job(pictures, **changes, train__max_steps=18), _ports(folder, tmp_path / "whole"))
    trained = files.load(whole.network)
    assert _loss(ports, trained, pictures) < 0.95 * _loss(ports, _network(ports, std=0.0), pictures)
    assert whole.sheet is not None
    assert len(whole.previews) == 2
    assert (trained.metadata.sd_checkpoint_name, len(trained.metadata.sd_checkpoint or "")) == (folder.name, 10)
    for steps in (7, 18):
        again = make_job(pictures, **changes, train__max_steps=steps)
        parts = train(again, _ports(folder, tmp_path / "parts"), resume=steps > 7)
    assert same(weights(whole.network), weights(parts.network))


def test_a_kernel_that_nothing_needs_is_not_warned_of():
    """On processors with bf16, bitsandbytes says so when diffusers loads it; its other warnings are heard."""
    pipelines.library("diffusers")
    assert not logging.getLogger("bitsandbytes.backends.cpu.ops").isEnabledFor(logging.WARNING)
    assert logging.getLogger("bitsandbytes.optim").isEnabledFor(logging.WARNING)
