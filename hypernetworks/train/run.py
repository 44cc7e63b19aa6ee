"""A whole training run: settings -> dataset -> batches -> loss -> optimizer -> files."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from ..base.atomic import write_text
from ..base.errors import RanksLostError, WorkbenchError
from ..data.encoding import EncodedDataset, encode_parts
from ..kernels.memory import PeakMemory
from ..ports import Ports
from .between import BetweenSteps, Surroundings
from .memory_plan import to_tell
from .noise import as_chosen
from .offload import unloaded
from .origin import check_same
from .plan import TrainingPlan, make_plan
from .records import Length, write_length
from .resume import make_way
from .saving import Resumable, Saver
from .settings.job import Job
from .settings.job_file import job_text
from .state import make_state
from .tracking import sheet
from .tracking.judging import Judge, Judged, Judging
from .tracking.logs import CsvLog, Log, PackageLog, PictureLog, TensorBoardLog, WandbLog
from .tracking.metrics import Callback, StepReporter
from .tracking.monitor import Monitor
from .tracking.notes import Notes
from .tracking.previews import Previews
from .tracking.result import TrainResult
from .tracking.uploads import Uploads
from .trainer import make_trainer
from .validation import Validation

_log = logging.getLogger(__name__)


def train(job: Job, ports: Ports, resume: bool = False, judge: Judge | None = None) -> TrainResult:
    """Train the network that `job` describes on the model behind `ports`, and save it.

    Args:
        resume: whether to continue from the newest saved state of the run of this name.
        judge: measures the run while it goes on, and may end it.

    Raises:
        SettingsError: settings do not fit the model, the files or the dataset; names them.
        DatasetError: pictures or captions cannot be read.
        TrainingError: there is nothing to continue from.
        NonFiniteLossError: loss or weights do not become finite again; a file of that name is untouched.
        HypernetworkFileError: a network file cannot be read or written.
        RanksLostError: another process of the run has ended; says where the state of the last step is.
    """
    ports = as_chosen(ports, job.loss)
    plan = make_plan(job, ports, resume)  # settings: checked, and all that they name read
    if not ports.ranks.is_first:  # another process writes the files
        return _train(plan, ports, judge)
    with plan.paths.held(job):
        if plan.resumed is None:
            plan = _with_room(plan, ports)
        write_text(plan.paths.job, job_text(plan.job))
        write_length(plan.paths, Length(plan.end_step, plan.steps_per_epoch, plan.run))
        return _train(plan, ports, judge)


def _with_room(plan: TrainingPlan, ports: Ports) -> TrainingPlan:
    """Return the plan once an earlier run of its name, if there is one, has a name of its own."""
    begun_from = Path(plan.job.network.file) if plan.job.network.file else None
    earlier = make_way(plan.paths.folder, ports.network_dir, ports.embedding_dir, begun_from)
    if not earlier:
        return plan
    return replace(plan, changes=(*plan.changes, f"The earlier run of this name is called {earlier} now."))


def _train(plan: TrainingPlan, ports: Ports, judge: Judge | None) -> TrainResult:
    # The first process goes ahead, so that the others find all in the cache.
    with ports.ranks.first_goes_ahead() if plan.cache else nullcontext(), plan.taking_words(ports):
        training, held_out = encode_parts((plan.training, plan.held_out), ports, plan.cache)  # dataset: encoded once
    run = _Run(plan, ports, training, held_out)
    check_same(ports.ranks, plan.origin, run.start_step, run.state.learner)
    with run.working(judge) as reporter:
        for batches in run.trainer.batches(run.start_step, plan.end_step):  # batches: those of one step
            loss = run.trainer.backward(batches)  # loss: with its gradients
            step = run.trainer.update(batches, loss)  # optimizer: along them
            ends = reporter.report(step)  # to log, previews and copies, any of which may end the run
            if ports.ranks.agreed(ends):
                break
        run.save()  # files: the network and its state
    return run.result()


class _Run:
    """The parts of a run: trainer, callbacks and files."""

    def __init__(self, plan: TrainingPlan, ports: Ports, training: EncodedDataset, held_out: EncodedDataset) -> None:
        self.plan, self.ports, self.ranks = plan, ports, ports.ranks
        self.notes = Notes((*plan.changes, *plan.remarks))
        self.memory = PeakMemory(ports.denoiser.device)
        self.state = make_state(plan.job, plan.network, ports.denoiser, plan.embeddings)
        self.validation = Validation(held_out, ports.denoiser, self.state, plan.intervals.validation)
        self.monitor = Monitor(ports.progress, plan.end_step, self.memory, self.validation)
        self.previews = Previews(
            ports=ports,
            network=self.state.network,
            requests=plan.previews,
            folder=plan.paths.previews,
            every=plan.intervals.preview,
            cycle_ends=plan.schedule if plan.job.preview.at_cycle_end else None,
            weights=self._weights_of_previews,
            notes=self.notes,
        )
        resumable: dict[str, Resumable] = {
            "monitor": self.monitor,
            "validation": self.validation,
            "previews": self.previews,
        }
        self.start_step = self._resume(resumable)
        self.trainer = make_trainer(plan, ports.denoiser, training, self.state, self.ranks)
        self.saver = Saver(
            plan=plan,
            checkpoint=ports.checkpoint,
            state=self.state,
            validation=self.validation,
            resumable=resumable,
            step=self.start_step,
            notes=self.notes,
            prediction=ports.denoiser.prediction,
        )
        self.surroundings = Surroundings(self._contexts)
        self.between = BetweenSteps(ports.desk, self.saver, self.previews, self.monitor, self.memory, self.surroundings)
        self.started = self.seconds = 0.0
        self.memory_told: tuple[float | None, float | None] = (None, None)

    def _resume(self, resumable: Mapping[str, Resumable]) -> int:
        """Restore a saved state, or an optimizer state of the WebUI's; return the step to start at."""
        saved = self.plan.resumed
        if saved is None:
            self.state.read_optimizer_file(self.plan.job)
            return 0
        self.state.restore(saved.captured)
        for name, callback in resumable.items():
            callback.restore(saved.progress[name])
        return saved.step

    @contextmanager
    def working(self, judge: Judge | None) -> Iterator[StepReporter]:
        """Freeze the U-Net, unload the encoders if so set, open the logs, and yield the reporter of the steps.

        After a failure the weights, if they are still finite, are saved next to the log, never under the name.
        """
        plan = self.plan
        logs = self._open_logs() if self.ranks.is_first else []
        uploads = self._open_uploads() if self.ranks.is_first else None
        callbacks: list[Callback] = [self.monitor]
        if self.ranks.is_first:
            # Last, what is done between steps: all that belongs to the step is done then.
            judging = Judging(judge, plan.end_step, self._judged())
            told: list[Callback] = [self.validation, self.monitor, *logs, self.previews]
            callbacks = [*told, judging, self.saver, self.between]
        for line in (*plan.of_words, plan.memory.line(), *plan.idle, *plan.changes, *plan.remarks):
            _log.info(line)
        self.started = time.monotonic()
        try:
            with ExitStack() as stack:
                with self.memory.making_ready():
                    stack.enter_context(self.surroundings)
                yield self.trainer.reporter(callbacks, plan.end_step)
        except RanksLostError as error:
            raise RanksLostError(self._kept_state()) from error
        except Exception:
            self._keep_unfinished()
            raise
        finally:
            for log in logs:
                log.close()
            if uploads is not None:
                uploads.close()

    def save(self) -> None:
        """Write the network under its name, with its state, and log the memory that the steps took."""
        self.seconds = time.monotonic() - self.started - self.between.away_s
        self.memory_told = to_tell(self.plan.memory.estimated_mb, self.memory)
        estimated, measured = self.memory_told
        if measured is not None:
            expected = "" if estimated is None else f"; {estimated:.0f} MB were expected"
            _log.info("The steps took %.0f MB at most in addition to model and network%s.", measured, expected)
        if self.ranks.is_first:
            self.saver.save_result()
        else:
            self._count()

    def result(self) -> TrainResult:
        """Draw the sheet and return the result."""
        monitor, guard, paths = self.monitor, self.trainer.guard, self.plan.paths
        is_interrupted = self.saver.step < self.plan.end_step
        latest = self.validation.latest
        estimated, measured = self.memory_told
        return TrainResult(
            steps=self.saver.step,
            steps_now=self.saver.step - self.start_step,
            steps_in_all=self.saver.first.step + self.saver.step,
            seconds=self.seconds,
            loss_first=monitor.mean_loss(last=False),
            loss_last=monitor.mean_loss(last=True),
            validation_loss=latest[1] if latest else None,
            skipped_steps=guard.skipped,
            rollbacks=guard.rollbacks,
            peak_memory_mb=self.memory.peak_mb(),
            memory_mb=measured,
            estimated_mb=estimated,
            interrupted=is_interrupted,
            network=paths.network,
            sheet=self._sheet() if self.ranks.is_first and not is_interrupted else None,
            strip=self.previews.strip if self.previews.paths else None,
            log=paths.log,
            previews=tuple(self.previews.paths),
            chart=monitor.chart(),
            notes=tuple(self.notes.lines),
        )

    def _contexts(self) -> list[AbstractContextManager[None]]:
        """Return what the steps work in."""
        unloads = self.plan.job.train.unload_encoders
        gone = self.ports.encoder.unloaded() if unloads else nullcontext()
        return [gone, self.trainer.working(), self.plan.taking_words(self.ports)]

    @contextmanager
    def _weights_of_previews(self) -> Iterator[None]:
        """Use the weights to show, and free memory if so set, while a preview is made; it is not counted as a step."""
        makes_room = self.plan.job.train.preview_unloads_optimizer
        room = unloaded(self.state.optimizer) if makes_room else nullcontext()
        with self.memory.not_counted(), self.state.weights_to_show(), room:
            yield

    def _judged(self) -> Judged:
        measure = self.validation.measure if len(self.plan.held_out) else lambda: None
        return Judged(self.ports, self.state.network, self._weights_of_previews, measure)

    def _open_logs(self) -> list[Log]:
        plan, logs = self.plan, list[Log]()
        if plan.job.output.tensorboard:
            board = TensorBoardLog(plan.paths.tensorboard, plan.job, self.validation)
            logs.append(PackageLog("TensorBoard", board, self.notes))
        if plan.job.output.wandb:
            place = Path(plan.job.output.log_dir) if plan.job.output.log_dir else plan.paths.folder
            service = WandbLog(place, plan.job, self.validation)
            logs.append(PackageLog("Weights & Biases", service, self.notes))
        self.previews.listeners += [log.add_pictures for log in logs if isinstance(log, PictureLog)]
        # Last, because it changes an existing log, which must stay as it is if a package is missing.
        return [CsvLog(plan.paths.log, self.validation, self.start_step, self.notes), *logs]

    def _open_uploads(self) -> Uploads | None:
        if not self.plan.job.output.huggingface_repo:
            return None
        uploads = Uploads(self.plan.job.output, self.notes, self.ports.progress.is_interrupted)
        self.saver.listeners.append(uploads.send)
        return uploads

    def _count(self) -> None:
        """Count the steps that have not been reported to the saver."""
        self.saver.step = max(self.saver.step, self.trainer.done)

    def _kept_state(self) -> str:
        """Save the state after the last step that all processes have taken; return a part of a sentence about it."""
        self._count()
        try:
            is_kept = self.ranks.is_first and self.saver.save_state()
        except WorkbenchError as error:
            return f"the state of step {self.saver.step} could not be saved: {error}"
        return f"the state of step {self.saver.step} is kept to continue from" if is_kept else ""

    def _keep_unfinished(self) -> None:
        self._count()
        if not self.saver.step or not self.ranks.is_first:
            return
        path = self.plan.paths.unfinished
        self.saver.listeners.clear()  # it is for the person whose run it is alone
        try:
            self.saver.save(path)
        except WorkbenchError as error:
            _log.warning("The weights of the failed run could not be kept: %s", error)
        else:
            _log.warning("The run failed; its weights up to step %d are kept in %s", self.saver.step, path)

    def _sheet(self) -> Path | None:
        plan = self.plan
        if not plan.job.makes_sheet:
            return None
        requests = sheet.requests(plan.job, plan.dataset, plan.previews)
        with self.state.weights_to_show(), plan.taking_words(self.ports):
            origin = sheet.origin(plan.run, self.saver.step)
            return sheet.write(requests, self.state.network, self.ports.previewer, plan.paths.sheet, origin)
