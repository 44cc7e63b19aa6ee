"""The words of a run before its first step: their vectors, the captions that hold them, and what a step costs."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext

import torch

from ...base.errors import ErrorCollector, SettingsError, TrainingError
from ...data.dataset import Dataset
from ...embedding.vectors import Embeddings, new_embeddings, no_network
from ...files.create import starting_network
from ...kernels.memory import MB
from ...network.hypernetwork import Hypernetwork
from ...ports import Ports, WordEncoder
from ..settings.job import Job


def to_train(
    job: Job, ports: Ports, errors: ErrorCollector, is_resumed: bool = False
) -> tuple[Hypernetwork, Embeddings | None]:
    """Return what is trained, in its first state.

    A run that goes on needs no file that it began from: without one the network has no width here.
    """
    network, embeddings = no_network(), None
    if job.embedding.trains_network:
        with errors:
            network = _network(job, ports, is_resumed)
    with errors:
        embeddings = starting_embeddings(job, ports)
    return network, embeddings


def _network(job: Job, ports: Ports, is_resumed: bool) -> Hypernetwork:
    try:
        return starting_network(job.network, ports.denoiser.widths, job.train.seed)
    except SettingsError:
        if not (is_resumed and job.network.file):
            raise
        return no_network()  # the plan says so


def starting_embeddings(job: Job, ports: Ports) -> Embeddings | None:
    """Return the words of a new run with their first vectors; None where none are trained.

    Raises:
        SettingsError: the host cannot train any, or a word cannot be one.
    """
    if not job.words:
        return None
    if ports.words is None:
        raise SettingsError("embedding.trains", "embeddings cannot be trained in this host; choose hypernetwork")
    counts, texts = job.embedding.for_each(job.words)
    return new_embeddings(dict(zip(job.words, zip(counts, texts, strict=True), strict=True)), ports.words)


def words_of_captions(job: Job, training: Dataset, embeddings: Embeddings | None, ports: Ports) -> tuple[str, ...]:
    """Return sentences on the captions that hold words, and on what these take in each step.

    It is called while the host's text encoder takes the words.

    Raises:
        SettingsError: no caption holds one of them.
    """
    words = ports.words
    if embeddings is None or words is None:
        return ()
    shown = [training.text(item, 0) for item in range(len(training.items))]
    # A caption whose parts are chosen anew each time may lack a word in the first epoch.
    whole = dict.fromkeys((*shown, *(sample.caption for sample in training.samples)))
    holds = {text: words.words_in(text) for text in whole}
    missing = [name for name in job.words if not any(name in found for found in holds.values())]
    if missing:
        field = "embedding.names" if job.embedding.listed else "output.name"
        absent = ", ".join(missing)
        reason = f"no caption holds {absent}; write it, or [name] in its place, into the captions or the template"
        raise SettingsError(field, reason)
    texts = [text for text in shown if holds[text]]
    if not texts:  # none in the first epoch
        texts = [next(text for text in whole if holds[text])]
    count = sum(bool(holds[text]) for text in shown)
    sentence = (
        f"{count} of {len(shown)} captions hold a word that is trained; each goes through the text encoder again in "
        f"every step, with gradients, which takes about {_seconds(words, texts[0], embeddings):.3f} s."
    )
    kept = words.loaded_bytes()
    more = [f"The text encoder stays on the GPU, with {kept / MB:.0f} MB."] if kept else []
    if job.output.sheet and not job.makes_sheet:
        more.append("An embedding has no strength, so no sheet of strengths is made.")
    return (sentence, *more)


def taking(embeddings: Embeddings | None, ports: Ports) -> AbstractContextManager[None]:
    """Return a context in which the host's text encoder takes the words that are trained, if there are any."""
    return ports.words.taking(embeddings.tensors) if embeddings and ports.words else nullcontext()


def learnt(network: Hypernetwork) -> tuple[str, ...]:
    """Return a sentence on the weights of a network; none where it has none."""
    weights = sum(parameter.numel() for parameter in network.parameters())
    widths = ", ".join(map(str, network.widths))
    return (f"{weights:,} weights for the widths {widths}.",) if weights else ()


def _seconds(words: WordEncoder, text: str, embeddings: Embeddings) -> float:
    """Return the seconds that a caption takes to the gradients of its words.

    Raises:
        TrainingError: the text encoder gives no finite numbers even for the first vectors.
    """
    with torch.enable_grad():
        start = time.monotonic()
        conditioning = words.encode([text])[0]
        if not conditioning.is_finite():
            raise TrainingError(f"the text encoder gives no finite numbers for the caption {text!r}")
        found = conditioning.text.float().sum()
        torch.autograd.grad(found, list(embeddings.parameters()), allow_unused=True)[0]
        found.item()  # waits for a GPU
        return time.monotonic() - start
