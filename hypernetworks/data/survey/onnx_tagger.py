"""Taggers in the form of WD14: a file for ONNX Runtime, with the names of its tags in `selected_tags.csv` beside it."""

from __future__ import annotations

import contextlib
import csv
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...base.errors import DatasetError, SettingsError
from ...base.outside import UnfitTextError, is_file, is_folder, read_text, reason_of, shown_name, shown_path
from .tag_choice import Label, caption_of
from .tagger import FILE, TAGS, Describe, Tagger, TaggerSettings

_FIELD = "model"
_MODEL, _TAGS = "model.onnx", "selected_tags.csv"
_MAX_TAGS_BYTES = 64 << 20
_USUAL_PX, _MOST_PX = 448, 4096
_AXES, _CHANNELS = 4, 3
_WHITE = (255, 255, 255)
_PROVIDERS = ("CUDAExecutionProvider", "ROCMExecutionProvider", "CPUExecutionProvider")


def onnx_tagger() -> Tagger:
    """Return the tagger whose file the settings name."""
    return Tagger(_opened, (TAGS, FILE), _check)


def picture_array(picture: Image.Image, px: int) -> np.ndarray:
    """Return a picture as WD14's taggers take it: centred on a white square, [1, px, px, 3], BGR, float32, 0 to 255."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), _WHITE)
    square.paste(picture.convert("RGB"), ((side - picture.width) // 2, (side - picture.height) // 2))
    resized = square if side == px else square.resize((px, px), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(resized, dtype=np.float32)[None, :, :, ::-1])


def read_labels(path: Path) -> list[Label]:
    """Return the tags of `selected_tags.csv`, which has columns `name` and `category` and more, in their order.

    Raises:
        SettingsError: the file cannot be read, or has another form; names it.
    """
    try:
        rows = list(csv.DictReader(read_text(path, _MAX_TAGS_BYTES).splitlines()))
        labels = [Label(row["name"], int(row["category"])) for row in rows]
    except OSError as error:
        raise SettingsError(_FIELD, f"{shown_path(path)} cannot be read: {reason_of(error)}") from error
    except UnfitTextError as error:
        raise SettingsError(_FIELD, f"{shown_name(path)} cannot be read: {error}") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise SettingsError(_FIELD, f"{shown_name(path)} must have the columns name and category") from error
    if not labels or not all(isinstance(label.name, str) for label in labels):
        raise SettingsError(_FIELD, f"{shown_name(path)} has no tags")
    return labels


def _check(settings: TaggerSettings) -> None:
    read_labels(_model_file(settings).with_name(_TAGS))
    _runtime()


def _model_file(settings: TaggerSettings) -> Path:
    if not settings.model:
        raise SettingsError(_FIELD, "name the .onnx file of the tagger")
    path = Path(settings.model)
    path = path / _MODEL if is_folder(path) else path
    if not is_file(path):
        raise SettingsError(_FIELD, f"{shown_path(path)} is not there")
    return path


def _runtime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise SettingsError(_FIELD, "needs the package onnxruntime: pip install onnxruntime") from error


@contextlib.contextmanager
def _opened(settings: TaggerSettings) -> Iterator[Describe]:
    path = _model_file(settings)
    model = _Model(path, read_labels(path.with_name(_TAGS)))

    def describe(picture: Image.Image) -> str:
        return caption_of(model.labels, model.probabilities(picture), settings)

    yield describe


class _Model:
    """A tagger's file, loaded.

    Raises:
        SettingsError: ONNX Runtime cannot load it, or it takes or gives something else; names the file.
    """

    def __init__(self, path: Path, labels: list[Label]) -> None:
        runtime = _runtime()
        self.labels = labels
        self._name = shown_name(path)
        self._errors = _errors_of(runtime)
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # only errors, which are raised anyway
        usable = [one for one in _PROVIDERS if one in runtime.get_available_providers()]
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=usable)
        except self._errors as error:
            raise SettingsError(_FIELD, f"{self._name} cannot be loaded: {_first_line(error)}") from error
        (self._input, *others), outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = list(self._input.shape)
        is_picture = (
            not others and len(shape) == _AXES and shape[-1] == _CHANNELS and self._input.type == "tensor(float)"
        )
        if not is_picture or len(outputs) != 1:
            raise SettingsError(_FIELD, f"{self._name} is no tagger of WD14: it must take pictures [1, side, side, 3]")
        # A side without a number may have any length.
        sides = [side if isinstance(side, int) else _USUAL_PX for side in shape[1:3]]
        if sides[0] != sides[1] or not 0 < sides[0] <= _MOST_PX:
            raise SettingsError(_FIELD, f"{self._name} is no tagger of WD14: its pictures must be squares")
        self._px = sides[0]

    def probabilities(self, picture: Image.Image) -> list[float]:
        """Return the probability of each label; raises DatasetError where the model fails."""
        try:
            (found,) = self._session.run(None, {self._input.name: picture_array(picture, self._px)})
        except self._errors as error:
            raise DatasetError(_first_line(error)) from error
        values = np.asarray(found, dtype=np.float64).reshape(-1)
        if len(values) != len(self.labels):
            raise DatasetError(f"{self._name} gives {len(values)} tags, {_TAGS} names {len(self.labels)}")
        if not np.isfinite(values).all():
            raise DatasetError(f"{self._name} gives numbers that are not finite")
        return [float(value) for value in values]


def _errors_of(runtime: Any) -> tuple[type[Exception], ...]:
    """Return the errors of ONNX Runtime, which have no base of their own."""
    state = importlib.import_module(f"{runtime.__name__}.capi.onnxruntime_pybind11_state")
    own = (one for one in vars(state).values() if isinstance(one, type) and issubclass(one, Exception))
    return (*own, RuntimeError, ValueError)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
