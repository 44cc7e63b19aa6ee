"""A whole training run: settings -> dataset -> batches -> loss -> optimizer -> files."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from .. import files
from ..creation import new_network
from ..data.dataset import Dataset, read_dataset
from ..data.latents import encode
from ..errors import HypernetworkFileError, SettingsError, WorkbenchError
from ..memory import PeakMemory
from ..network import Hypernetwork
from ..ports import PictureRequest, Ports
from ..settings import Job
from . import optimizers, sheet
from .callbacks import CsvLog, LossHistory, Previews, ProgressLine
from .loop import Trainer
from .outputs import OutputPaths, save_result

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """What a run did and where it put things.

    Attributes:
        steps: optimizer steps taken in this run.
        seconds: of the steps alone, without encoding, sheet and saving.
        loss_first, loss_last: means over the first and the last tenth of the run, at most 50 steps.
        peak_memory_mb: most memory the process (on a GPU: the device) held during the run.
        interrupted: whether the user ended it early.
        network, sheet, log: files; `sheet` is None where none was asked for.
        previews: preview pictures, in order.
    """

    steps: int
    seconds: float
    loss_first: float
    loss_last: float
    peak_memory_mb: float
    interrupted: bool
    network: Path
    sheet: Path | None
    log: Path
    previews: tuple[Path, ...]


def train(job: Job, ports: Ports) -> TrainResult:
    """Trains the network that `job` describes on the model behind `ports`, and saves it.

    Raises:
        SettingsError: a setting does not fit the model, the files or the dataset; names it.
        DatasetError: pictures or captions cannot be read.
        NonFiniteLossError: the loss or the weights became NaN or infinite; the file of that name is untouched.
        HypernetworkFileError: a network file cannot be read or written.
    """
    paths = OutputPaths.of(job, ports)
    dataset = read_dataset(job.data, job.output.name)
    network = starting_network(job, ports)
    paths.make_folders()
    data = encode(dataset, ports.encoder, ports.progress)
    schedule = job.schedule.schedule(job.train.max_steps)
    trainer = Trainer(
        job, data, network.to(ports.denoiser.device), ports.denoiser, optimizers.build(network, job.optimizer), schedule
    )
    steps = min(job.train.max_steps, schedule.end_step or job.train.max_steps)
    if steps < job.train.max_steps:
        _log.info("The schedule ends at step %d, and so does the run.", steps)

    losses, log = LossHistory(), CsvLog(paths.log)
    previews = Previews(ports, network, _preview_request(job, dataset), job.preview.every, paths.folder / "previews")
    memory = PeakMemory(ports.denoiser.device)
    first_step = network.metadata.step
    started = time.monotonic()
    try:
        trainer.run(steps, [losses, log, previews, ProgressLine(ports.progress, steps)])
    except Exception:
        _keep_unfinished(job, trainer, paths, first_step + len(losses.losses))
        raise
    finally:
        log.close()
        peak_memory_mb = memory.peak_mb()
    seconds = time.monotonic() - started
    save_result(network, job, ports, paths, first_step + len(losses.losses))
    return TrainResult(
        steps=len(losses.losses),
        seconds=seconds,
        loss_first=losses.first(),
        loss_last=losses.last(),
        peak_memory_mb=peak_memory_mb,
        interrupted=len(losses.losses) < steps,
        network=paths.network,
        sheet=_sheet(job, dataset, network, ports, paths),
        log=paths.log,
        previews=tuple(previews.paths),
    )


def starting_network(job: Job, ports: Ports) -> Hypernetwork:
    """The network of `network.file`, or a new one.

    Raises:
        SettingsError: the file cannot be read, or has no width that the model has.
    """
    if not job.network.file:
        return new_network(job.network, ports.denoiser.widths, job.train.seed)
    try:
        network = files.load(Path(job.network.file))
    except HypernetworkFileError as error:
        raise SettingsError("network.file", str(error)) from error
    if not set(network.widths) & set(ports.denoiser.widths):
        raise SettingsError(
            "network.file",
            f"its widths {network.widths} fit none of the model's attention layers {ports.denoiser.widths}",
        )
    return network.float()


def _preview_request(job: Job, dataset: Dataset) -> PictureRequest:
    preview = job.preview
    return PictureRequest(
        prompt=preview.prompt or dataset.samples[0].caption,
        negative_prompt=preview.negative_prompt,
        seed=preview.preview_seed,
        width_px=job.data.width,
        height_px=job.data.height,
        sampler=preview.sampler,
        steps=preview.sampling_steps,
        cfg_scale=preview.cfg_scale,
    )


def _sheet(job: Job, dataset: Dataset, network: Hypernetwork, ports: Ports, paths: OutputPaths) -> Path | None:
    if not job.output.sheet:
        return None
    base = _preview_request(job, dataset)
    captions = [job.preview.prompt] if job.preview.prompt else []
    captions += sorted({sample.caption for sample in dataset.samples} - set(captions))
    requests = [replace(base, prompt=text, seed=base.seed + i) for i, text in enumerate(captions[: sheet.ROWS])]
    return sheet.write(requests, network, ports.previewer, paths.folder / "sheet.png")


def _keep_unfinished(job: Job, trainer: Trainer, paths: OutputPaths, step: int) -> None:
    """After a failure the weights, where they are still good, are kept beside the log and never under the name."""
    weights = trainer.network.parameters()
    if not step or not all(torch.isfinite(weight).all() for weight in weights):
        return
    trainer.network.metadata = replace(trainer.network.metadata, step=step, name=job.output.name)
    path = paths.folder / f"{job.output.name}-unfinished.pt"
    try:
        files.save(trainer.network, path)
    except WorkbenchError:
        _log.exception("The weights of the failed run could not be kept.")
    else:
        _log.warning("The run failed; its weights up to step %d are kept in %s", step, path)
