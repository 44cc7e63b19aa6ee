"""The port `Previewer`: pictures by the pipeline of a folder, with the schedulers of diffusers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.network.hypernetwork import Hypernetwork
from ...hypernetworks.ports import PictureRequest
from ...hypernetworks.train.noise import for_samplers
from ...hypernetworks.train.tracking import sampler_names, together
from ..diffusers import apply
from .denoiser import PipelineDenoiser
from .encoder import PipelineEncoder
from .libraries import kind
from .parts import Parts

#: The schedulers of diffusers, by the WebUI's names, and how they are set up for that.
_SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Euler a": ("EulerAncestralDiscreteScheduler", {}),
    "Euler": ("EulerDiscreteScheduler", {}),
    "LMS": ("LMSDiscreteScheduler", {}),
    "Heun": ("HeunDiscreteScheduler", {}),
    "DPM2": ("KDPM2DiscreteScheduler", {}),
    "DPM2 a": ("KDPM2AncestralDiscreteScheduler", {}),
    "DPM++ 2M": ("DPMSolverMultistepScheduler", {}),
    "DPM++ 2M SDE": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "DDIM": ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False}),
    "PLMS": ("PNDMScheduler", {"skip_prk_steps": True}),
    "UniPC": ("UniPCMultistepScheduler", {}),
}
_KARRAS = " Karras"
_PREDICTIONS = {"epsilon": "epsilon", "v": "v_prediction"}
_BYTE = 255


class PipelinePreviewer:
    """Makes pictures with the parts of a pipeline, and leaves them as they were.

    Args:
        is_interrupted: asked after each step; a picture that is being made then ends early.
    """

    def __init__(
        self,
        parts: Parts,
        encoder: PipelineEncoder,
        denoiser: PipelineDenoiser,
        is_interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._parts, self._encoder, self._denoiser, self._is_interrupted = parts, encoder, denoiser, is_interrupted
        self._taken_for = denoiser.prediction, denoiser.alphas_cumprod

    def predicting(self, prediction: str, alphas_cumprod: Tensor) -> PipelinePreviewer:
        """Return one that takes the U-Net for one that predicts `prediction` on this schedule."""
        other = PipelinePreviewer(self._parts, self._encoder, self._denoiser, self._is_interrupted)
        other._taken_for = prediction, alphas_cumprod
        return other

    def generate(
        self, requests: Sequence[PictureRequest], network: Hypernetwork | None, strength: float
    ) -> list[Image.Image]:
        """Return a picture for each request, with `network` (or none) at `strength`; raises SettingsError."""
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(torch.random.fork_rng(devices=range(torch.cuda.device_count())))
            stack.enter_context(self._denoiser.trained.aside())
            stack.enter_context(self._encoder.loaded())
            stack.enter_context(_evaluated(network))
            pipe = self._pipeline()
            stack.enter_context(nullcontext() if network is None else apply(pipe, network, strength))
            return [picture for batch in together.batches(requests) for picture in self._pictures(pipe, batch)]

    def _pipeline(self) -> Any:
        """Return a pipeline of U-Net and VAE; its scheduler is that of each picture, and the texts are given to it."""
        unet, vae, scheduler = self._parts.unet, self._parts.vae, self._scheduler("Euler")
        if len(self._parts.texts) > 1:
            pipe = kind("diffusers", "StableDiffusionXLPipeline")(vae, None, None, None, None, unet, scheduler)
        else:
            made = kind("diffusers", "StableDiffusionPipeline")
            pipe = made(vae, None, None, unet, scheduler, None, None, requires_safety_checker=False)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def _scheduler(self, sampler: str) -> Any:
        prediction, alphas_cumprod = self._taken_for
        shares = for_samplers(alphas_cumprod.cpu().double())
        before = torch.cat([shares.new_ones(1), shares[:-1]])
        name, own = _SCHEDULERS[sampler.removesuffix(_KARRAS)]
        options = {
            "num_train_timesteps": len(shares),
            "trained_betas": (1 - shares / before).tolist(),
            "prediction_type": _PREDICTIONS[prediction],
            "steps_offset": 1,
            "timestep_spacing": "trailing" if alphas_cumprod[-1] <= 0 else "leading",
            "use_karras_sigmas": sampler.endswith(_KARRAS),
        }
        made = kind("diffusers", name)
        taken = inspect.signature(made.__init__).parameters
        return made(**{key: value for key, value in options.items() if key in taken}, **own)

    def _pictures(self, pipe: Any, batch: Sequence[PictureRequest]) -> list[Image.Image]:
        """Return pictures of requests that differ only in prompt and seed; each has noise of its own."""
        first = batch[0]
        pipe.scheduler = self._scheduler(find_sampler(first.sampler))
        latents = pipe(
            **self._texts(batch),
            num_inference_steps=first.steps,
            guidance_scale=first.cfg_scale,
            width=first.width_px,
            height=first.height_px,
            generator=[torch.Generator().manual_seed(request.seed) for request in batch],
            output_type="latent",
            callback_on_step_end=self._after_step,
        ).images
        shares = self._encoder.decode(latents).permute(0, 2, 3, 1).cpu().nan_to_num()
        return [Image.fromarray(each.numpy()) for each in (shares * _BYTE).round().to(torch.uint8)]

    def _texts(self, batch: Sequence[PictureRequest]) -> dict[str, Tensor]:
        """Return what a pipeline takes for prompts and their negative one."""
        negative_prompt = batch[0].negative_prompt
        *prompts, negative = self._encoder.encode_together([*(each.prompt for each in batch), negative_prompt])
        if not negative_prompt and self._parts.zeroes_empty:
            negative = negative.map(torch.zeros_like)
        found: dict[str, Tensor] = {}
        for start, given in (("", prompts), ("negative_", [negative] * len(prompts))):
            found[f"{start}prompt_embeds"] = torch.stack([each.text for each in given])
            vectors = [each.vector for each in given if each.vector is not None]
            if vectors:
                found[f"{start}pooled_prompt_embeds"] = torch.stack(vectors)
        return {name: each.to(self._denoiser.device, self._denoiser.dtype) for name, each in found.items()}

    def _after_step(self, pipe: Any, _step: int, _timestep: Any, given: dict[str, Any]) -> dict[str, Any]:
        pipe._interrupt = self._is_interrupted()
        return given


def find_sampler(name: str) -> str:
    """Return the WebUI's name of a sampler that diffusers has, with " Karras" where that schedule is asked for.

    Raises:
        SettingsError: it has none such.
    """
    lower = name.strip().lower()
    is_karras = lower.endswith(_KARRAS.lower())
    wanted = sampler_names.usual(lower.removesuffix(_KARRAS.lower())).lower()
    for known in _SCHEDULERS:
        if known.lower() == wanted:
            return known + (_KARRAS if is_karras else "")
    raise SettingsError("preview.sampler", f"must be one of {', '.join(_SCHEDULERS)} for diffusers, not {name!r}")


@contextmanager
def _evaluated(network: Hypernetwork | None) -> Any:
    """Put a network into evaluation mode for a while."""
    was_training = network is not None and network.training
    try:
        if network is not None:
            network.eval()
        yield
    finally:
        if network is not None:
            network.train(was_training)
