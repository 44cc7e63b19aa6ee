"""A training step in the real shapes of SDXL and SD2, beside a plain loop of the host's own forward.

Weights are random, in float32. The plain loop freezes the U-Net too, which has no gradients to compare; all else is the
host's own: its attention, its forward, nothing folded, nothing computed twice.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any
from unittest import mock

import psutil
import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.kernels.memory import MB, PeakMemory
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.ports import Computing
from hypernetwork_workbench.hypernetworks.train.loss import diffusion_loss
from hypernetwork_workbench.hypernetworks.train.noise import NoiseProcess, NoisyBatch
from hypernetwork_workbench.hypernetworks.train.settings.loss import LossSettings
from torch import Tensor
from torch.nn import functional

from standalone import host

from . import models
from .machine import describe
from .tensors import TensorPeak
from .training_cases import host_with

_CONFIGS = host.STANDALONE / "configs"
_TIMESTEP = 500
_SIZE_NUMBERS = 6
#: A tensor whose gradient is smaller than this share of the largest one has nothing but rounding in it: what shifts all
#: keys alike leaves attention as it is.
_NOTHING = 1e-6


@dataclass(frozen=True)
class Shape:
    """A model to measure.

    Attributes:
        config: the file that describes it.
        px: side of the picture, in pixels.
        prediction: "eps" or "v".
        pooled_width: width of the vector of a text; 0 where the model takes none.
        needed_mb: main memory that all of it takes, in MiB.
    """

    model: str
    config: Path
    px: int
    prediction: str
    pooled_width: int = 0
    needed_mb: int = 0


XL = Shape("sdxl", _CONFIGS / "sdxl.yaml", 256, "eps", pooled_width=1280, needed_mb=15_500)
SHAPES = (Shape("sd2", _CONFIGS / "sd2.yaml", 256, "v", needed_mb=6_500), XL)


def measure(rounds: int) -> dict[str, Any]:
    """Measure each shape that the free memory takes, in a process of its own; return what `bench` prints."""
    return {"machine": describe(torch.device("cpu")), "cases": [row for one in SHAPES for row in _rows(one, rounds)]}


def _rows(shape: Shape, rounds: int) -> list[dict[str, Any]]:
    free_mb = psutil.virtual_memory().available // MB
    if free_mb < shape.needed_mb:
        return [{"model": shape.model, "skipped": f"takes {shape.needed_mb} MB, {free_mb} MB are free"}]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure_shape, (shape, rounds))


def measure_shape(shape: Shape, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each way to take a step, the plain loop last; times are the least of the rounds."""
    with host_with(partial(put_in, shape=shape)) as running:
        from hypernetwork_workbench.patches.model.host import HostDenoiser  # noqa: PLC0415 (needs the running host)

        denoiser = HostDenoiser()
        batch = draw_batch(shape, denoiser)
        network = Hypernetwork.create(Structure(activation="mish"), denoiser.widths, 0).train()
        ways: dict[str, Callable[[], Tensor]] = {
            f"ours, checkpointing {how}": partial(_ours, denoiser, network, batch, how) for how in ("all", "none")
        }
        ways["plain loop"] = partial(_plain, running, network, batch)
        weights = sum(weight.numel() for weight in running.model.model.diffusion_model.parameters())
        found = {name: _measured(step, network, rounds) for name, step in ways.items()}
    wanted = found["plain loop"].gradients
    about = {"model": shape.model, "px": shape.px, "weights, millions": round(weights / 1e6)}
    return [{**about, "step": name, **one.row, **differences(one.gradients, wanted)} for name, one in found.items()]


def hollow_unet(running: host.Host, shape: Shape) -> Any:
    """Return a U-Net of this shape as torch makes it."""
    config, xl, ldm = (running.module(name) for name in ("sd_models_config", "sd_models_xl", "sd_ldm"))
    params = config.from_yaml(shape.config)
    if config.is_sgm(params):
        return xl.build_unet(params)
    return ldm.UNet(**params["unet_config"]["params"], use_checkpoint=False)


def put_in(running: host.Host, shape: Shape) -> None:
    """Make a U-Net of this shape with random weights, without text encoders and VAE, the loaded model of the host."""
    xl, ldm = (running.module(name) for name in ("sd_models_xl", "sd_ldm"))
    with torch.device("meta"):
        unet = hollow_unet(running, shape)
    is_xl = bool(shape.pooled_width)
    models.fill(unet, running.module("devices").device)
    model = SimpleNamespace(
        model=SimpleNamespace(diffusion_model=unet),
        alphas_cumprod=models.signal(),
        parameterization=shape.prediction,
        sd_checkpoint_info=SimpleNamespace(model_name="random", shorthash=""),
    )
    if is_xl:
        width = (unet.label_emb[0][0].in_features - shape.pooled_width) // _SIZE_NUMBERS
        embedders = [xl.ConcatTimestepEmbedderND(key, width) for key in xl.SIZES]
        model.conditioner = SimpleNamespace(embedders=embedders)
    engine = xl.DiffusionEngine if is_xl else ldm.LatentDiffusion
    model.apply_model = MethodType(engine.apply_model, model)
    running.module("shared").sd_model = model
    running.module("sd_hijack").apply_optimizations()


def draw_batch(shape: Shape, denoiser: Any) -> NoisyBatch:
    """Return random latents of one picture with noise, and a random conditioning."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*size: int) -> Tensor:
        return torch.randn(1, *size, generator=generator)

    latents, noise = (drawn(4, shape.px // 8, shape.px // 8) for _ in range(2))
    conditioning = Conditioning(drawn(models.TOKENS, denoiser.widths[0]))
    if denoiser.vector_width:
        sizes = torch.tensor([[900, 640, 0, 12, shape.px, shape.px]])
        conditioning = Conditioning(conditioning.text, drawn(denoiser.vector_width), sizes)
    process = NoiseProcess(denoiser.alphas_cumprod, denoiser.prediction, LossSettings())
    return process.apply(latents, conditioning, torch.tensor([_TIMESTEP]), noise)


def _ours(denoiser: Any, network: Hypernetwork, batch: NoisyBatch, checkpointing: str) -> Tensor:
    with denoiser.training(network, Computing(checkpointing=checkpointing)):
        loss = diffusion_loss(denoiser, batch, LossSettings())
        loss.backward()
    return loss.detach()


def _plain(running: host.Host, network: Hypernetwork, batch: NoisyBatch) -> Tensor:
    with _plain_attention(running, network):
        prediction = running.model.apply_model(batch.noisy, batch.timesteps, _as_the_host_gives_it(running, batch))
        loss = functional.mse_loss(prediction, batch.target)
        loss.backward()
    return loss.detach()


def _as_the_host_gives_it(running: host.Host, batch: NoisyBatch) -> dict[str, Any]:
    text, vector, sizes = batch.conditioning.text, batch.conditioning.vector, batch.conditioning.sizes
    if vector is None or sizes is None:
        return {"c_crossattn": [text]}
    pairs = zip(running.model.conditioner.embedders, sizes.split(2, 1), strict=True)
    return {"crossattn": text, "vector": torch.cat([vector, *(embedder(pair) for embedder, pair in pairs)], 1)}


@contextmanager
def _plain_attention(running: host.Host, network: Hypernetwork) -> Iterator[None]:
    hypernetwork, hijack = running.module("hypernetworks.hypernetwork"), running.module("sd_hijack")
    with mock.patch.object(hypernetwork, "apply_hypernetworks", lambda _, context, __: network.transform(context)):
        hijack.apply_optimizations("None")
        try:
            yield
        finally:
            hijack.apply_optimizations()


@dataclass(frozen=True)
class _Found:
    row: dict[str, Any]
    gradients: list[Tensor]


def _measured(step: Callable[[], Tensor], network: Hypernetwork, rounds: int) -> _Found:
    """Take the steps; the first counts memory, and time only if it stays alone, as it makes much that stays."""
    gc.collect()
    seconds: list[tuple[float, float]] = []
    process, tensors, loss = PeakMemory(torch.device("cpu")), TensorPeak(), torch.zeros(())
    for number in range(rounds):
        network.zero_grad(set_to_none=True)
        start = time.perf_counter(), time.process_time()
        with nullcontext() if number else tensors:
            loss = step()
        seconds.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall_s, processor_s = (min(one) for one in zip(*(seconds[1:] or seconds), strict=True))
    row = {
        "seconds": round(wall_s, 2),
        "processor seconds": round(processor_s, 2),
        "above model and network, MB": round(tensors.peak_mb),
        "whole process, MB": round(process.peak_mb()),
        "loss": round(loss.item(), 5),
    }
    return _Found(row, [weight.grad.clone() for weight in network.parameters() if weight.grad is not None])


def differences(found: list[Tensor], wanted: list[Tensor]) -> dict[str, str]:
    """Return by what part of its norm the gradient differs from the wanted one: as a whole, and in the worst tensor."""
    nothing = _NOTHING * max(other.norm().item() for other in wanted)
    pairs = [(one, other) for one, other in zip(found, wanted, strict=True) if other.norm().item() > nothing]
    whole, other = (torch.cat([one.flatten() for one in side]) for side in (found, wanted))
    parts = {
        "gradient differs by": (whole - other).norm() / other.norm(),
        "one tensor by": max((one - other).norm() / other.norm() for one, other in pairs),
    }
    return {name: f"{part.item():.1e}" for name, part in parts.items()}
