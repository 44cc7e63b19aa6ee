"""What the core needs of a model and of the program around it, as protocols.

The host's side of each port lives in `patches/model/host.py`; a test may pass a few lines of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from markupsafe import Markup
from PIL import Image
from torch import Tensor, device

from .conditioning import Conditioning
from .kernels.memory import Activations
from .kernels.stored_layers import AS_LOADED
from .network.hypernetwork import Hypernetwork
from .ranks import ALONE, Ranks

#: The VAE halves the sides of a picture three times.
SIDE_STEP_PX = 8


class Encoder(Protocol):
    """Turns pictures and texts into what the U-Net takes."""

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """Return the most likely latents [batch, 4, height / 8, width / 8], scaled.

        Args:
            pictures: [batch, 3, height, width] in -1..1.
        """

    def encode_posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the latents, each shaped as `encode_pictures` gives them."""

    def picture_fingerprint(self) -> str:
        """Return a text that differs for another VAE, other weights or another precision."""

    def text_fingerprint(self) -> str:
        """Return a text that differs for another text encoder and other settings that change its output."""

    def encode_texts(self, texts: Sequence[str]) -> Sequence[Conditioning]:
        """Return the conditionings of the texts, each as it would be encoded alone; sizes belong to pictures."""

    def text_encoder_loaded(self) -> AbstractContextManager[None]:
        """Return a context in which the text encoder stays on its device, so that many texts need only one move."""

    def loaded_bytes(self) -> int:
        """Return the bytes that VAE and text encoder take on the GPU, which `unloaded` frees there."""

    def unloaded(self) -> AbstractContextManager[None]:
        """Return a context in which VAE and text encoder are off the GPU, except while something needs one."""


class WordEncoder(Protocol):
    """The text encoder of the host while vectors of words are trained; it is frozen then, and on its device.

    Vectors are given for each text encoder of the model, by its key in files of embeddings.
    """

    def initial(self, text: str) -> dict[str, Tensor]:
        """Return what the tokens of a text are before they are encoded, [tokens, width]."""

    def taking(self, words: Mapping[str, Mapping[str, Tensor]]) -> AbstractContextManager[None]:
        """Return a context in which these words stand for vectors [vectors, width], as they are at each moment.

        Raises:
            SettingsError: a word cannot be one of the host's; names `embedding.names`.
        """

    def words_in(self, text: str) -> frozenset[str]:
        """Return the words of the context that a text holds; none outside of one."""

    def encode(self, texts: Sequence[str]) -> Sequence[Conditioning]:
        """Return the conditionings of texts as `Encoder.encode_texts` does, with gradients for the vectors."""

    def loaded_bytes(self) -> int:
        """Return the bytes that the text encoder takes on the GPU."""


class SubjectFinder(Protocol):
    """Finds the subject of a picture."""

    def __call__(self, picture: Image.Image, size: tuple[int, int]) -> tuple[float, float] | None:
        """Return its centre in an RGB picture, as shares of width and height, or None.

        Args:
            size: width and height in pixels that the crop will be scaled to.
        """


@dataclass(frozen=True)
class Computing:
    """How the U-Net computes while a network trains; the gradients are the same, up to rounding, but for `storage`.

    Attributes:
        attention: one of `attention_kernels.CHOICES`.
        checkpointing: "none", "attention" (the transformer blocks) or "all" (the residual blocks too).
        storage: how the weights rest, one of `stored_layers.CHOICES`; "fp8" rounds them.
        compiles: whether blocks are compiled on a GPU.
    """

    attention: str = "auto"
    checkpointing: str = "none"
    storage: str = AS_LOADED
    compiles: bool = False


class Denoiser(Protocol):
    """The frozen U-Net."""

    #: "epsilon" or "v": what `predict` returns.
    prediction: str
    #: Share of signal left at each timestep, [timesteps], float32.
    alphas_cumprod: Tensor
    #: Widths of the inputs of its attention layers, text width first.
    widths: tuple[int, ...]
    #: Width of the vector in a conditioning; 0 where it has none.
    vector_width: int
    device: device
    #: Whether it knows `Computing.compiles`.
    can_compile: bool
    #: The dtype of its weights.
    dtype: torch.dtype

    def offloaded_bytes(self) -> int:
        """Return the bytes of weights that are not on the device yet and come to it with the first step."""

    def storable_bytes(self) -> int | None:
        """Return the bytes on the GPU that `Computing.storage` "fp8" frees; None where the host cannot do that."""

    def training(self, network: Hypernetwork, computing: Computing) -> AbstractContextManager[None]:
        """Return a context in which the U-Net is frozen and `network` alone, at strength 1, transforms its inputs."""

    def activations(self, network: Hypernetwork, batch: tuple[int, int, int]) -> Activations | None:
        """Return what a step on a batch (pictures, width and height in pixels) keeps; None where that is unknown."""

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the prediction, shaped like `noisy` [batch, 4, height, width], for integer timesteps [batch]."""


class Progress(Protocol):
    """Shows the progress of a long run, and tells whether it should stop."""

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
    """One picture to make: the values that a user would enter in the txt2img tab. Sizes in pixels."""

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

    def predicting(self, prediction: str, alphas_cumprod: Tensor) -> Previewer:
        """Return one that takes the U-Net for one that predicts `prediction` on this schedule; see `Denoiser`."""


class BetweenSteps(Protocol):
    """A run that stands between two steps, and what can be asked of it there."""

    def save(self) -> Path:
        """Save a numbered copy, and return its path."""

    def preview(self, prompt: str) -> Path:
        """Make and save a picture of a prompt, or of the run's own where it is empty; return its path."""

    def aside(self) -> AbstractContextManager[None]:
        """Return a context in which the model is as it was before the run, for others to use."""


class Desk(Protocol):
    """Takes what people ask of a run, and has it done between two steps."""

    def is_wanted(self) -> bool:
        """Tell whether somebody asks for something; called at each step."""

    def expect(self, seconds: float | None) -> None:
        """Note the seconds that the run will still take; None where that is unknown."""

    def serve(self, run: BetweenSteps) -> None:
        """Do what is asked for; raises nothing that should end the run."""


@dataclass(frozen=True)
class Checkpoint:
    """Name and short hash of the model a network is trained on.

    Attributes:
        parts: files that take the place of its VAE or text encoder, by the setting that names them.
    """

    name: str
    short_hash: str
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ports:
    """Everything outside the core that a training run needs.

    Attributes:
        network_dir: folder of networks whose job names no folder.
        log_dir: folder of logs and previews of such networks.
        latent_dir: folder of cached latents; None: next to the logs.
        find_subject: the host's own finder of what a crop should keep, if it has one.
        find_sampler: returns the host's name of a sampler, or raises SettingsError.
        desk: has things done between two steps; None where nobody can ask.
        ranks: the processes that take the steps together.
        words: the text encoder for words that are trained; None where the host has no such way.
        embedding_dir: folder of embeddings whose job names no folder.
        has_parts: whether VAE, text encoder and settings of texts are those of `job.model`, where it names any.
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
    find_sampler: Callable[[str], str] = str
    desk: Desk | None = None
    ranks: Ranks = ALONE
    words: WordEncoder | None = None
    embedding_dir: Path | None = None
    has_parts: bool = False
