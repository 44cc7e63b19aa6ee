"""The host's own taggers and its token counter, where it has them."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from modules import shared
from PIL import Image

from ...hypernetworks.data.survey.survey import TokenCounter
from .attention_layers import loaded_model, unet_of

#: Returns a description of an RGB picture.
Describe = Callable[[Image.Image], str]
#: Errors of a tagger: it cannot be imported, or its model cannot be fetched or run.
ERRORS = (ImportError, AttributeError, OSError, RuntimeError, ValueError)


def available() -> dict[str, Callable[[], AbstractContextManager[Describe]]]:
    """Return the taggers that this host has, by name; each is loaded while its context is open."""
    found: dict[str, Callable[[], AbstractContextManager[Describe]]] = {}
    if importlib.util.find_spec("modules.deepbooru") is not None:
        found["deepbooru (tags)"] = _deepbooru
    if hasattr(getattr(shared, "interrogator", None), "generate_caption"):
        found["BLIP (a sentence)"] = _blip
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
def _deepbooru() -> Iterator[Describe]:
    model = importlib.import_module("modules.deepbooru").model
    model.start()
    try:
        yield model.tag_multi
    finally:
        model.stop()


@contextlib.contextmanager
def _blip() -> Iterator[Describe]:
    importlib.import_module("modules.lowvram").send_everything_to_cpu()
    shared.interrogator.load()
    try:
        yield shared.interrogator.generate_caption
    finally:
        shared.interrogator.unload()
