"""Makes pictures: from a job's settings to images with infotext."""

from __future__ import annotations

import importlib.metadata
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.errors import SettingsError
from PIL import Image

from modules import devices, extra_networks, images, paths_internal, rng, sd_samplers, sd_schedulers, shared
from modules.infotext_utils import quote

opt_C, opt_f = 4, 8  # noqa: N816 - the WebUI's names: latent channels, pixels per latent
MAX_STEPS, MAX_SIZE_PX, MAX_PICTURES, MAX_SEED, MAX_CFG = 150, 2048, 64, 2**32 - 1, 30


@dataclass
class StableDiffusionProcessing:
    """A job: what to make, and, while it runs, what is being made."""

    sd_model: Any = None
    outpath_samples: str | None = None
    outpath_grids: str | None = None
    prompt: Any = ""
    negative_prompt: Any = ""
    seed: Any = -1
    subseed: int = -1
    subseed_strength: float = 0
    sampler_name: str | None = None
    scheduler: str | None = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    disable_extra_networks: bool = False
    extra_generation_params: dict[str, Any] = field(default_factory=dict)
    override_settings: dict[str, Any] = field(default_factory=dict)
    override_settings_restore_afterwards: bool = True

    scripts: Any = field(default=None, init=False)
    script_args: list[Any] = field(default_factory=list, init=False)
    iteration: int = field(default=0, init=False)
    all_prompts: list[str] = field(default_factory=list, init=False)
    all_negative_prompts: list[str] = field(default_factory=list, init=False)
    all_seeds: list[int] = field(default_factory=list, init=False)
    all_subseeds: list[int] = field(default_factory=list, init=False)
    prompts: list[str] = field(default_factory=list, init=False)
    negative_prompts: list[str] = field(default_factory=list, init=False)
    seeds: list[int] = field(default_factory=list, init=False)
    subseeds: list[int] = field(default_factory=list, init=False)
    extra_network_data: dict[str, Any] = field(default_factory=dict, init=False)
    comments: dict[str, int] = field(default_factory=dict, init=False)
    rng: Any = field(default=None, init=False)
    c: Any = field(default=None, init=False)
    uc: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.sd_model = self.sd_model or shared.sd_model
        self.sampler_name = self.sampler_name or "Euler a"
        self.scheduler = self.scheduler or "Automatic"
        self.sd_model_name: str | None = None
        self.sd_model_hash: str | None = None

    def comment(self, text: str) -> None:
        """Notes something for the page."""
        self.comments[text] = 1

    def close(self) -> None:
        """Lets go of what the job computed."""
        self.c = self.uc = self.rng = None

    def validate(self) -> None:
        """Raises SettingsError naming the first field that cannot be."""
        limits = {
            "Steps": (self.steps, 1, MAX_STEPS),
            "CFG scale": (self.cfg_scale, 1, MAX_CFG),
            "Width": (self.width, 2 * opt_f, MAX_SIZE_PX),
            "Height": (self.height, 2 * opt_f, MAX_SIZE_PX),
            "Batch size": (self.batch_size, 1, MAX_PICTURES),
            "Batch count": (self.n_iter, 1, MAX_PICTURES),
        }
        for name, (value, low, high) in limits.items():
            if isinstance(value, str | None) or not low <= value <= high:
                raise SettingsError(name, f"must be a number from {low} to {high}, not {value}")
            if name != "CFG scale" and value != int(value):
                raise SettingsError(name, f"must be a whole number, not {value}")
        for name in ("Width", "Height"):
            if limits[name][0] % opt_f:
                raise SettingsError(name, f"must be a multiple of {opt_f}, not {limits[name][0]}")
        for seed in self.seed if isinstance(self.seed, list) else [self.seed]:
            if seed not in (None, "") and not (str(seed).lstrip("-").isdecimal() and -1 <= int(seed) <= MAX_SEED):
                raise SettingsError("Seed", f"must be -1 (random) or a whole number up to {MAX_SEED}, not {seed}")
        if sd_samplers.find_sampler_config(self.sampler_name) is None:
            raise SettingsError("Sampling method", f"there is no sampler {self.sampler_name!r}")
        if self.scheduler not in sd_schedulers.names:
            raise SettingsError("Schedule type", f"there is no schedule {self.scheduler!r}")

    def setup_prompts(self) -> None:
        """Spreads prompts and seeds over all pictures of the job."""
        count = self.batch_size * self.n_iter
        spread = []
        for text in (self.prompt, self.negative_prompt):
            spread.append(list(text) if isinstance(text, list) else [text] * count)
        if len(spread[0]) != len(spread[1]):
            spread[1] = (spread[1] * len(spread[0]))[: len(spread[0])]
        self.all_prompts, self.all_negative_prompts = spread
        first = self.seed if isinstance(self.seed, list) else get_fixed_seed(self.seed)
        self.all_seeds = first if isinstance(first, list) else [first + n for n in range(len(self.all_prompts))]
        self.all_subseeds = [0] * len(self.all_seeds)

    def setup_conds(self) -> None:
        """Encodes the batch's prompts; both contexts get the same number of tokens."""
        with devices.autocast():
            texts = [*self.negative_prompts, *self.prompts]
            context = self.sd_model.get_learned_conditioning(texts)
        self.uc, self.c = context[: len(self.negative_prompts)], context[len(self.negative_prompts) :]

    def take_batch(self, number: int) -> None:
        """Picks the prompts and seeds of one batch and seeds its noise."""
        part = slice(number * self.batch_size, (number + 1) * self.batch_size)
        self.iteration = number
        self.prompts, self.negative_prompts = self.all_prompts[part], self.all_negative_prompts[part]
        self.seeds, self.subseeds = self.all_seeds[part], self.all_subseeds[part]
        self.rng = rng.ImageRNG((opt_C, self.height // opt_f, self.width // opt_f), self.seeds)

    def parse_extra_network_prompts(self) -> None:
        """Takes `<name:...>` out of the batch's prompts."""
        self.prompts, self.extra_network_data = extra_networks.parse_prompts(self.prompts)

    def sample(self) -> torch.Tensor:
        """The batch's latents [batch, 4, h, w]."""
        self.sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        with devices.without_autocast() if devices.unet_needs_upcast else devices.autocast():
            return self.sampler.sample(self, self.rng.next(), self.c, self.uc)


@dataclass
class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    """A job from text alone."""


class Processed:
    """What a job made."""

    def __init__(self, p: StableDiffusionProcessing, images_list: list[Image.Image], infotexts: list[str]) -> None:
        self.images, self.infotexts = images_list, infotexts
        self.info = infotexts[0] if infotexts else ""
        self.prompt, self.negative_prompt = p.all_prompts[0], p.all_negative_prompts[0]
        self.seed, self.all_seeds, self.all_prompts = p.all_seeds[0], p.all_seeds, p.all_prompts
        self.comments = "".join(f"{comment}\n" for comment in p.comments)
        self.width, self.height, self.steps, self.sampler_name = p.width, p.height, p.steps, p.sampler_name
        self.cfg_scale, self.extra_generation_params = p.cfg_scale, p.extra_generation_params
        self.index_of_first_image = 0

    def js(self) -> str:
        """For the page: prompts, seeds and infotexts as JSON."""
        names = ("prompt", "negative_prompt", "seed", "all_seeds", "all_prompts", "width", "height", "infotexts")
        return images.to_json({name: getattr(self, name) for name in names})


def get_fixed_seed(seed: Any) -> Any:
    """A seed as a number; -1, None and the empty text become a random one."""
    if isinstance(seed, list):
        return [get_fixed_seed(one) for one in seed]
    if seed in (None, "") or int(seed) == -1:
        return random.randrange(2**32)
    return int(seed)


def fix_seed(p: StableDiffusionProcessing) -> None:
    """Settles a job's random seed."""
    p.seed = get_fixed_seed(p.seed)


def program_version() -> str:
    """The extension's version, where it is installed as a package; else "embedded"."""
    try:
        return importlib.metadata.version("hypernetwork-workbench")
    except importlib.metadata.PackageNotFoundError:
        return "embedded"


def create_infotext(p: StableDiffusionProcessing, index: int) -> str:
    """The infotext of the job's picture number `index`: what it takes to make it again."""
    params = {
        "Steps": p.steps,
        "Sampler": p.sampler_name,
        "Schedule type": p.scheduler,
        "CFG scale": p.cfg_scale,
        "Seed": p.all_seeds[index],
        "Size": f"{p.width}x{p.height}",
        "Model hash": p.sd_model_hash if shared.opts.add_model_hash_to_info else None,
        "Model": p.sd_model_name if shared.opts.add_model_name_to_info else None,
        "RNG": "CPU" if devices.device.type != "cpu" else None,
        **{
            key: value[index] if isinstance(value, list) else value(p=p, index=index) if callable(value) else value
            for key, value in p.extra_generation_params.items()
        },
        "Version": program_version(),
    }
    line = ", ".join(f"{key}: {quote(value)}" for key, value in params.items() if value is not None)
    negative = p.all_negative_prompts[index]
    return f"{p.all_prompts[index]}" + (f"\nNegative prompt: {negative}" if negative else "") + f"\n{line}"


def process_images(p: StableDiffusionProcessing) -> Processed:
    """Runs a job; raises SettingsError for settings that cannot be."""
    if p.scripts is not None:
        p.scripts.before_process(p)
    p.validate()
    stored = {key: getattr(shared.opts, key) for key in p.override_settings}
    try:
        for key, value in p.override_settings.items():
            shared.opts.set(key, value, is_api=True, run_callbacks=False)
        return _process(p)
    finally:
        if p.override_settings_restore_afterwards:
            for key, value in stored.items():
                shared.opts.set(key, value, run_callbacks=False)


@torch.no_grad()
def _process(p: StableDiffusionProcessing) -> Processed:
    p.sd_model_name = p.sd_model.sd_checkpoint_info.name_for_extra
    p.sd_model_hash = p.sd_model.sd_model_hash
    p.setup_prompts()
    if p.scripts is not None:
        p.scripts.process(p)
    if shared.state.job_count == -1:
        shared.state.job_count = p.n_iter
    pictures: list[Image.Image] = []
    infotexts: list[str] = []
    for number in range(p.n_iter):
        if shared.state.interrupted or shared.state.stopping_generation:
            break
        shared.state.skipped = False
        made = _process_batch(p, number)
        for position, picture in enumerate(made):
            text = create_infotext(p, number * p.batch_size + position)
            picture.info["parameters"] = text
            pictures.append(picture)
            infotexts.append(text)
            if shared.opts.samples_save and not p.do_not_save_samples:
                folder = p.outpath_samples or str(Path(paths_internal.data_path, "outputs", "txt2img-images"))
                images.save_image(picture, folder, "", p.seeds[position], info=text, p=p, save_to_dirs=True)
    if not p.disable_extra_networks:
        extra_networks.deactivate(p, p.extra_network_data)
    result = Processed(p, pictures, infotexts)
    if p.scripts is not None:
        p.scripts.postprocess(p, result)
    return result


def _process_batch(p: StableDiffusionProcessing, number: int) -> list[Image.Image]:
    p.take_batch(number)
    facts = {"batch_number": number, "prompts": p.prompts, "seeds": p.seeds, "subseeds": p.subseeds}
    if p.scripts is not None:
        p.scripts.before_process_batch(p, **facts)
    p.parse_extra_network_prompts()
    if not p.disable_extra_networks:
        with devices.autocast():
            extra_networks.activate(p, p.extra_network_data)
    if p.scripts is not None:
        p.scripts.process_batch(p, **facts)
    p.setup_conds()
    if p.n_iter > 1:
        shared.state.job = f"Batch {number + 1} out of {p.n_iter}"
    latents = p.sample()
    devices.test_for_nans(latents, "U-Net")
    pictures = sd_samplers.decode_latents(latents)
    shared.state.nextjob()
    if p.scripts is not None:
        p.scripts.postprocess_batch(p, pictures, batch_number=number)
    return pictures
