"""Embeddings of words, and the prompt templates that training reads, with [filewords] and [name] to fill in."""

from __future__ import annotations

import importlib
import logging
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.embedding import files
from hypernetwork_workbench.hypernetworks.embedding.vectors import SINGLE

from modules import paths, shared


class TextualInversionTemplate(NamedTuple):
    """A template file."""

    name: str
    path: str


log = logging.getLogger("workbench.host")
textual_inversion_templates: dict[str, TextualInversionTemplate] = {}


def list_textual_inversion_templates() -> dict[str, TextualInversionTemplate]:
    """Read the folder of templates; when it is missing, make it with the host's own."""
    folder = Path(shared.cmd_opts.textual_inversion_templates_dir)
    if not folder.is_dir():
        shutil.copytree(Path(paths.standalone_path, "textual_inversion_templates"), folder)
    textual_inversion_templates.clear()
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        textual_inversion_templates[path.name] = TextualInversionTemplate(path.name, str(path))
    return textual_inversion_templates


class Embedding:
    """Vectors that stand for a word: a tensor [vectors, width], or one for each of SDXL's text encoders."""

    def __init__(self, vec: Any, name: str, step: int | None = None) -> None:
        self.vec, self.name, self.step = vec, name, step
        self.vectors = self.shape = 0
        self.filename: str | None = None

    def checksum(self) -> str:
        """Return a text that differs for other vectors, as far as the WebUI tells them apart."""
        result = 0
        for number in (self.vec.detach().reshape(-1) * 100).tolist():
            result = (result * 281 ^ int(number) * 997) & 0xFFFFFFFF
        return f"{result & 0xFFFF:04x}"


class EmbeddingDatabase:
    """The embeddings that prompts may use: those of the folder that fit the model."""

    def __init__(self) -> None:
        self.word_embeddings: dict[str, Embedding] = {}
        self.ids_lookup: dict[int, list[tuple[list[int], Embedding]]] = {}
        self._seen: dict[Path, tuple[int, int]] = {}

    def register_embedding(self, embedding: Embedding, _model: Any = None) -> None:
        """Let prompts use it by its name, in the place of another one of the name."""
        # Imported only now: the page is up sooner without `transformers`.
        tokenizer = importlib.import_module("hypernetwork_workbench.standalone.clip_tokenizer").load_tokenizer()
        ids = tokenizer(embedding.name, add_special_tokens=False, verbose=False)["input_ids"]
        others = [one for one in self.ids_lookup.get(ids[0], []) if one[1].name != embedding.name]
        self.ids_lookup[ids[0]] = sorted([*others, (ids, embedding)], key=lambda one: len(one[0]), reverse=True)
        self.word_embeddings[embedding.name] = embedding

    def find_embedding_at_position(self, tokens: list[int], offset: int) -> tuple[Embedding | None, int]:
        """Return the embedding whose name begins at a token, the longest of several, and the tokens of its name."""
        for ids, embedding in self.ids_lookup.get(tokens[offset], ()):
            if tokens[offset : offset + len(ids)] == ids:
                return embedding, len(ids)
        return None, 0

    def load_textual_inversion_embeddings(self, force_reload: bool = False) -> None:
        """Read the folder, where something has changed in it; what cannot be read, or does not fit, is left out."""
        folder = Path(shared.cmd_opts.embeddings_dir)
        found = sorted(path for path in folder.rglob("*") if path.suffix in files.SUFFIXES)
        seen = {path: (status.st_mtime_ns, status.st_size) for path in found for status in [path.stat()]}
        if seen == self._seen and not force_reload:
            return
        self._seen = seen
        self.word_embeddings.clear()
        self.ids_lookup.clear()
        for path in found:
            try:
                self._load(path)
            except HypernetworkFileError as error:
                log.warning("The embedding was not loaded: %s", error)

    def _load(self, path: Path) -> None:
        vectors = files.read(path).vectors
        encoder = shared.sd_model.cond_stage_model
        encoders = [one for one in getattr(encoder, "embedders", [encoder]) if hasattr(one, "textual_inversion_key")]
        keys = [one.textual_inversion_key for one in encoders] if len(encoders) > 1 else [SINGLE]
        widths = [one.transformer.config.hidden_size for one in encoders]
        if [vectors[key].shape[-1] if key in vectors else 0 for key in keys] != widths:
            log.info("The embedding %s is of another kind of model.", path.stem)
            return
        embedding = Embedding(vectors.get(SINGLE, vectors), path.stem)
        embedding.vectors = len(vectors[keys[0]])
        embedding.shape, embedding.filename = sum(widths), str(path)
        self.register_embedding(embedding)
