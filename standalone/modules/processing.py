"""Makes pictures: from a job's settings to images with infotext."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from PIL import Image

from modules import devices, extra_networks, images, paths, prompt_parser, sd_hijack, sd_samplers, shared
from modules.infotext_utils import quote

LATENT_CHANNELS, PX_PER_LATENT, MAX_SEED = 4, 8, 2**32 - 1
LIMITS = {
    "steps": ("Steps", 1, 150),
    "cfg_scale": ("CFG scale", 1, 30),
    "width": ("Width", 2 * PX_PER_LATENT, 2048),
    "height": ("Height", 2 * PX_PER_LATENT, 2048),
    "batch_size": ("Batch size", 1, 64),
    "n_iter": ("Batch count", 1, 64),
}


class ImageRNG:
    """Draws noise [batch, *shape] with one generator per seed, so that a picture depends on its own seed alone.

    On the CPU, to be the same on every device.
    """

    def __init__(self, shape: tuple[int, ...], seeds: list[int]) -> None:
        self.shape, self.seeds = shape, seeds
        self.generators = [torch.Generator("cpu").manual_seed(int(seed)) for seed in seeds]

    def next(self) -> torch.Tensor:
        """Return fresh noise for every picture."""
        noise = [torch.randn(self.shape, generator=generator) for generator in self.generators]
        return torch.stack(noise).to(devices.device)


@dataclass
class StableDiffusionProcessingTxt2Img:
    """A job: its settings and, while it runs, its state."""

    sd_model: Any = None
    outpath_samples: str | None = None
    prompt: Any = ""
    negative_prompt: Any = ""
    seed: Any = -1
    sampler_name: str = "Euler a"
    scheduler: str = "Automatic"
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    do_not_save_samples: bool = False
    do_not_save_grid: bool = True  # there are no grids
    disable_extra_networks: bool = False
    do_not_reload_embeddings: bool = False
    override_settings: dict[str, Any] = field(default_factory=dict)
    extra_generation_params: dict[str, Any] = field(default_factory=dict)

    scripts: Any = field(default=None, init=False)
    script_args: list[Any] = field(default_factory=list, init=False)
    comments: dict[str, int] = field(default_factory=dict, init=False)
    rng: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.sd_model = self.sd_model or shared.sd_model

    def comment(self, text: str) -> None:
        """Note something to be shown under the pictures."""
        self.comments[text] = 1

    def close(self) -> None:
        """Release what the job computed."""
        self.rng = None

    def call_scripts(self, method: str, *args: Any, **kwargs: Any) -> None:
        """Let the scripts of the job, if it has any, take part."""
        if self.scripts is not None:
            self.scripts.call(method, self, *args, **kwargs)

    def validate(self) -> None:
        """Raise SettingsError naming the first field with a value that it cannot have."""
        for key, (name, low, high) in LIMITS.items():
            value = getattr(self, key)
            if isinstance(value, str | None) or not low <= value <= high:
                raise SettingsError(name, f"must be a number from {low} to {high}, not {value}")
            if key != "cfg_scale" and value != int(value):
                raise SettingsError(name, f"must be a whole number, not {value}")
            if key in ("width", "height") and value % PX_PER_LATENT:
                raise SettingsError(name, f"must be a multiple of {PX_PER_LATENT}, not {value}")
        for seed in self.seed if isinstance(self.seed, list) else [self.seed]:
            if seed not in (None, "") and not (str(seed).lstrip("-").isdecimal() and -1 <= int(seed) <= MAX_SEED):
                raise SettingsError("Seed", f"must be -1 (random) or a whole number up to {MAX_SEED}, not {seed}")
        if self.sampler_name not in sd_samplers.all_samplers_map:
            raise SettingsError("Sampling method", f"there is no sampler {self.sampler_name!r}")
        if self.scheduler not in sd_samplers.schedules:
            raise SettingsError("Schedule type", f"there is no schedule {self.scheduler!r}")

    def setup_prompts(self) -> None:
        """Spread prompts and seeds over all pictures of the job; -1, None and the empty text mean a random seed."""

        def spread(text: Any) -> list[str]:
            return list(text) if isinstance(text, list) else [text] * self.batch_size * self.n_iter

        def fixed(seed: Any) -> int:
            return random.randrange(2**32) if seed in (None, "") or int(seed) == -1 else int(seed)

        self.all_prompts, self.all_negative_prompts = spread(self.prompt), spread(self.negative_prompt)
        if isinstance(self.seed, list):
            self.all_seeds = [fixed(seed) for seed in self.seed]
        else:
            first = fixed(self.seed)
            self.all_seeds = [first + number for number in range(len(self.all_prompts))]

    def take_batch(self, number: int) -> None:
        """Pick the prompts and seeds of one batch and seed its noise."""
        part = slice(number * self.batch_size, (number + 1) * self.batch_size)
        self.prompts, self.negative_prompts = self.all_prompts[part], self.all_negative_prompts[part]
        self.seeds = self.all_seeds[part]
        shape = (LATENT_CHANNELS, self.height // PX_PER_LATENT, self.width // PX_PER_LATENT)
        self.rng = ImageRNG(shape, self.seeds)


class Processed:
    """The results of a job."""

    def __init__(self, p: StableDiffusionProcessingTxt2Img, pictures: list[Image.Image], infotexts: list[str]) -> None:
        self.images, self.infotexts, self.index_of_first_image = pictures, infotexts, 0
        self.info = infotexts[0] if infotexts else ""
        self.comments = "".join(f"{comment}\n" for comment in p.comments)


def create_infotext(p: StableDiffusionProcessingTxt2Img, index: int) -> str:
    """Return the infotext of the job's picture number `index`: all that is needed to make it again."""
    params = {
        "Steps": p.steps,
        "Sampler": p.sampler_name,
        "Schedule type": p.scheduler,
        "CFG scale": p.cfg_scale,
        "Seed": p.all_seeds[index],
        "Size": f"{p.width}x{p.height}",
        "Model hash": p.sd_model.sd_model_hash if shared.opts.add_model_hash_to_info else None,
        "Model": p.sd_model.sd_checkpoint_info.name_for_extra if shared.opts.add_model_name_to_info else None,
        "Clip skip": shared.opts.CLIP_stop_at_last_layers if shared.opts.CLIP_stop_at_last_layers > 1 else None,
        "RNG": "CPU" if devices.device.type != "cpu" else None,
        **p.extra_generation_params,
        "Version": "embedded",
    }
    line = ", ".join(f"{key}: {quote(value)}" for key, value in params.items() if value is not None)
    negative = p.all_negative_prompts[index]
    return f"{p.all_prompts[index]}" + (f"\nNegative prompt: {negative}" if negative else "") + f"\n{line}"


def process_images(p: StableDiffusionProcessingTxt2Img) -> Processed:
    """Run a job with the settings that it overrides; raises SettingsError for a field that cannot have its value."""
    values = shared.opts.data
    before = {key: values[key] for key in p.override_settings}
    try:
        values.update(p.override_settings)
        return process_images_inner(p)
    finally:
        values.update(before)


@torch.no_grad()
def process_images_inner(p: StableDiffusionProcessingTxt2Img) -> Processed:
    """Do it with the present settings."""
    p.call_scripts("before_process")
    p.validate()
    p.setup_prompts()
    p.call_scripts("process")
    if shared.state.job_count == -1:
        shared.state.job_count = p.n_iter
    if not p.do_not_reload_embeddings:
        sd_hijack.model_hijack.embedding_db.load_textual_inversion_embeddings()
    pictures: list[Image.Image] = []
    infotexts: list[str] = []
    for number in range(p.n_iter):
        if shared.state.interrupted:
            break
        for picture, seed in zip(_process_batch(p, number), p.seeds, strict=True):
            text = create_infotext(p, len(pictures))
            picture.info["parameters"] = text
            pictures.append(picture)
            infotexts.append(text)
            if shared.opts.samples_save and not p.do_not_save_samples:
                folder = p.outpath_samples or str(Path(paths.data_path, "outputs", "txt2img-images"))
                images.save_image(picture, folder, seed, text, p)
    result = Processed(p, pictures, infotexts)
    p.call_scripts("postprocess", result)
    return result


def _process_batch(p: StableDiffusionProcessingTxt2Img, number: int) -> list[Image.Image]:
    p.take_batch(number)
    facts = {"batch_number": number, "prompts": p.prompts, "seeds": p.seeds}
    p.call_scripts("before_process_batch", **facts)
    p.prompts, mentions = extra_networks.parse_prompts(p.prompts)
    if not p.disable_extra_networks:
        with devices.autocast():
            extra_networks.activate(p, mentions)
    p.call_scripts("process_batch", **facts)
    if p.n_iter > 1:
        shared.state.job = f"Batch {number + 1} out of {p.n_iter}"
    with devices.autocast():
        positive, negative = _conditionings(p)
        sampler = sd_samplers.create_sampler(p.sampler_name, p.sd_model)
        latents = sampler.sample(p, p.rng.next(), positive, negative)
    devices.test_for_nans(latents, "U-Net")
    pictures = sd_samplers.decode_latents(latents)
    shared.state.nextjob()
    p.call_scripts("postprocess_batch", images=pictures, batch_number=number)
    return pictures


def _conditionings(p: StableDiffusionProcessingTxt2Img) -> tuple[Any, Any]:
    """Return those of the prompts and of the negative ones; encoded together, both get the same number of tokens."""
    texts = prompt_parser.SdConditioning([*p.negative_prompts, *p.prompts], p.width, p.height)
    both = p.sd_model.get_learned_conditioning(texts)
    if isinstance(both, dict):
        halves = {key: tensor.chunk(2) for key, tensor in both.items()}
        negative, positive = ({key: half[number] for key, half in halves.items()} for number in (0, 1))
    else:
        negative, positive = both.chunk(2)
    return positive, negative if any(p.negative_prompts) else p.sd_model.without_text(negative)
