"""What the core asks of a model and of the program around it, as protocols.

The host's side of each port lives in `patches/model/host.py`; a test may pass a few lines of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from markupsafe import Markup
from PIL import Image
from torch import Tensor, device

from .kernels.memory import Activations
from .network.hypernetwork import Hypernetwork


class Encoder(Protocol):
    """Turns pictures and texts into what the U-Net takes."""

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """Latents [batch, 4, height / 8, width / 8], most likely and scaled, of pictures [batch, 3, height, width]
        in -1..1."""

    def encode_posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents, each shaped as `encode_pictures` gives them."""

    def picture_fingerprint(self) -> str:
        """Tell this VAE, its weights and its precision from every other."""

    def text_fingerprint(self) -> str:
        """Tell this text encoder, with all settings that change what it gives, from every other."""

    def encode_texts(self, texts: Sequence[str]) -> Sequence[Tensor]:
        """Conditionings [tokens, width] of the texts, each as it would be encoded alone."""

    def at_hand(self) -> AbstractContextManager[None]:
        """For its length the text encoder stays where it computes, so that many texts need no more than one move."""

    def unloaded(self) -> AbstractContextManager[None]:
        """For its length VAE and text encoder are off the GPU; whatever needs one brings it back for that long."""


class SubjectFinder(Protocol):
    """Finds what matters in a picture."""

    def __call__(self, picture: Image.Image, size: tuple[int, int]) -> tuple[float, float] | None:
        """Its place in an RGB picture, as shares of width and height, for a crop that is scaled to `size` (width,
        height) pixels; None where it knows none."""


@dataclass(frozen=True)
class Computing:
    """How the U-Net computes while a network trains; gradients are the same in every way, up to rounding.

    Attributes:
        attention: one of `attention_kernels.CHOICES`.
        checkpointing: "none", "attention" (the transformer blocks) or "all" (the residual blocks too).
    """

    attention: str = "auto"
    checkpointing: str = "none"


class Denoiser(Protocol):
    """The frozen U-Net."""

    #: "epsilon" or "v": what `predict` answers.
    prediction: str
    #: Share of signal left at each timestep, [timesteps], float32.
    alphas_cumprod: Tensor
    #: Widths of the inputs of its attention layers, text width first.
    widths: tuple[int, ...]
    device: device
    #: Of its weights.
    dtype: torch.dtype

    def bytes_to_come(self) -> int:
        """Tell how much of it is elsewhere yet and comes to the device for the first step."""

    def training(self, network: Hypernetwork, computing: Computing) -> AbstractContextManager[None]:
        """For its length the U-Net is frozen and `network` alone bends its attention inputs, at strength 1."""

    def activations(self, network: Hypernetwork, batch: tuple[int, int, int]) -> Activations | None:
        """Bytes that a step on a batch (pictures, width and height in pixels) keeps; None where nobody can tell."""

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Tensor) -> Tensor:
        """Prediction, shaped like `noisy` [batch, 4, height, width], for integer timesteps [batch]."""


class Progress(Protocol):
    """Where a long run tells how far it is and asks whether it should stop."""

    def report(self, done: int, total: int, text: str) -> None:
        """Show that `done` of `total` steps are over, with one line of text."""

    def draw(self, chart: Markup) -> None:
        """Show the curves of the run, an SVG element."""

    def show(self, picture: Image.Image) -> None:
        """Show a preview picture."""

    def is_interrupted(self) -> bool:
        """Tell whether the user asked the run to stop."""


@dataclass(frozen=True)
class PictureRequest:
    """One picture to make: what a person would fill into the txt2img tab. Sizes in pixels."""

    prompt: str
    seed: int
    width_px: int
    height_px: int
    negative_prompt: str = ""
    sampler: str = "Euler a"
    steps: int = 20
    cfg_scale: float = 7.0


class Previewer(Protocol):
    """Makes pictures with the host's own sampler and leaves the host as it was."""

    def generate(
        self, requests: Sequence[PictureRequest], network: Hypernetwork | None, strength: float
    ) -> list[Image.Image]:
        """Return a picture for each request, with `network` (or none) at `strength`."""


@dataclass(frozen=True)
class Checkpoint:
    """Name and short hash of the model a network is trained on."""

    name: str
    short_hash: str


@dataclass(frozen=True)
class Ports:
    """All that a training run needs of the world.

    Attributes:
        network_dir: where networks live that name no folder of their own.
        log_dir: where logs and previews go for such networks.
        latent_dir: where latents are kept for later runs; None: beside the logs.
        find_subject: the host's own way to find what a crop should keep, if it has one.
    """

    encoder: Encoder
    denoiser: Denoiser
    previewer: Previewer
    progress: Progress
    checkpoint: Checkpoint
    network_dir: Path
    log_dir: Path
    latent_dir: Path | None = None
    find_subject: SubjectFinder | None = None
