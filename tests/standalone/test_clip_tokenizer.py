"""The CLIP tokenizer built from the byte-pair table: CLIP's own numbers, and a clear word when the table is missing."""

from __future__ import annotations

import importlib.metadata

import pytest
from hypernetwork_workbench.standalone import clip_tokenizer


def test_the_numbers_are_clips() -> None:
    ids = clip_tokenizer.load_tokenizer()("a photo of an astronaut riding a horse")["input_ids"]
    assert ids == [49406, 320, 1125, 539, 550, 18376, 6765, 320, 4558, 49407]


def test_prompts_are_padded_to_77_with_the_end_mark() -> None:
    tokenizer = clip_tokenizer.load_tokenizer()
    ids = tokenizer("", padding="max_length", truncation=True)["input_ids"]
    assert ids == [49406] + [49407] * 76
    assert len(tokenizer) == 49408


def test_a_missing_table_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(clip_tokenizer.TokenizerFileError, match="open_clip_torch is not installed"):
        clip_tokenizer.bpe_path()
