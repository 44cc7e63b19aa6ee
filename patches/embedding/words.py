"""The host's text encoder while vectors of words are trained: its database of embeddings has them for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from modules import shared
from torch import Tensor

from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.conditioning import Conditioning
from ...hypernetworks.embedding.vectors import SINGLE
from ...hypernetworks.train.settings.job import Job
from .. import parts
from ..model import encoders, temporary

#: The most tokens of an initial text that count: what one part of a text has room for.
_MOST_TOKENS = 75


class HostWords:
    """The text encoder, or both of SDXL, of the loaded checkpoint."""

    def initial(self, text: str) -> dict[str, Tensor]:
        """Return what the tokens of a text are before they are encoded, [tokens, width]."""
        with encoders.needed(encoders.TEXT), torch.no_grad():
            found = {
                key: encoder.encode_embedding_init_text(text, _MOST_TOKENS).detach().float().cpu()
                for key, encoder in _text_encoders().items()
            }
        # One token of OpenCLIP has lost its dimension on the way.
        return {key: each.view(-1, each.shape[-1]) for key, each in found.items()}

    @contextmanager
    def taking(self, words: Mapping[str, Mapping[str, Tensor]]) -> Iterator[None]:
        """Let words stand for vectors, with the text encoder frozen and on its device; afterwards all is as before.

        Raises:
            SettingsError: a word has no token or those of another embedding, or the host moves its text encoder while
                steps go on.
        """
        from modules.textual_inversion import textual_inversion  # noqa: PLC0415 - needs the running host

        model = shared.sd_model
        if getattr(model, "lowvram", False):
            # The host takes the text encoder off the GPU before the backward pass, which needs its weights there.
            raise SettingsError(
                "embedding.trains", "embeddings cannot be trained with --medvram or --lowvram; choose hypernetwork"
            )
        database = _database()
        before = dict(database.word_embeddings), {key: list(each) for key, each in database.ids_lookup.items()}
        with ExitStack() as stack:
            stack.enter_context(encoders.needed(encoders.TEXT))
            stack.enter_context(temporary.frozen(getattr(model, encoders.TEXT)))
            stack.callback(_put_back, database, *before)
            encoders.trained_words.update(words)
            stack.callback(encoders.trained_words.clear)
            for name, vectors in words.items():
                if not len(next(iter(self.initial(name).values()))):
                    raise SettingsError("embedding.names", f"{name!r} has no token, so that no text can hold it")
                vec = vectors[SINGLE] if SINGLE in vectors else dict(vectors)
                embedding = textual_inversion.Embedding(vec, name)
                embedding.vectors = len(next(iter(vectors.values())))
                embedding.shape = sum(each.shape[-1] for each in vectors.values())
                database.register_embedding(embedding, model)
                _check_is_found(database, embedding)
            yield

    def words_in(self, text: str) -> frozenset[str]:
        """Return the words of the context that a text holds; none outside of one."""
        if not encoders.trained_words:
            return frozenset()
        chunks, _ = next(iter(_text_encoders().values())).process_texts([text])
        found = {fix.embedding.name for chunk in chunks[0] for fix in chunk.fixes}
        return frozenset(found & encoders.trained_words)

    def encode(self, texts: Sequence[str]) -> Sequence[Conditioning]:
        """Return the conditionings of texts, with gradients for the vectors where torch records them.

        They are not finite where the vectors have grown too large, as the loss is not then.
        """
        return encoders.encoded_alone(texts, is_checked=False)

    def loaded_bytes(self) -> int:
        """Return the bytes that the text encoder takes on the GPU."""
        return encoders.bytes_on_gpu(getattr(shared.sd_model, encoders.TEXT))


def embedding_dir() -> Path:
    """Return the host's folder of embeddings."""
    return Path(shared.cmd_opts.embeddings_dir)


def list_again(job: Job) -> None:
    """Let the host read its embeddings again after a run that may have saved some."""
    if not job.words:
        return
    _database().load_textual_inversion_embeddings(force_reload=True)
    parts.forget_prompts()


def _database() -> Any:
    from modules import sd_hijack  # noqa: PLC0415 - needs the running host

    return sd_hijack.model_hijack.embedding_db


def _check_is_found(database: Any, embedding: Any) -> None:
    """Raise SettingsError where the host finds another embedding in the place of one that it was just given."""
    ids, entries = next(
        (ids, entries) for entries in database.ids_lookup.values() for ids, one in entries if one is embedding
    )
    other = next(one for found, one in entries if found == ids)
    if other is not embedding:
        reason = f"{embedding.name} is read as {other.name}, an embedding that is there already; choose another word"
        raise SettingsError("embedding.names", reason)


def _put_back(database: Any, words: Mapping[str, Any], lookup: Mapping[int, list[Any]]) -> None:
    database.word_embeddings.clear()
    database.word_embeddings.update(words)
    database.ids_lookup.clear()
    database.ids_lookup.update(lookup)


def _text_encoders() -> dict[str, Any]:
    """Return the text encoders by the key of their vectors in files, that of the first one first."""
    encoder: Any = getattr(shared.sd_model, encoders.TEXT)
    both = [one for one in getattr(encoder, "embedders", ()) if hasattr(one, "encode_embedding_init_text")]
    return dict(zip(("clip_l", "clip_g"), both, strict=True)) if both else {SINGLE: encoder}
