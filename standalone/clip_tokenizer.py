"""The real CLIP tokenizer, built from the byte-pair table that the open_clip_torch distribution carries."""

from __future__ import annotations

import functools
import gzip
import importlib.metadata
import json
import tempfile
from pathlib import Path

from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError
from transformers import CLIPTokenizer

DISTRIBUTION = "open_clip_torch"
BPE_FILE = "open_clip/bpe_simple_vocab_16e6.txt.gz"
START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = 49152 - 256 - 2
"""CLIP uses the first 48,894 merges of the table; with 512 byte tokens and two marks that makes 49,408 tokens."""


class TokenizerFileError(WorkbenchError):
    """The byte-pair table is not installed."""


def bpe_path() -> Path:
    """Return the path of CLIP's byte-pair table; raises TokenizerFileError where open_clip_torch is missing."""
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise TokenizerFileError(f"{DISTRIBUTION} is not installed: it carries CLIP's tokenizer table.") from error
    path = Path(str(distribution.locate_file(BPE_FILE)))
    if not path.is_file():
        raise TokenizerFileError(f"{DISTRIBUTION} lacks {BPE_FILE}, CLIP's tokenizer table.")
    return path


def _byte_symbols() -> list[str]:
    """Return one printable character per byte, in the order of the vocabulary (byte-level BPE, Radford et al. 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    return [chr(code) for code in printable] + [chr(256 + number) for number in range(others)]


@functools.cache
def load_tokenizer() -> CLIPTokenizer:
    """Return CLIP's tokenizer (49,408 tokens, 77 per prompt, padded with the end mark); raises TokenizerFileError."""
    lines = gzip.decompress(bpe_path().read_bytes()).decode("utf-8").split("\n")
    merges = lines[1 : MERGES + 1]
    symbols = _byte_symbols()
    words = [*symbols, *(symbol + "</w>" for symbol in symbols), *("".join(merge.split()) for merge in merges)]
    vocabulary = {word: number for number, word in enumerate([*words, START, END])}
    with tempfile.TemporaryDirectory(prefix="clip-tokenizer-") as folder:
        vocabulary_file, merges_file = Path(folder, "vocab.json"), Path(folder, "merges.txt")
        vocabulary_file.write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
        merges_file.write_text("\n".join(["#version: 0.2", *merges]), encoding="utf-8")
        # The tokenizer reads both files while it is built and never again.
        return CLIPTokenizer(
            vocab_file=str(vocabulary_file),
            merges_file=str(merges_file),
            bos_token=START,
            eos_token=END,
            pad_token=END,
            unk_token=END,
            model_max_length=77,
        )
