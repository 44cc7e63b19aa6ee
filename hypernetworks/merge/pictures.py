"""The settings of pictures that show a merge before it is written."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from ..base.errors import SettingsError
from ..base.options import Settings, setting
from ..base.registry import rule
from ..ports import SIDE_STEP_PX, PictureRequest

_SEEDS = 2**32


@dataclass(frozen=True)
class PictureSettings(Settings):
    """What all the pictures have in common, as in the tab txt2img."""

    prompt: str = setting("", "Prompt", "The same for all pictures.", lines=2)
    negative_prompt: str = setting(
        "", "Negative prompt", "What the pictures should not show.", starts_row=True, lines=2
    )
    sampler: str = setting("Euler a", "Sampler", "One of the WebUI's.", starts_row=True)
    steps: int = setting(20, "Sampling steps", "Fewer are faster.", minimum=1, maximum=150)
    cfg_scale: float = setting(
        7.0, "CFG scale", "How closely the pictures follow the prompt.", starts_row=True, minimum=1.0, maximum=30.0
    )
    seed: int = setting(1, "Picture seed", "The same for all pictures; -1 draws one.", minimum=-1, maximum=_SEEDS - 1)
    width: int = setting(512, "Width", "In pixels, a multiple of 8.", starts_row=True, minimum=64, maximum=2048)
    height: int = setting(512, "Height", "In pixels, a multiple of 8.", minimum=64, maximum=2048)

    @rule("width", "height", each=True)
    def _fits_vae(self, name: str) -> None:
        if getattr(self, name) % SIDE_STEP_PX:
            raise SettingsError(name, f"must be a multiple of {SIDE_STEP_PX}, not {getattr(self, name)}")

    def request(self, find_sampler: Callable[[str], str]) -> PictureRequest:
        """Return the picture to make, with a seed that is drawn if it is to be.

        Args:
            find_sampler: returns the host's name of a sampler, or raises SettingsError.

        Raises:
            SettingsError: the host has no such sampler; names `sampler`.
        """
        try:
            sampler = find_sampler(self.sampler)
        except SettingsError as error:
            raise SettingsError("sampler", error.reason) from error
        return PictureRequest(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            seed=secrets.randbelow(_SEEDS) if self.seed < 0 else self.seed,
            width_px=self.width,
            height_px=self.height,
            sampler=sampler,
            steps=self.steps,
            cfg_scale=self.cfg_scale,
        )
