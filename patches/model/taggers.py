"""The taggers that there are: of the host, of its extension wd14-tagger, and from a file; and the token counter."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from modules import shared
from PIL import Image

from ...hypernetworks.base.errors import DatasetError
from ...hypernetworks.data.survey.onnx_tagger import onnx_tagger
from ...hypernetworks.data.survey.survey import TokenCounter
from ...hypernetworks.data.survey.tag_choice import Label, caption_of
from ...hypernetworks.data.survey.tagger import SENTENCE, TAGS, Describe, Tagger, TaggerSettings
from .attention_layers import loaded_model, unet_of

#: Errors of a tagger: it cannot be imported, or its model cannot be fetched or run.
ERRORS = (DatasetError, ImportError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
#: Where the extension keeps its taggers, once its scripts have run.
_EXTENSION = "tagger.utils"


def available() -> dict[str, Tagger]:
    """Return the taggers that can be used here, by name; the one from a file is the last."""
    found: dict[str, Tagger] = {}
    if importlib.util.find_spec("modules.deepbooru") is not None:
        found["deepbooru (tags)"] = Tagger(_deepbooru)
    if hasattr(getattr(shared, "interrogator", None), "generate_caption"):
        found["BLIP (a sentence)"] = Tagger(_blip, (SENTENCE,))
    for name in sorted(_of_extension()):
        found[f"wd14-tagger: {name}"] = Tagger(partial(_wd14, name), (TAGS,))
    found["WD14 (an .onnx file)"] = onnx_tagger()
    return found


def token_counter() -> TokenCounter | None:
    """Return a function that counts tokens as the text encoder does; None where no checkpoint is loaded."""
    encoder: Any = getattr(loaded_model(), "cond_stage_model", None)
    if hasattr(encoder, "get_token_count"):
        count = encoder.get_token_count
    elif hasattr(encoder, "process_texts"):

        def count(text: str) -> int:
            return int(encoder.process_texts([text])[1])
    elif hasattr(loaded_model(), "get_prompt_lengths_on_ui") and unet_of(loaded_model()) is not None:

        def count(text: str) -> int:
            return int(loaded_model().get_prompt_lengths_on_ui(text)[0])
    else:
        return None

    def counted(texts: Sequence[str]) -> list[int]:
        return [count(text) for text in texts]

    return counted


@contextlib.contextmanager
def _deepbooru(_settings: TaggerSettings) -> Iterator[Describe]:
    model = importlib.import_module("modules.deepbooru").model
    model.start()
    try:
        yield model.tag_multi
    finally:
        model.stop()


@contextlib.contextmanager
def _blip(settings: TaggerSettings) -> Iterator[Describe]:
    importlib.import_module("modules.lowvram").send_everything_to_cpu()
    shared.interrogator.load()
    try:
        with _generating(getattr(shared.interrogator, "blip_model", None), settings):
            yield shared.interrogator.generate_caption
    finally:
        shared.interrogator.unload()


@contextlib.contextmanager
def _generating(model: Any, settings: TaggerSettings) -> Iterator[None]:
    """Let BLIP generate with the entered numbers for a while, where the host passes those of its settings."""
    entered = {"num_beams": settings.beams, "min_length": settings.min_length, "max_length": settings.max_length}
    ours = {name: number for name, number in entered.items() if number}
    if not ours:
        yield
        return
    generate = model.generate
    model.generate = lambda *given, **named: generate(*given, **{**named, **ours})
    try:
        yield
    finally:
        del model.generate  # that of its class is in sight again


def _of_extension() -> dict[str, Any]:
    """Return the taggers of the extension wd14-tagger by name; it may make their table anew at any time."""
    return dict(getattr(sys.modules.get(_EXTENSION), "interrogators", None) or {})


@contextlib.contextmanager
def _wd14(name: str, settings: TaggerSettings) -> Iterator[Describe]:
    tagger = _of_extension()[name]

    def describe(picture: Image.Image) -> str:
        _ratings, tags = tagger.interrogate(picture)[:2]
        return caption_of([Label(str(tag)) for tag in tags], [float(one) for one in tags.values()], settings)

    try:
        yield describe
    finally:
        tagger.unload()
