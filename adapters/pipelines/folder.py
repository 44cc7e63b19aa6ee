"""What is in a folder in the form of diffusers, read without running anything of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...hypernetworks.base.encodings import UnfitTextError
from ...hypernetworks.base.errors import AdapterError
from ...hypernetworks.base.outside import is_folder, read_json

INDEX = "model_index.json"
_KINDS = ("", "Img2Img", "Inpaint", "ControlNet", "PAG")
_SD = tuple(f"StableDiffusion{kind}Pipeline" for kind in _KINDS)
_XL = tuple(f"StableDiffusionXL{kind}Pipeline" for kind in _KINDS)
_TOKENIZERS = ("CLIPTokenizer", "CLIPTokenizerFast")
_ENCODERS = ("CLIPTextModel", "CLIPTextModelWithProjection")
#: The classes that each part may be of, by their library: no other code runs.
_CLASSES = {
    "unet": ("diffusers", ("UNet2DConditionModel",)),
    "vae": ("diffusers", ("AutoencoderKL",)),
    "text_encoder": ("transformers", _ENCODERS),
    "text_encoder_2": ("transformers", _ENCODERS[1:]),
    "tokenizer": ("transformers", _TOKENIZERS),
    "tokenizer_2": ("transformers", _TOKENIZERS),
}
_NOT_THERE = "is not there: it must be a folder on this computer, nothing is downloaded"
_CHANNELS = 4
#: What a U-Net of this class may take besides text, timestep and SDXL's vector.
_MORE_INPUTS = ("class_embed_type", "num_class_embeds", "time_cond_proj_dim", "encoder_hid_dim", "encoder_hid_dim_type")
#: The VAE halves the sides of a picture three times.
_VAE_LEVELS = 4
#: More than any such model has; to build as many as a broken config.json says could take hours.
_MOST_LAYERS = 100


@dataclass(frozen=True)
class Folder:
    """A folder whose parts are there and fit together.

    Attributes:
        path: the folder.
        is_xl: whether it is of SDXL's kind, with two text encoders.
        classes: the class of each part, by its name.
        configs: `config.json` of U-Net, VAE and text encoders; `scheduler_config.json` as `scheduler`.
        zeroes_empty: whether an empty negative prompt is zeros, as SDXL's pipelines have it.
    """

    path: Path
    is_xl: bool
    classes: Mapping[str, str]
    configs: Mapping[str, Mapping[str, Any]]
    zeroes_empty: bool

    @property
    def encoders(self) -> tuple[tuple[str, str], ...]:
        """The names of each tokenizer and its text encoder."""
        pairs = ("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")
        return pairs if self.is_xl else pairs[:1]


def read(path: Path) -> Folder:
    """Return what is in a folder.

    Raises:
        AdapterError: it is no such folder, of another kind of model, or something in it is missing or broken.
    """
    if not is_folder(path):
        what = "is not a folder: checkpoints in one file are for --ckpt" if path.exists() else _NOT_THERE
        raise AdapterError(f"{path} {what}")
    if not (path / INDEX).is_file():
        raise AdapterError(f"{path} has no {INDEX}, so it is no folder in the form of diffusers")
    index = _json(path, INDEX)
    is_xl = _is_xl(index)
    names = [name for name in _CLASSES if is_xl or not name.endswith("_2")]
    classes = {name: _class(path, index, name) for name in names}
    configs = {name: _json(path, f"{name}/config.json") for name in names if not name.startswith("tokenizer")}
    configs["scheduler"] = _json(path, "scheduler/scheduler_config.json")
    for name, config in configs.items():
        if config.get("quantization_config"):
            raise AdapterError(f"{name} has quantised weights, through which no gradient passes: take the plain ones")
        if any(isinstance(each, int) and each > _MOST_LAYERS for each in _layers(config)):
            raise AdapterError(f"{name}/config.json asks for more than {_MOST_LAYERS} layers, so it is broken")
    _check_unet(configs["unet"], is_xl)
    _check_vae(configs["vae"])
    return Folder(path, is_xl, classes, configs, bool(index.get("force_zeros_for_empty_prompt", is_xl)))


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        found = read_json(path / name)
    except FileNotFoundError:
        raise AdapterError(f"{name} is missing in {path}") from None
    except (OSError, UnfitTextError) as error:
        raise AdapterError(f"{name} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise AdapterError(f"{name} is no table of values")
    return found


def _is_xl(index: Mapping[str, Any]) -> bool:
    kind = index.get("_class_name")
    if not isinstance(kind, str):
        raise AdapterError(f"{INDEX} names a pipeline with code of its own, which is not run: only those of diffusers")
    if kind not in (*_SD, *_XL):
        raise AdapterError(f"{kind} is no pipeline of SD1, SD2 or SDXL, the models that hypernetworks are for")
    is_xl = kind in _XL
    if is_xl and _entry(index, "text_encoder") is None and _entry(index, "text_encoder_2"):
        raise AdapterError("it is SDXL's refiner, which only finishes pictures: take the base model")
    return is_xl


def _entry(index: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """Return library and class of a part; None where there is none."""
    entry = index.get(name)
    if isinstance(entry, list) and len(entry) == 2 and all(isinstance(each, str) for each in entry):  # noqa: PLR2004
        return entry[0], entry[1]
    return None


def _class(path: Path, index: Mapping[str, Any], name: str) -> str:
    entry, (library, kinds) = _entry(index, name), _CLASSES[name]
    if entry is None or not is_folder(path / name):
        raise AdapterError(f"{name} is missing in {path}")
    if entry[0] != library or entry[1] not in kinds:
        raise AdapterError(f"{name} is {'.'.join(entry)}, which cannot be trained on: it must be {library}.{kinds[0]}")
    return entry[1]


def _check_unet(config: Mapping[str, Any], is_xl: bool) -> None:
    channels = config.get("in_channels", _CHANNELS)
    if channels != _CHANNELS:
        raise AdapterError(
            f"its U-Net takes a picture beside the text ({channels} channels), as those of inpainting, depth and "
            "instruct-pix2pix do: train on the model that it was made from, the network works in both"
        )
    wanted = "text_time" if is_xl else None
    more = next((name for name in _MORE_INPUTS if config.get(name) is not None), None)
    if config.get("addition_embed_type") != wanted:
        more = more or "addition_embed_type"
    if more:
        raise AdapterError(f"its U-Net takes more than SD1's, SD2's or SDXL's ({more} in unet/config.json)")


def _check_vae(config: Mapping[str, Any]) -> None:
    is_usual = config.get("latent_channels", _CHANNELS) == _CHANNELS and not config.get("latents_mean")
    levels = config.get("block_out_channels")
    if not is_usual or not isinstance(levels, list) or len(levels) != _VAE_LEVELS:
        raise AdapterError("its VAE is none of SD1's, SD2's or SDXL's kind, with 4 channels and an eighth of the sides")
    scale = config.get("scaling_factor", 1.0)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not (scale > 0 and math.isfinite(scale)):
        raise AdapterError(f"scaling_factor in vae/config.json must be a number above 0, not {scale!r}")


def _layers(config: Mapping[str, Any]) -> Iterator[Any]:
    """Yield all numbers of layers in a configuration: a U-Net may have one for each block."""
    for name, value in config.items():
        if "layers" in name:
            yield from _flat(value)


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    else:
        yield value
