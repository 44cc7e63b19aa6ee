"""Preview pictures made with the host's own sampler, without any effect on the run or the host."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

from modules import processing, scripts, sd_samplers, shared
from PIL import Image
from torch import Tensor

from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.network.hypernetwork import Hypernetwork
from ...hypernetworks.ports import PictureRequest
from ...hypernetworks.train.tracking import sampler_names, together
from .. import backend, parts
from . import encoders, temporary
from .loaded import Loaded


class HostPreviewer:
    """Makes pictures in the same way as the txt2img tab.

    Args:
        taken_for: what the model predicts and on which schedule, as of the port `Denoiser`, where that is not what the
            host takes it for.
    """

    def __init__(self, taken_for: tuple[str, Tensor] | None = None) -> None:
        self._taken_for = taken_for

    def predicting(self, prediction: str, alphas_cumprod: Tensor) -> HostPreviewer:
        """Return one that takes the model for another, while it makes pictures."""
        return HostPreviewer((prediction, alphas_cumprod))

    def generate(
        self, requests: Sequence[PictureRequest], network: Hypernetwork | None, strength: float
    ) -> list[Image.Image]:
        """Return a picture for each request, with `network` (or none) at `strength`.

        Raises:
            SettingsError: the host has no such sampler.
        """
        taken = self._taking(*self._taken_for) if self._taken_for else nullcontext()
        with temporary.mode(network, is_training=False), temporary.attached(network, strength), taken:
            return _pictures(requests)

    def _taking(self, prediction: str, alphas_cumprod: Tensor) -> AbstractContextManager[None]:
        return temporary.taken_for(prediction, alphas_cumprod)


def pictures_with(requests: Sequence[PictureRequest], loaded: Loaded | None) -> list[Image.Image]:
    """Return a picture for each request, with what the host could have loaded, in evaluation mode, or with nothing.

    Raises:
        SettingsError: the host has no such sampler.
    """
    with temporary.alone(loaded):
        return _pictures(requests)


def find_sampler(name: str) -> str:
    """Return the host's name of a sampler, which may be in another case or one of its short names.

    Names of kohya's scripts, k-diffusion and diffusers, such as `PNDM`, are known too.
    A schedule behind it, as in `DPM++ 2M Karras`, stays there where the host chooses schedules apart, from v1.9 on.

    Raises:
        SettingsError: the host has no such sampler.
    """
    return " ".join(filter(None, _parts(name)))


def _parts(name: str) -> tuple[str, str]:
    """Return the host's names of a sampler and of the schedule behind it; an empty one where there is none."""
    samplers = sd_samplers.all_samplers
    for written, schedule in _readings(name.lower()):
        wanted = sampler_names.usual(written).lower()
        for sampler in samplers:
            known = {one.lower() for one in (sampler.name, *(getattr(sampler, "aliases", None) or ()))}
            if {wanted, written} & known:
                return str(sampler.name), schedule
    raise SettingsError("preview.sampler", f"must be one of {', '.join(one.name for one in samplers)}, not {name!r}")


def _readings(name: str) -> Iterator[tuple[str, str]]:
    """Yield the name without a schedule, and then each split of it into one and the label of a schedule."""
    yield name, ""
    for schedule in _schedules():
        for known in (schedule.label, schedule.name, *(schedule.aliases or ())):
            if name.endswith(ending := f" {known.lower()}"):
                yield name.removesuffix(ending), schedule.label


def _schedules() -> Sequence[Any]:
    """Return the host's schedules, first the one that is best for each sampler; none before v1.9."""
    if importlib.util.find_spec("modules.sd_schedulers") is None:
        return ()
    return importlib.import_module("modules.sd_schedulers").schedulers


def _pictures(requests: Sequence[PictureRequest]) -> list[Image.Image]:
    pictures: list[Image.Image] = []
    with ExitStack() as stack:
        stack.enter_context(parts.applied())
        stack.enter_context(temporary.preserved_rng())
        stack.enter_context(temporary.preserved_state())
        stack.enter_context(temporary.quiet_total())
        stack.enter_context(encoders.needed(encoders.VAE, encoders.TEXT))
        if backend.is_here():
            stack.enter_context(backend.picture())
        for batch in together.batches(requests):
            pictures += _process(batch)
    return pictures


def _process(batch: list[PictureRequest]) -> list[Image.Image]:
    first = batch[0]
    sampler, schedule = _parts(first.sampler)
    schedules = _schedules()
    chosen: dict[str, Any] = {"scheduler": schedule or schedules[0].label} if schedules else {}
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model,
        prompt=[request.prompt for request in batch],
        negative_prompt=first.negative_prompt,
        seed=[request.seed for request in batch],
        sampler_name=sampler,
        batch_size=len(batch),
        n_iter=1,
        steps=first.steps,
        cfg_scale=first.cfg_scale,
        width=first.width_px,
        height=first.height_px,
        do_not_save_samples=True,
        do_not_save_grid=True,
        **chosen,
    )
    # The prompt must not load or unload networks: the one to be shown is attached already.
    p.disable_extra_networks = True
    if encoders.trained_words:  # neither those of the folder, nor what a text was some steps ago
        vars(p).update(do_not_reload_embeddings=True, cached_c=[None, None], cached_uc=[None, None])
    if backend.is_here():  # it wants to see scripts; these are none
        p.scripts = scripts.ScriptRunner()
    try:
        processed = processing.process_images(p)
    finally:
        p.close()
    first_image = processed.index_of_first_image
    pictures = processed.images[first_image : first_image + len(batch)]
    if shared.opts.enable_pnginfo:
        for picture, infotext in zip(pictures, processed.infotexts[first_image:], strict=False):
            picture.info["parameters"] = infotext
    return pictures
