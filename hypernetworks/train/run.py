"""A whole training run: settings -> dataset -> batches -> loss -> optimizer -> files."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from .. import files
from ..base.atomic import write_text
from ..base.errors import WorkbenchError
from ..data.latents import EncodedDataset
from ..kernels.memory import PeakMemory
from ..ports import Ports
from .build import make_state, make_trainer
from .encoding import encode_parts
from .offload import unloaded
from .optim.averages import weights_to_show
from .plan import Plan, make_plan
from .saving import Saver
from .settings.job import Job
from .settings.job_file import job_text
from .tracking import sheet
from .tracking.logs import CsvLog, Log, TensorBoardLog, WandbLog
from .tracking.metrics import Callback
from .tracking.monitor import Monitor
from .tracking.previews import Previews
from .validation import Validation

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """What a run did and where it put things.

    Attributes:
        steps: optimizer steps done, those before a Continue included.
        seconds: of the steps since the run was started or continued, without encoding, sheet and saving at the end.
        loss_first, loss_last: means over the first and the last tenth of the run, at most 50 steps.
        validation_loss: the last one measured, or None.
        skipped_steps, rollbacks: how often a step was left out, and how often the last good state came back.
        peak_memory_mb: most memory the process (on a GPU: the device) held during the run.
        memory_mb: of that what came on top of model and network.
        estimated_mb: what that was expected to be; None where nobody could tell.
        interrupted: whether the user ended it early.
        network, sheet, strip, log: files; None for what was not asked for, a sheet also after an interrupt.
        previews: preview pictures, in order.
        chart: the curves of the run, as SVG.
    """

    steps: int
    seconds: float
    loss_first: float
    loss_last: float
    validation_loss: float | None
    skipped_steps: int
    rollbacks: int
    peak_memory_mb: float
    memory_mb: float
    estimated_mb: float | None
    interrupted: bool
    network: Path
    sheet: Path | None
    strip: Path | None
    log: Path
    previews: tuple[Path, ...]
    chart: Markup


def train(job: Job, ports: Ports, resume: bool = False) -> TrainResult:
    """Train the network that `job` describes on the model behind `ports`, and saves it.

    Args:
        resume: goes on from the newest saved state of the run of this name.

    Raises:
        SettingsError: settings do not fit the model, the files or the dataset; names them.
        DatasetError: pictures or captions cannot be read.
        TrainingError: there is nothing to go on from.
        NonFiniteLossError: loss or weights stay without a finite number; the file of that name is untouched.
        HypernetworkFileError: a network file cannot be read or written.
    """
    plan = make_plan(job, ports, resume)
    plan.paths.make_folders()
    write_text(plan.paths.folder / "job.toml", job_text(job))
    data, held_out = encode_parts(job, (plan.training, plan.held_out), ports)
    run = _Run(plan, ports, data, held_out)
    return run.go()


def _dataset_name(job: Job) -> str:
    """Name of the folder or file that the pictures come from."""
    first = job.data.folder or job.data.dataset_config or job.data.more_folders.partition("|")[0].strip()
    return Path(first).name


class _Run:
    """The parts of a run, put together."""

    def __init__(self, plan: Plan, ports: Ports, data: EncodedDataset, held_out: EncodedDataset) -> None:
        denoiser = ports.denoiser
        self.plan, self.ports, self.first = plan, ports, replace(plan.network.metadata)
        self.memory = PeakMemory(denoiser.device)
        self.state = make_state(plan, denoiser)
        self.validation = Validation(held_out, denoiser, self.state, plan.interval("train", "validation_every"))
        self.monitor = Monitor(ports.progress, plan.end_step, self.memory, self.validation)
        self.start_step = self._start()
        self.trainer = make_trainer(plan, denoiser, data, self.state)
        self.previews = self._previews()
        self.saver = self._saver()

    def go(self) -> TrainResult:
        """Take the steps, saves, and draws the sheet."""
        logs = self._logs()
        callbacks: list[Callback] = [self.validation, self.monitor, *logs, self.previews, self.saver]
        _log.info(self.plan.needs.line())
        started = time.monotonic()
        away = self.ports.encoder.unloaded() if self.plan.job.train.unload_encoders else nullcontext()
        try:
            with away:
                self.trainer.run(self.start_step, self.plan.end_step, callbacks)
            seconds = time.monotonic() - started
            self._tell_memory()
            self.saver.save(self.plan.paths.network)
        except Exception:
            self._keep_unfinished()
            raise
        finally:
            for log in logs:
                log.close()
        return self._result(seconds)

    def _start(self) -> int:
        """Take the saved state back, or an optimizer state of the WebUI's; gives the step to start at."""
        resumed = self.plan.resumed
        if resumed is not None:
            self.first = replace(self.first, step=resumed.first_step)
            self.state.restore(resumed.captured)
            self.monitor.restore(resumed.progress["monitor"])
            self.validation.restore(resumed.progress["validation"])
            return resumed.step
        if self.plan.job.network.file:
            self._read_optimizer_file(Path(self.plan.job.network.file))
        return 0

    def _read_optimizer_file(self, network: Path) -> None:
        found = files.load_optimizer_state(files.optimizer_path(network), files.short_hash(network))
        if found is None:
            return
        name, state = found
        if name != self.plan.job.optimizer.name:
            _log.warning("The saved optimizer state is of %s and was not used.", name)
            return
        try:
            self.state.optimizer.load_state_dict(state)
        except (ValueError, KeyError) as error:
            _log.warning("The saved optimizer state does not fit and was not used: %s", error)
        else:
            _log.info("Going on with the optimizer state beside %s.", network.name)

    def _previews(self) -> Previews:
        plan, state = self.plan, self.state
        previews = Previews(
            self.ports,
            state.network,
            plan.previews,
            plan.paths.folder / "previews",
            self._showing,
        )
        previews.every = plan.interval("preview", "every")
        previews.cycle_ends = plan.schedule if plan.job.preview.at_cycle_end else None
        if plan.resumed is not None:
            previews.restore(plan.resumed.progress["previews"])
        return previews

    @contextmanager
    def _showing(self) -> Iterator[None]:
        """While a preview is made: the weights worth seeing, and what makes room for it."""
        state = self.state
        with ExitStack() as stack:
            stack.enter_context(weights_to_show(state.network, state.optimizer, state.average))
            if self.plan.job.train.preview_unloads_optimizer:
                stack.enter_context(unloaded(state.optimizer))
            yield

    def _tell_memory(self) -> None:
        estimated = self.plan.needs.estimated_mb
        expected = "" if estimated is None else f"; {estimated:.0f} MB were expected"
        _log.info("The steps took %.0f MB at most beside model and network%s.", self.memory.above_start_mb(), expected)

    def _saver(self) -> Saver:
        plan = self.plan
        return Saver(
            job=plan.job,
            ports=self.ports,
            paths=plan.paths,
            state=self.state,
            first=self.first,
            every=plan.interval("output", "save_every"),
            schedule=plan.schedule,
            validation=self.validation,
            remembered={"monitor": self.monitor, "validation": self.validation, "previews": self.previews},
            dataset={"name": _dataset_name(plan.job), "pictures": len(plan.dataset)},
            step=self.start_step,
        )

    def _logs(self) -> list[Log]:
        output, folder = self.plan.job.output, self.plan.paths.folder
        logs: list[Log] = []
        if output.tensorboard:
            board = TensorBoardLog(folder / "tensorboard", self.plan.job, self.validation)
            self.previews.listeners.append(board.add_pictures)
            logs.append(board)
        if output.wandb:
            wandb = WandbLog(folder, self.plan.job, self.validation)
            self.previews.listeners.append(wandb.add_pictures)
            logs.append(wandb)
        return [CsvLog(self.plan.paths.log, self.validation, self.start_step), *logs]

    def _keep_unfinished(self) -> None:
        """After a failure the weights, where they are still good, are kept beside the log, never under the name."""
        self.saver.step = max(self.saver.step, self.trainer.done)  # steps that nobody was told of yet
        if not self.saver.step:
            return
        path = self.plan.paths.folder / f"{self.plan.job.output.name}-unfinished.pt"
        try:
            self.saver.save(path)
        except WorkbenchError as error:
            _log.warning("The weights of the failed run could not be kept: %s", error)
        else:
            _log.warning("The run failed; its weights up to step %d are kept in %s", self.saver.step, path)

    def _result(self, seconds: float) -> TrainResult:
        monitor, guard, paths = self.monitor, self.trainer.guard, self.plan.paths
        is_interrupted = self.saver.step < self.plan.end_step
        latest = self.validation.latest
        return TrainResult(
            steps=self.saver.step,
            seconds=seconds,
            loss_first=monitor.mean_loss(last=False),
            loss_last=monitor.mean_loss(last=True),
            validation_loss=latest[1] if latest else None,
            skipped_steps=guard.skipped,
            rollbacks=guard.rollbacks,
            peak_memory_mb=self.memory.peak_mb(),
            memory_mb=self.memory.above_start_mb(),
            estimated_mb=self.plan.needs.estimated_mb,
            interrupted=is_interrupted,
            network=paths.network,
            sheet=None if is_interrupted else self._sheet(),
            strip=self.previews.strip if self.previews.paths else None,
            log=paths.log,
            previews=tuple(self.previews.paths),
            chart=monitor.chart(),
        )

    def _sheet(self) -> Path | None:
        if not self.plan.job.output.sheet:
            return None
        requests = sheet.requests(self.plan.job, self.plan.dataset, self.plan.previews)
        path, network = self.plan.paths.folder / "sheet.png", self.state.network
        with weights_to_show(network, self.state.optimizer, self.state.average):
            return sheet.write(requests, network, self.ports.previewer, path)
