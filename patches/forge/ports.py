"""All ports on Forge and reForge, and previews with the checkpoint of the run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from PIL import Image
from torch import Tensor

from ...hypernetworks.network.hypernetwork import Hypernetwork
from ...hypernetworks.ports import PictureRequest, Ports, Progress
from .. import backend
from ..model import host
from ..model.previews import HostPreviewer
from . import schedules
from .denoiser import ForgeDenoiser
from .encoder import ForgeEncoder


class ForgePreviewer(HostPreviewer):
    """Makes pictures in the same way as the txt2img tab, with the checkpoint that was loaded first."""

    def __init__(self, taken_for: tuple[str, Tensor] | None = None) -> None:
        super().__init__(taken_for)
        self._chosen = backend.chosen()

    def predicting(self, prediction: str, alphas_cumprod: Tensor) -> ForgePreviewer:
        """Return one that takes the model for another, while it makes pictures."""
        made = ForgePreviewer((prediction, alphas_cumprod))
        made._chosen = self._chosen
        return made

    def generate(
        self, requests: Sequence[PictureRequest], network: Hypernetwork | None, strength: float
    ) -> list[Image.Image]:
        """Return a picture for each request, with `network` (or none) at `strength`.

        Raises:
            SettingsError: the host has no such sampler.
        """
        with backend.with_choice(self._chosen):
            return super().generate(requests, network, strength)

    def _taking(self, prediction: str, alphas_cumprod: Tensor) -> AbstractContextManager[None]:
        return schedules.taken_for(backend.originals().unet.model, prediction, alphas_cumprod)


def ports(progress: Progress | None = None) -> Ports:
    """Return all ports on the running host, with the chosen checkpoint loaded.

    Raises:
        TrainingError: there is none, or none that can be trained on.
    """
    backend.load_chosen()
    given = host.ports(progress, ForgeDenoiser())
    return replace(given, encoder=ForgeEncoder(), previewer=ForgePreviewer())
