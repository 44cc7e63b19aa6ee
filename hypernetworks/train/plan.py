"""A run planned: everything found, read and checked, nothing trained and nothing written yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .. import files
from ..base.errors import HypernetworkFileError, SettingsError, TrainingError, WorkbenchError, raise_all
from ..base.intervals import parse_interval
from ..data.cache import Cache
from ..data.dataset import Dataset, held_out_count
from ..data.reading import read_dataset
from ..files.create import new_network
from ..kernels import attention
from ..network.hypernetwork import Hypernetwork
from ..ports import PictureRequest, Ports
from .memory_plan import Needs, needs
from .optim import optimizers
from .optim.precision import Precision
from .optim.schedules import Schedule
from .paths import OutputPaths
from .settings.job import DataSettings, Job, TrainSettings
from .state import SavedRun, find_state, read_state
from .tracking.previews import read_prompts

ResultT = TypeVar("ResultT")
_SHOWN_SIZES = 8


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        dataset: all pictures that can be used.
        training, held_out: what is trained on, and what is kept for the validation loss.
        network: the one to train, in its first state.
        end_step: optimizer step the run ends at.
        steps_per_epoch: optimizer steps of a pass over the training pictures.
        previews: what each preview shows.
        needs: the memory of the steps, and how they are computed for it.
        resumed: the state to go on from, or None.
    """

    job: Job
    paths: OutputPaths
    dataset: Dataset
    training: Dataset
    held_out: Dataset
    network: Hypernetwork
    schedule: Schedule
    end_step: int
    steps_per_epoch: int
    previews: tuple[PictureRequest, ...]
    needs: Needs
    resumed: SavedRun | None

    def interval(self, section: str, name: str) -> int:
        """Optimizer steps of a length among the settings."""
        return parse_interval(f"{section}.{name}", getattr(getattr(self.job, section), name), self.steps_per_epoch)

    def lines(self) -> list[str]:
        """Return the plan as a person reads it, a sentence a line."""
        job, network = self.job, self.network
        weights = sum(parameter.numel() for parameter in network.parameters())
        sizes = " and ".join(map(str, sorted({kind.batch_size for kind in self.training.kinds})))
        lines = [
            *(f"Left out: {problem}." for problem in self.dataset.problems),
            f"{len(self.dataset)} pictures, {_sizes(self.training)}; {len(self.held_out)} held out for validation.",
            f"{self.steps_per_epoch} steps per epoch (batch size {sizes}, gradient accumulation "
            f"{job.train.gradient_accumulation}); {self.end_step} steps are {self.end_step / self.steps_per_epoch:.3g} "
            "epochs.",
            f"{weights:,} weights for the widths {', '.join(map(str, network.widths))}.",
            self.needs.line(),
            f"The learning rate starts at {self.schedule.rate(0):.3g} and ends at "
            f"{self.schedule.rate(self.end_step - 1):.3g}.",
        ]
        if job.train.validation_share and not len(self.held_out):
            lines.append("No picture is held out for validation: that takes two to teach.")
        if self.end_step < job.train.max_steps:
            lines.append(f"The schedule ends at step {self.end_step}, and so does the run.")
        if self.resumed:
            lines.append(f"The run goes on from step {self.resumed.step}.")
        return lines


def make_plan(job: Job, ports: Ports, resume: bool = False) -> Plan:
    """Read and checks all that `job` names.

    Raises:
        SettingsError: settings do not fit the model, the files or the dataset; all of them at once.
        DatasetError: pictures or captions cannot be read.
        TrainingError: there is no state to go on from, or it has ended.
    """
    checks = _Checks()
    paths = checks.take(lambda: OutputPaths.of(job, ports, resume))
    network = checks.take(lambda: starting_network(job, ports))
    known = latent_cache(job, ports).known_pictures() if job.data.cache else {}
    dataset = checks.take(lambda: read_dataset(job.data, job.output.name, job.train.seed, known, ports))
    checks.take(lambda: Precision(job.train.precision, ports.denoiser.device, ports.denoiser.dtype))
    checks.take(lambda: attention.kernel(job.train.attention, ports.denoiser.device))
    if network is not None:
        checks.take(lambda: optimizers.build(network.parameters(), job.optimizer.name, job.optimizer.arguments))
    if dataset is None:
        checks.take(job.learning_rates)
        checks.raise_all()
        raise TrainingError("the dataset cannot be read")
    training, held_out, steps = dataset.divided(job.train.validation_share, job.train.gradient_accumulation)
    schedule = checks.take(lambda: job.learning_rates(steps))
    previews = checks.take(lambda: _previews(job, dataset))
    checks.raise_all()
    if paths is None or network is None or schedule is None or previews is None:
        raise TrainingError("the run cannot be planned")
    end_step = min(job.train.max_steps, schedule.end_step or job.train.max_steps)
    resumed = _resumed(job, paths, end_step) if resume else None
    return Plan(
        job=job,
        paths=paths,
        dataset=dataset,
        training=training,
        held_out=held_out,
        network=network,
        schedule=schedule,
        end_step=end_step,
        steps_per_epoch=steps,
        previews=previews,
        needs=needs(job.train, network, ports.denoiser, training.kinds),
        resumed=resumed,
    )


def latent_cache(job: Job, ports: Ports) -> Cache:
    """Tell where latents are kept for the next run."""
    return Cache(ports.latent_dir or ports.log_dir / "latents", job.data.cache_limit_mb)


def starting_network(job: Job, ports: Ports) -> Hypernetwork:
    """Return the network of `network.file`, or a new one.

    Raises:
        SettingsError: the file cannot be read, or the network has no width that the model has.
    """
    if not job.network.file:
        field, network = "network.widths", new_network(job.network, ports.denoiser.widths, job.train.seed)
    else:
        field = "network.file"
        try:
            network = files.load(Path(job.network.file)).float()
        except HypernetworkFileError as error:
            raise SettingsError(field, str(error)) from error
    if not set(network.widths) & set(ports.denoiser.widths):
        reason = f"its widths {network.widths} fit none of the model's attention layers {ports.denoiser.widths}"
        raise SettingsError(field, reason)
    return network


def epoch_steps(data: DataSettings, train: TrainSettings, pictures: int) -> int:
    """Optimizer steps of a pass over so many pictures, before any is opened: as if all had one size."""
    trained = (pictures - held_out_count(pictures, train.validation_share)) * data.repeats
    batches = -(-trained // data.batch_size)
    return -(-batches // train.gradient_accumulation)


class _Checks:
    """Gathers the errors of independent checks, so that a person sees all of them at once."""

    def __init__(self) -> None:
        self._errors: list[WorkbenchError] = []

    def take(self, check: Callable[[], ResultT]) -> ResultT | None:
        """Return the result of `check`, or None after an error, which is kept."""
        try:
            return check()
        except WorkbenchError as error:
            self._errors.append(error)
            return None

    def raise_all(self) -> None:
        """Raise what was gathered."""
        raise_all(error for error in self._errors if isinstance(error, SettingsError))
        if self._errors:
            raise self._errors[0]


def _sizes(dataset: Dataset) -> str:
    """Tell how the pictures are framed, in words."""
    sizes = Counter((kind.width_px, kind.height_px) for kind in dataset.kinds)
    common = ", ".join(f"{width} x {height} ({count})" for (width, height), count in sizes.most_common(_SHOWN_SIZES))
    rest = len(sizes) - _SHOWN_SIZES
    seen = f"seen {len(dataset.kinds)} times an epoch, " if len(dataset.kinds) != len(dataset) else ""
    return f"{seen}framed to {common}" + (f" and {rest} other sizes" if rest > 0 else "")


def _previews(job: Job, dataset: Dataset) -> tuple[PictureRequest, ...]:
    preview = job.preview
    base = PictureRequest(
        prompt=preview.prompt or dataset.samples[0].caption,
        negative_prompt=preview.negative_prompt,
        seed=preview.preview_seed,
        width_px=preview.width or job.data.width,
        height_px=preview.height or job.data.height,
        sampler=preview.sampler,
        steps=preview.sampling_steps,
        cfg_scale=preview.cfg_scale,
    )
    return tuple(read_prompts(Path(preview.prompt_file), base)) if preview.prompt_file else (base,)


def _resumed(job: Job, paths: OutputPaths, end_step: int) -> SavedRun:
    path = find_state(paths.states())
    if path is None:
        raise TrainingError(f"there is no saved state of {job.output.name} to go on from")
    saved = read_state(path)
    if saved.optimizer_name != job.optimizer.name:
        raise SettingsError("optimizer.name", f"the saved state was made with {saved.optimizer_name}; set it as it was")
    if saved.step >= end_step:
        raise TrainingError(f"the run has ended at step {saved.step} already; raise train.max_steps to go on")
    return saved
