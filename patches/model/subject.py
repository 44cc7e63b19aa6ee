"""The subject of a picture as the WebUI's own autocrop finds it."""

from __future__ import annotations

import importlib
import logging
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from ...hypernetworks.data.subject import face_centre

_MODULE = "modules.textual_inversion.autocrop"
#: Weights of faces, edges and entropy, as the host's page sets them.
_FACE, _EDGES, _ENTROPY = 0.9, 0.5, 0.15
_EDGES_PX = 192
_log = logging.getLogger(__name__)


def find_subject(picture: Image.Image, size: tuple[int, int]) -> tuple[float, float] | None:
    """Return the position of the subject for a crop of `size` (width, height) pixels, as shares of width and height.

    None where the host has no autocrop, or where that finds nothing. Nothing is downloaded: without the host's face
    model, faces are found by OpenCV's older detector and the rest by the host.
    """
    autocrop = _autocrop()
    if autocrop is None:
        return None
    model = _face_model()
    face = None if model else face_centre(picture)
    if face is not None:
        return face
    # The host scales a picture to the crop first; its weights and sizes suit that. Edges and entropy are found
    # at a smaller size as well, in a tenth of the time.
    smaller = 1.0 if model else min(1.0, _EDGES_PX / max(size))
    size = (round(size[0] * smaller), round(size[1] * smaller))
    scale = max(size[0] / picture.width, size[1] / picture.height)
    scaled = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    settings = autocrop.Settings(
        crop_width=size[0],
        crop_height=size[1],
        face_points_weight=_FACE if model else 0.0,
        corner_points_weight=_EDGES,
        entropy_points_weight=_ENTROPY,
        dnn_model_path=model,
    )
    try:
        focus = autocrop.focal_point(scaled, settings)
    except autocrop.cv2.error as error:
        _say(f"The WebUI's autocrop failed, and subjects are found without it: {error}")
        return None
    if not (focus.x or focus.y):  # its result where it found nothing at all
        return None
    return min(focus.x / scaled.width, 1.0), min(focus.y / scaled.height, 1.0)


@cache
def _autocrop() -> Any:
    """Return the host's module, or None, which is logged once."""
    try:
        module = importlib.import_module(_MODULE)
        _ = module.focal_point, module.Settings, module.cv2.error
    except (ImportError, AttributeError) as error:
        _log.info("The WebUI's autocrop is off, and subjects are found without it: %s.", error)
        return None
    return module


@cache
def _face_model() -> str | None:
    """Return the path of the host's face model if it was downloaded, or None, which is logged once."""
    path = getattr(_autocrop(), "model_file_path", None)
    if path and Path(path).is_file():
        return str(path)
    _log.info(
        "The WebUI's face model is not there, and faces are found by OpenCV's older detector; "
        "Auto focal point crop in the Extras tab downloads it."
    )
    return None


@cache
def _say(sentence: str) -> None:
    _log.warning("%s", sentence)
