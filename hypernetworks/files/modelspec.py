"""What model sites read in the header of a `.safetensors`: the keys `modelspec.*` of Stability AI's ModelSpec 1.0.0."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..network.hypernetwork import Hypernetwork

PREFIX = "modelspec."
_VERSION = "1.0.0"
_IMPLEMENTATION = "https://github.com/AUTOMATIC1111/stable-diffusion-webui"
_ARCHITECTURES = {2048: "stable-diffusion-xl-v1-base", 1024: "stable-diffusion-v2-768-v", 768: "stable-diffusion-v1"}
#: The first SD2 predicts the noise, the second one the velocity.
_SD2, _SD2_EPSILON = 1024, "stable-diffusion-v2-512"
#: Those that are made anew for every file; others that a file has are kept.
_MADE = ("sai_model_spec", "architecture", "implementation", "title", "date", "resolution", "prediction_type")
MADE = frozenset(f"{PREFIX}{key}" for key in (*_MADE, "hash_sha256"))
#: Settings of a run, in its section `output`, that say what the file is.
ABOUT = ("title", "author", "description", "license", "tags", "trigger_phrase")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def texts(network: Hypernetwork, data_hash: str) -> dict[str, str]:
    """Return the texts of a header, by key; what nobody has told is left out.

    Args:
        data_hash: SHA-256 of all tensors of the file, in hexadecimal digits.
    """
    metadata = network.metadata
    settings = _table(metadata.training, "settings")
    about = {key: _text(_table(settings, "output"), key) for key in ABOUT}
    date = _DATE.match(_text(metadata.training, "saved"))
    prediction = _text(metadata.training, "prediction")
    kept = {key[len(PREFIX) :]: value for key, value in metadata.extra.items() if is_kept(key, value)}
    found = {
        **kept,
        "sai_model_spec": _VERSION,
        "architecture": _architecture(network.widths, prediction),
        "implementation": _IMPLEMENTATION,
        "date": date[0] if date else "",
        "resolution": _resolution(_table(settings, "data")),
        "prediction_type": prediction,
        "hash_sha256": f"0x{data_hash}",
        **{key: value for key, value in about.items() if value},
        "title": about["title"] or metadata.name or "",
    }
    return {f"{PREFIX}{key}": value for key, value in found.items() if value or key == "title"}


def has(key: Any, value: Any) -> bool:
    """Tell whether a key of a file's metadata is one of these, so that it stands in a header by itself."""
    return key in MADE or is_kept(key, value)


def is_kept(key: Any, value: Any) -> bool:
    """Tell whether a key of a file's metadata is one of these, was not made by us, and is written back as it is."""
    return isinstance(key, str) and key.startswith(PREFIX) and key not in MADE and isinstance(value, str)


def _architecture(widths: Iterable[int], prediction: str) -> str:
    found = next((width for width in _ARCHITECTURES if width in widths), None)
    if found is None:
        return ""
    name = _SD2_EPSILON if found == _SD2 and prediction == "epsilon" else _ARCHITECTURES[found]
    return f"{name}/hypernetwork"


def _resolution(data: Mapping[str, Any]) -> str:
    width, height = data.get("width"), data.get("height")
    return f"{width}x{height}" if type(width) is int and type(height) is int else ""


def _table(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key)
    return found if isinstance(found, Mapping) else {}


def _text(values: Mapping[str, Any], key: str) -> str:
    found = values.get(key)
    return found if isinstance(found, str) else ""
