"""The parts of a folder in the form of diffusers, built and filled with their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...hypernetworks.base.errors import AdapterError
from . import weights
from .folder import Folder
from .libraries import kind

_PREDICTIONS = {"epsilon": "epsilon", "v_prediction": "v"}
#: Of the schedulers in use, these alone have no betas.
_OTHER_NOISE = ("Flow", "EDM")
_HASH_LENGTH = 10


@dataclass(frozen=True)
class Parts:
    """What a pipeline computes with.

    Attributes:
        unet, vae: diffusers' modules, on the CPU and frozen.
        texts: each tokenizer of transformers with its text encoder.
        prediction: "epsilon" or "v".
        alphas_cumprod: share of signal at each timestep, [timesteps], float32.
        zeroes_empty: see `Folder`.
        unet_hash: the first digits of the SHA-256 of the files of the U-Net.
    """

    unet: Any
    vae: Any
    texts: tuple[tuple[Any, Any], ...]
    prediction: str
    alphas_cumprod: Tensor
    zeroes_empty: bool
    unet_hash: str


def load(folder: Folder, dtype: torch.dtype) -> Parts:
    """Return the parts of a folder.

    Args:
        dtype: of U-Net and text encoders; the VAE is in float32, as that of SDXL needs.

    Raises:
        AdapterError: a library is missing, or a part cannot be read.
    """
    prediction, alphas_cumprod = noise_of(folder.configs["scheduler"])
    pairs = folder.encoders
    files = {name: weights.files_of(folder.path / name) for name in ("unet", "vae", *(other for _, other in pairs))}
    texts = tuple((_tokenizer(folder, one), _part(folder, other, files[other], dtype)) for one, other in pairs)
    return Parts(
        unet=_part(folder, "unet", files["unet"], dtype),
        vae=_part(folder, "vae", files["vae"], torch.float32),
        texts=texts,
        prediction=prediction,
        alphas_cumprod=alphas_cumprod,
        zeroes_empty=folder.zeroes_empty,
        unet_hash=weights.digest(files["unet"])[:_HASH_LENGTH],
    )


def noise_of(config: Any) -> tuple[str, Tensor]:
    """Return what a U-Net with this scheduler predicts, and the share of signal at each timestep.

    Raises:
        AdapterError: it predicts something else, or its noise is of another kind.
    """
    name = str(config.get("_class_name", ""))
    written = config.get("prediction_type", "epsilon")
    if any(other in name for other in _OTHER_NOISE) or str(written) not in _PREDICTIONS:
        raise AdapterError(
            f"its scheduler is {name} with prediction_type {written!r}: it must predict epsilon or "
            "v_prediction, on a schedule of betas"
        )
    names = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas")
    given = {each: config[each] for each in (*names, "rescale_betas_zero_snr") if config.get(each) is not None}
    try:
        schedule = kind("diffusers", "DDIMScheduler")(**given).alphas_cumprod
    except (TypeError, ValueError, NotImplementedError, RuntimeError) as error:
        raise AdapterError(f"scheduler/scheduler_config.json has no schedule of noise: {error}") from error
    if not len(schedule) or not ((schedule >= 0) & (schedule <= 1)).all() or (schedule.diff() > 0).any():
        raise AdapterError("scheduler/scheduler_config.json has no schedule of noise: its shares of signal do not fall")
    return _PREDICTIONS[written], schedule.float()


def _tokenizer(folder: Folder, name: str) -> Any:
    path, wanted = folder.path / name, folder.classes[name]
    # transformers from 5 on writes tokenizer.json alone, which the slow tokenizers of earlier versions cannot read.
    if not all((path / each).is_file() for each in ("vocab.json", "merges.txt")):
        if not (path / "tokenizer.json").is_file():
            raise AdapterError(f"{name} has neither vocab.json and merges.txt nor tokenizer.json")
        wanted = "CLIPTokenizerFast"
    try:
        made = kind("transformers", wanted).from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise AdapterError(f"{name} cannot be read: {str(error).strip().partition(chr(10))[0]}") from error
    if made.bos_token_id is None or made.eos_token_id is None:
        raise AdapterError(f"{name} has no marks for the start and the end of a text")
    return made


def _part(folder: Folder, name: str, files: Any, dtype: torch.dtype) -> Any:
    module = "transformers" if name.startswith("text_encoder") else "diffusers"
    made, config = kind(module, folder.classes[name]), dict(folder.configs[name])
    try:
        with torch.device("meta"):
            built = made(made.config_class.from_dict(config)) if module == "transformers" else made.from_config(config)
    except (TypeError, ValueError, KeyError, AttributeError, NotImplementedError, RuntimeError) as error:
        raise AdapterError(f"{name}/config.json describes no {made.__name__}: {error}") from error
    weights.fill(built, name, weights.read(files), dtype)
    return built
