"""Training steps to measure: a model, a dataset of random latents, and the project's own trainer on them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.data.encoding import encode
from hypernetwork_workbench.hypernetworks.ports import Checkpoint, Encoder, Ports, Progress
from hypernetwork_workbench.hypernetworks.train import TrainingPlan, make_plan
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.state import make_state
from hypernetwork_workbench.hypernetworks.train.trainer import Trainer, make_trainer
from PIL import Image
from torch import Tensor

from standalone import host

from . import models


@dataclass(frozen=True)
class Case:
    """One training to measure.

    Attributes:
        model: "demo", or one of `models.SIZES`.
        px: side of the square pictures, in pixels.
        dtype: name of the U-Net's dtype in torch.
    """

    model: str
    px: int
    batch_size: int = 1
    dtype: str = "float32"


class SilentProgress:
    """Progress that nobody sees."""

    def report(self, done: int, total: int, text: str) -> None:
        """Show nothing."""

    def draw(self, chart: str) -> None:
        """Show nothing."""

    def show(self, picture: Image.Image) -> None:
        """Show nothing."""

    def is_interrupted(self) -> bool:
        """Return False."""
        return False


class RandomEncoder:
    """Random latents and conditionings, the same for the same picture or text, made as quickly as possible.

    Attributes:
        calls: how often it encoded something.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self.calls = 0

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """Return random latents [batch, 4, height / 8, width / 8]."""
        return self.encode_posterior(pictures)[0]

    def encode_posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return random means, and a standard deviation that is the same everywhere."""
        self.calls += 1
        height, width = pictures.shape[-2:]
        mean = torch.stack([_drawn(float(picture.sum()), 4, height // 8, width // 8) for picture in pictures])
        return mean, torch.full_like(mean, 0.1)

    def picture_fingerprint(self) -> str:
        """Return the same text always."""
        return "random VAE"

    def text_fingerprint(self) -> str:
        """Return the same text always."""
        return f"random text encoder of width {self._width}"

    def encode_texts(self, texts: Sequence[str]) -> Sequence[Conditioning]:
        """Return random conditionings without a vector."""
        self.calls += 1
        return [Conditioning(_drawn(text, models.TOKENS, self._width)) for text in texts]

    def text_encoder_loaded(self) -> AbstractContextManager[None]:
        """Do nothing: there is nothing to move."""
        return nullcontext()

    def loaded_bytes(self) -> int:
        """Return 0: there is nothing to unload."""
        return 0

    def unloaded(self) -> AbstractContextManager[None]:
        """Do nothing: there is nothing to unload."""
        return nullcontext()


@contextmanager
def loaded(case: Case) -> Iterator[host.Host]:
    """Yield the host with the model of a case and with the extension's patches."""

    def put_in(running: host.Host) -> None:
        models.put_in(running, models.random_unet(running, getattr(torch, case.dtype), case.model))

    with host_with(None if case.model == "demo" else put_in) as running:
        yield running


@contextmanager
def host_with(put_in: Callable[[host.Host], None] | None) -> Iterator[host.Host]:
    """Yield the host with the extension's patches, and with the model that `put_in` gives it; None: the demo model."""
    with tempfile.TemporaryDirectory() as folder:
        running = host.start(data_dir=folder, extension=False, load_model=put_in is None)
        from hypernetwork_workbench import patches  # noqa: PLC0415 (needs the running host)

        try:
            if put_in is not None:
                put_in(running)
            patches.install_all()
            yield running
        finally:
            patches.uninstall_all()
            running.stop()


def ports(folder: Path, encoder: Encoder | None = None, progress: Progress | None = None) -> Ports:
    """Return ports with the host's U-Net, random encoders unless others are given, and no previews."""
    from hypernetwork_workbench.patches.model.host import HostDenoiser  # noqa: PLC0415 (needs the running host)

    denoiser = HostDenoiser()
    nobody: Any = None
    return Ports(
        encoder=encoder or RandomEncoder(denoiser.widths[0]),
        denoiser=denoiser,
        previewer=nobody,
        progress=progress or SilentProgress(),
        checkpoint=Checkpoint("random", ""),
        network_dir=folder / "networks",
        log_dir=folder / "logs",
    )


def job(pictures: Path, case: Case, **changes: dict[str, Any]) -> Job:
    """Return a job for a network of structure 1, 2, 1 on a folder of pictures; tables in `changes` override it."""
    tables: dict[str, dict[str, Any]] = {
        "network": {"layer_structure": [1, 2, 1], "activation": "relu", "weight_init": "Normal"},
        "data": {"folder": str(pictures), "width": case.px, "height": case.px, "batch_size": case.batch_size},
        "schedule": {"rate": "0.00001"},
        "train": {"max_steps": 1_000_000},
        "output": {"name": "measured", "save_state": False, "sheet": False},
    }
    for section, table in changes.items():
        tables[section] = {**tables.get(section, {}), **table}
    return Job.from_mapping(tables)


def make_trainer_for(case: Case, folder: Path) -> tuple[Trainer, TrainingPlan]:
    """Return the project's trainer, and its plan, on a few random pictures."""
    pictures = draw_pictures(folder / "pictures", max(4, case.batch_size), case.px)
    here = ports(folder)
    plan = make_plan(job(pictures, case), here)
    data = encode(plan.training, here.encoder, here.progress)
    return make_trainer(plan, here.denoiser, data, make_state(plan.job, plan.network, here.denoiser)), plan


def draw_pictures(folder: Path, count: int, px: int) -> Path:
    """Write `count` pictures that all differ, each with its caption, into `folder` and return it."""
    folder.mkdir(parents=True)
    for number in range(count):
        colour = tuple(hashlib.sha256(str(number).encode()).digest()[:3])
        Image.new("RGB", (px, px), colour).save(folder / f"{number:05d}.png")
        (folder / f"{number:05d}.txt").write_text(f"picture {number % 100}", encoding="utf-8")
    return folder


def _drawn(seed: object, *shape: int) -> Tensor:
    digest = hashlib.sha256(repr(seed).encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))
    return torch.randn(*shape, generator=generator)
