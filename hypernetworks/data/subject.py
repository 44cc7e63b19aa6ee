"""The subject of a picture: the largest face where OpenCV is installed, else the most salient part."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from .pictures.variation import Face

_SALIENCY_PX = 64
_FACE_PX = 512
_FACES = "haarcascade_frontalface_default.xml"


def finds_faces() -> bool:
    """Tell whether OpenCV is installed."""
    return _face_detector() is not None


def face_of(picture: Image.Image) -> Face | None:
    """Return the largest face that OpenCV finds, after Viola & Jones (2001), in pixels of the picture."""
    detector = _face_detector()
    if detector is None:
        return None
    small = picture.convert("L")
    small.thumbnail((_FACE_PX, _FACE_PX))
    faces = detector.detectMultiScale(np.asarray(small), scaleFactor=1.1, minNeighbors=7)
    if not len(faces):
        return None
    left, top, width, height = max(faces, key=lambda face: face[2] * face[3])
    across, down = picture.width / small.width, picture.height / small.height
    side = max(width * across, height * down)
    return Face(float((left + width / 2) * across), float((top + height / 2) * down), float(side))


def subject_centre(picture: Image.Image) -> tuple[float, float]:
    """Return the centre of the subject of `picture`, as shares of width and height."""
    return face_centre(picture) or _salient(picture)


def face_centre(picture: Image.Image) -> tuple[float, float] | None:
    """Return the centre of the largest face, as shares of width and height."""
    face = face_of(picture)
    return None if face is None else (face.x / picture.width, face.y / picture.height)


@cache
def _face_detector() -> Any:
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError:
        return None
    return cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / _FACES))


def _salient(picture: Image.Image) -> tuple[float, float]:
    """Find the centre of mass of what stands out, after Hou & Zhang, "Saliency Detection: A Spectral Residual Approach"
    (2007)."""
    grey = np.asarray(picture.convert("L").resize((_SALIENCY_PX, _SALIENCY_PX)), dtype=np.float32)
    if grey.std() < 1:  # a single colour has no salient part
        return 0.5, 0.5
    spectrum = torch.fft.fft2(torch.from_numpy(grey.copy()))
    size = (spectrum.abs() + 1e-6).log()
    # A cyclic mean, because a spectrum has no edge.
    mean = functional.avg_pool2d(functional.pad(size[None, None], (1, 1, 1, 1), mode="circular"), 3, 1)[0, 0]
    residual = torch.polar((size - mean).exp(), spectrum.angle())
    saliency = torch.fft.ifft2(residual).abs().square()
    saliency = functional.avg_pool2d(saliency[None, None], 7, 1, 3)[0, 0]
    # Squared, so that the peak outweighs the many small ripples around it.
    weights = (saliency - saliency.mean()).clamp(min=0).square()
    if not weights.sum() > 0:
        return 0.5, 0.5
    weights = weights / weights.sum()
    places = (torch.arange(_SALIENCY_PX) + 0.5) / _SALIENCY_PX
    return float((weights.sum(0) * places).sum()), float((weights.sum(1) * places).sum())
