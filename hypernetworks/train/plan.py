"""The plan of a run: everything is found, read and checked, but nothing trained or written yet."""

from __future__ import annotations

import secrets
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from ..base.atomic import not_folder
from ..base.errors import ErrorCollector, SettingsError
from ..base.intervals import parse_interval
from ..data.dataset import Dataset
from ..data.encoding import Cache
from ..data.scan import read_dataset
from ..embedding.vectors import Embeddings
from ..files.create import check_fits
from ..kernels import attention, compiled, stored_layers
from ..network.hypernetwork import Hypernetwork
from ..ports import Denoiser, PictureRequest, Ports
from .memory_plan import MemoryPlan, plan_memory
from .optim import own_rates, schedules
from .optim.precision import Precision
from .optim.trial import check
from .origin import Origin
from .paths import OutputPaths
from .rate_search import Horizons
from .resume import changes_since, state_to_resume
from .settings.job import Job, ModelSettings
from .state import Learning
from .state_file import SavedRun
from .tracking import remarks, uploads
from .tracking.previews import preview_requests
from .words.starting import learnt, taking, to_train, words_of_captions

_SHOWN_SIZES = 8


@dataclass(frozen=True)
class Intervals:
    """Lengths in the settings, converted to optimizer steps; 0 means never.

    Attributes:
        validation, preview, save: steps from one to the next.
        noise_cycle: steps during which the highest timestep rises.
    """

    validation: int
    preview: int
    save: int
    noise_cycle: int

    @classmethod
    def of(cls, job: Job, steps_per_epoch: int) -> Intervals:
        """Return the intervals of `job`."""
        return cls(
            validation=parse_interval("train.validation_every", job.train.validation_every, steps_per_epoch),
            preview=parse_interval("preview.every", job.preview.every, steps_per_epoch),
            save=parse_interval("output.save_every", job.output.save_every, steps_per_epoch),
            noise_cycle=parse_interval("loss.noise_cycle", job.loss.noise_cycle, steps_per_epoch),
        )


@dataclass(frozen=True)
class TrainingPlan:
    """What a run will do.

    Attributes:
        dataset: all pictures that can be used.
        training, held_out: the pictures to train on, and those for the validation loss.
        cache: stores encoded pictures and captions for later runs, or None.
        previews: the pictures of each preview.
        network: the network to train, in its first state; one for no width where only embeddings are trained.
        embeddings: the words to train, in their first state; None where there are none.
        of_words: sentences on what they cost.
        schedule, clip_limits: the learning rate, and the limit of the gradient, of each step.
        end_step: optimizer step at which the run ends.
        steps_per_epoch: optimizer steps of a pass over the training pictures.
        memory: the memory that the steps take, and how they are computed.
        resumed: the state to continue from, or None.
        origin: what the run is made of.
        idle: sentences on settings that change nothing on the device of the model.
        remarks: sentences on what else in the job changes nothing, or does not suit the model.
        changes: sentences on what is different from when the state was saved.
        run: what tells the run from others of its name, before and after a Continue.
    """

    job: Job
    paths: OutputPaths
    dataset: Dataset
    training: Dataset
    held_out: Dataset
    cache: Cache | None
    previews: tuple[PictureRequest, ...]
    network: Hypernetwork
    embeddings: Embeddings | None
    of_words: tuple[str, ...]
    schedule: schedules.Schedule
    clip_limits: schedules.StepSchedule
    end_step: int
    steps_per_epoch: int
    intervals: Intervals
    memory: MemoryPlan
    resumed: SavedRun | None
    origin: Origin
    idle: tuple[str, ...]
    remarks: tuple[str, ...]
    changes: tuple[str, ...]
    run: str

    def taking_words(self, ports: Ports) -> AbstractContextManager[None]:
        """Return a context in which the host's text encoder takes the words that are trained, if there are any."""
        return taking(self.embeddings, ports)

    def lines(self) -> list[str]:
        """Return the plan for display, one sentence per line."""
        job = self.job
        sizes = " and ".join(map(str, sorted({kind.batch_size for kind in self.training.kinds})))
        lines = [
            *(f"Left out: {problem}." for problem in self.dataset.problems),
            *self.dataset.facts,
            f"{len(self.dataset)} pictures, {_sizes(self.training)}; {len(self.held_out)} held out for validation.",
            f"{self.steps_per_epoch} steps per epoch (batch size {sizes}, gradient accumulation "
            f"{job.train.gradient_accumulation}); {self.end_step} steps are {self.end_step / self.steps_per_epoch:.3g} "
            "epochs.",
            *learnt(self.network),
            *self.of_words,
            self.memory.line(),
        ]
        optimizer = job.optimizer
        if not own_rates.ignores_rate(optimizer.name, optimizer.arguments):
            first, last = self.schedule.rate(0), self.schedule.rate(self.end_step - 1)
            lines.append(f"The learning rate starts at {first:.3g} and ends at {last:.3g}.")
        if not own_rates.why_no_rate(optimizer.name, optimizer.arguments):
            most = Horizons.of(self.end_step).most_steps * len(job.embedding.rates)
            lines.append(f"Find a rate would take at most {most} steps for this run.")
        if job.train.validation_share and not len(self.held_out):
            lines.append("No picture is held out for validation: that takes at least two to train on.")
        if self.end_step < job.steps(self.steps_per_epoch):
            lines.append(f"The schedule ends at step {self.end_step}, and so does the run.")
        if self.resumed and self.resumed.step < self.end_step:
            lines.append(f"The run continues from step {self.resumed.step}.")
        elif self.resumed:
            lines.append(f"All {self.end_step} steps are done; the results that are missing are written.")
        lines += [*self.idle, *self.changes, *self.remarks]
        return lines


def make_plan(job: Job, ports: Ports, resume: bool = False) -> TrainingPlan:
    """Read and check all that `job` names.

    Raises:
        SettingsError: settings do not fit the model, the files or the dataset; all of them at once.
        DatasetError: pictures or captions cannot be read.
        TrainingError: there is no state to continue from, or its run has reached its end.
    """
    errors, denoiser, ranks, caption, steps_per_epoch = ErrorCollector(), ports.denoiser, ports.ranks.size, "", 0
    with errors:
        paths = OutputPaths.of(job, ports, resume)
    with errors:
        Precision(job.train.precision, denoiser.device, denoiser.dtype)
    _check_outside(job, ports, errors)
    with errors:
        cache = _latent_cache(job, ports)
        known = cache.known_pictures() if cache else {}
        dataset = read_dataset(job.data, job.word_name, job.train.seed, known, ports)
        shares = job.train.validation_share, job.train.gradient_accumulation
        training, held_out, steps_per_epoch = dataset.divided(*shares)
        caption = dataset.samples[0].caption
    network, embeddings = to_train(job, ports, errors, resume)
    _check_computing(job, denoiser, errors)
    with errors:
        if steps_per_epoch:
            schedule = job.learning_rates(steps_per_epoch)
            clip_limits = job.clip_limits(steps_per_epoch)
    with errors:
        prompts = preview_requests(job, caption, ports.find_sampler)
    errors.raise_all()
    end_step = job.end_step(steps_per_epoch)
    going_on = _resumed(job, paths, end_step, (network, embeddings), denoiser) if resume else (None, network, ())
    resumed, network, told = going_on
    end_step = max(end_step, resumed.step if resumed else 0)
    training = replace(training, steps=end_step)
    of_words, origin = _made_of(job, (dataset, training), (network, embeddings), ports)
    return TrainingPlan(
        job=job,
        paths=paths,
        dataset=dataset,
        training=training,
        held_out=held_out,
        cache=cache,
        previews=prompts.requests,
        network=network,
        embeddings=embeddings,
        of_words=of_words,
        schedule=schedule,
        clip_limits=clip_limits,
        end_step=end_step,
        steps_per_epoch=steps_per_epoch,
        intervals=Intervals.of(job, steps_per_epoch),
        memory=plan_memory(job.train, network, denoiser, training.kinds, ranks, _unloaded_bytes(job, ports)),
        resumed=resumed,
        origin=origin,
        idle=job.idle_on(denoiser.device),
        remarks=(*prompts.remarks, *remarks.of_plan(job, training, ports)),
        changes=(*told, *changes_since(resumed, origin, job, end_step)) if resumed else (),
        run=(resumed.run if resumed else "") or secrets.token_hex(8),
    )


def _resumed(
    job: Job, paths: OutputPaths, end_step: int, learning: Learning, denoiser: Denoiser
) -> tuple[SavedRun, Hypernetwork, tuple[str, ...]]:
    """Return the state to continue from, the network that it is of, and a sentence where its file has another by now.

    Args:
        learning: what a new run would train.

    Raises: what `state_to_resume`, `check_fits` and the methods of `SavedRun` do.
    """
    saved, (network, embeddings) = state_to_resume(job, paths, end_step), learning
    if job.network.file and job.embedding.trains_network:
        network = saved.network(network)
        check_fits(network, denoiser.widths, "network.file")
    told: tuple[str, ...] = ()
    if network is not learning[0]:
        name = Path(job.network.file).name
        told = (f"The file {name} is gone or another by now; the run goes on with the network of its state.",)
    return saved.checked(job, (network, embeddings), denoiser), network, told


def _made_of(
    job: Job, data: tuple[Dataset, Dataset], learning: Learning, ports: Ports
) -> tuple[tuple[str, ...], Origin]:
    """Return sentences on the captions that hold words, and what the run is made of; see `TrainingPlan`.

    Args:
        data: all pictures, and those that are trained on.

    Raises:
        SettingsError: no caption holds a word.
    """
    (dataset, training), (network, embeddings) = data, learning
    with taking(embeddings, ports):  # the vectors of words are no setting of the text encoder
        of_words = words_of_captions(job, training, embeddings, ports)
        return of_words, Origin.of(job, dataset, network, ports)


def _unloaded_bytes(job: Job, ports: Ports) -> int:
    """Return the bytes that leave the GPU for the steps: the text encoder stays where words are trained."""
    kept = ports.words.loaded_bytes() if job.words and ports.words else 0
    return ports.encoder.loaded_bytes() - kept


def _check_computing(job: Job, denoiser: Denoiser, errors: ErrorCollector) -> None:
    """Collect what is wrong with the ways to compute."""
    with errors:
        attention.kernel(job.train.attention, denoiser.device)
    with errors:
        stored_layers.check(job.train.unet_storage, denoiser.device, denoiser.storable_bytes() is not None)
    with errors:
        if job.train.compile_unet:
            compiled.check(denoiser.device, denoiser.can_compile)


def _check_outside(job: Job, ports: Ports, errors: ErrorCollector) -> None:
    """Collect what is wrong with the packages of others that the run will use, and with parts it would not have."""
    with errors:  # for any weight: whether it is installed and takes its options
        check(job.optimizer.name, job.optimizer.arguments, ports.denoiser.device)
    with errors:
        if job.output.huggingface_repo:
            uploads.service()
    usual = ModelSettings()
    with errors:
        chosen = [name for name in vars(usual) if getattr(job.model, name) != getattr(usual, name)]
        if chosen and not ports.has_parts:
            raise SettingsError(f"model.{chosen[0]}", "is not taken here; it is for the WebUI and the embedded host")


def _latent_cache(job: Job, ports: Ports) -> Cache | None:
    if not job.data.cache:
        return None
    folder = ports.latent_dir or ports.log_dir / "latents"
    if (what := not_folder(folder)) is not None:
        raise SettingsError("data.cache", f"{folder} is {what}, where encoded pictures are kept; move it away")
    return Cache(folder, job.data.cache_limit_mb)


def _sizes(dataset: Dataset) -> str:
    """Return a description of the sizes of the pictures."""
    sizes = Counter((kind.width_px, kind.height_px) for kind in dataset.kinds)
    common = ", ".join(f"{width} x {height} ({count})" for (width, height), count in sizes.most_common(_SHOWN_SIZES))
    rest = len(sizes) - _SHOWN_SIZES
    seen = f"shown {len(dataset.kinds)} times an epoch, " if len(dataset.kinds) != len(dataset) else ""
    return f"{seen}framed to {common}" + (f" and {rest} other sizes" if rest > 0 else "")
