"""A model of a few numbers behind the core's ports: enough to train on, small enough to reason about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from hypernetwork_workbench.hypernetworks.conditioning import Conditioning
from hypernetwork_workbench.hypernetworks.kernels.memory import Activations
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork
from hypernetwork_workbench.hypernetworks.ports import Checkpoint, Computing, PictureRequest, Ports
from PIL import Image
from torch import Tensor

TEXT_WIDTH = 12


class FakeEncoder:
    """Latents are shrunken pictures; conditionings are drawn from the text."""

    def __init__(self) -> None:
        self.encoded_pictures = 0
        self.encoded_texts: list[str] = []

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        return self.encode_posterior(pictures)[0]

    def encode_posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        self.encoded_pictures += len(pictures)
        small = torch.nn.functional.avg_pool2d(pictures, 8)
        mean = torch.cat([small, small.mean(1, keepdim=True)], 1)
        return mean, torch.full_like(mean, 0.1)

    def picture_fingerprint(self) -> str:
        return "fake VAE"

    def text_fingerprint(self) -> str:
        return "fake text encoder"

    def encode_texts(self, texts: Sequence[str]) -> list[Conditioning]:
        self.encoded_texts += texts
        drawn = (torch.Generator().manual_seed(len(text)) for text in texts)
        return [Conditioning(torch.randn(5, TEXT_WIDTH, generator=generator)) for generator in drawn]

    def text_encoder_loaded(self):
        return nullcontext()

    def loaded_bytes(self) -> int:
        return 0

    def unloaded(self):
        return nullcontext()


class FakeDenoiser:
    """One frozen cross-attention without a softmax."""

    prediction = "epsilon"
    widths = (TEXT_WIDTH,)
    vector_width = 0
    device = torch.device("cpu")
    dtype = torch.float32
    can_compile = True

    def offloaded_bytes(self) -> int:
        return 0

    def storable_bytes(self):
        return 0

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.alphas_cumprod = torch.linspace(0.999, 0.01, 100)
        self.to_k = torch.randn(TEXT_WIDTH, 4, generator=generator)
        self.to_v = torch.randn(TEXT_WIDTH, 4, generator=generator)
        self.network: Hypernetwork | None = None

    @contextmanager
    def training(self, network: Hypernetwork, computing: Computing) -> Iterator[None]:
        self.network = network.train()
        try:
            yield
        finally:
            self.network = None
            network.eval()

    def activations(self, network: Hypernetwork, batch: tuple[int, int, int]) -> Activations:
        return Activations(3 << 20, 2 << 20, 1 << 20)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        text = conditioning.text
        k_in, v_in = self.network.transform(text) if self.network else (text, text)
        pooled = ((k_in @ self.to_k) * (v_in @ self.to_v)).mean(1)
        return noisy + pooled.view(-1, 4, 1, 1)


class FakePreviewer:
    """A grey picture whose value is the strength; uses up global randomness, as a sampler does."""

    def __init__(self) -> None:
        self.requests: list[PictureRequest] = []

    def predicting(self, prediction: str, alphas_cumprod: Tensor) -> FakePreviewer:
        self.taken_for = (prediction, alphas_cumprod)
        return self

    def generate(
        self, requests: Sequence[PictureRequest], network: Hypernetwork | None, strength: float
    ) -> list[Image.Image]:
        torch.randn(7)
        self.requests += requests
        return [Image.new("RGB", (r.width_px, r.height_px), (int(strength * 200),) * 3) for r in requests]


class FakeProgress:
    """Remembers what it was told; asks to stop after `stop_after` reports of steps."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.texts: list[str] = []
        self.pictures: list[Image.Image] = []
        self.charts: list[str] = []
        self._stop_after = stop_after

    def report(self, done: int, total: int, text: str) -> None:
        self.texts.append(text)

    def draw(self, chart: str) -> None:
        self.charts.append(chart)

    def show(self, picture: Image.Image) -> None:
        self.pictures.append(picture)

    def is_interrupted(self) -> bool:
        steps = sum(text.startswith("step") for text in self.texts)
        return self._stop_after is not None and steps >= self._stop_after


def fake_ports(folder: Path, stop_after: int | None = None) -> Ports:
    """Ports on the fakes, with the host's folders below `folder`."""
    return Ports(
        encoder=FakeEncoder(),
        denoiser=FakeDenoiser(),
        previewer=FakePreviewer(),
        progress=FakeProgress(stop_after),
        checkpoint=Checkpoint("fake", "0123456789"),
        network_dir=folder / "hypernetworks",
        log_dir=folder / "logs",
    )
