"""Training jobs on the host: the functions that the tab, the command line and the HTTP API call."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from modules import devices, shared
from modules import progress as host_progress

from ...hypernetworks.base.errors import (
    ErrorCollector,
    SettingsError,
    TrainingError,
    WorkbenchError,
    raise_with_all_else,
)
from ...hypernetworks.ports import BetweenSteps, Ports, Progress
from ...hypernetworks.ranks import ALONE, Ranks
from ...hypernetworks.train import FoundRate, TrainResult, find_rate, make_plan, plan_trials, train
from ...hypernetworks.train.settings.job import Job
from .. import backend, forge, parts
from ..embedding import words
from ..forge.denoiser import check_checkpoint
from ..model import attention_layers, conditioning, host, lean_layers
from ..model.previews import find_sampler
from ..patching import capabilities
from ..patching.error_reports import report_unexpected
from . import folders, gpus, withdrawn
from .afterwards import embeddings_listed, freed_memory
from .desk import RunDesk, Wish
from .in_turn import in_turn
from .progress import RunProgress
from .run import GOING_ON, RUNNING, Run, runs
from .turns import turns

_log = logging.getLogger(__name__)
_PATIENCE_S = 120.0
ResultT = TypeVar("ResultT")
_NO_RUN = "no run is going on"


@report_unexpected()
def run_job(
    job: Job,
    progress: Progress | None = None,
    resume: bool = False,
    log_dir: Path | None = None,
    ranks: Ranks = ALONE,
) -> TrainResult:
    """Train as `job` says on the loaded checkpoint, and let the host list the result.

    Args:
        resume: whether to continue from the newest saved state of the run of this name.
        log_dir: folder of logs and pictures of a job that names no folder; None: the host's own.
        ranks: the processes that take the steps together.

    Raises:
        WorkbenchError: see `hypernetworks.train.run.train`; also where the GPU has too little memory, or where the
            host keeps most of the model outside of it.
    """
    with at_work(job, progress, partial(make_plan, job, resume=resume)) as given:
        ports = given
        if job.output.dir and ranks.is_first:
            folders.note(Path(job.output.dir) / job.output.name)
        if log_dir is not None:
            ports = replace(ports, log_dir=log_dir, latent_dir=ports.log_dir / "latents")
        with _with_other_gpus(job, ports, resume) if runs.active else nullcontext(ranks) as ranks_:
            result = train(job, replace(ports, ranks=ranks_), resume)
    runs.finish(result)
    return result


def _with_other_gpus(job: Job, ports: Ports, resume: bool) -> AbstractContextManager[Ranks]:
    """Return the ranks of a run of this host, on as many GPUs as were chosen; raises what `make_plan` does."""
    count = gpus.chosen()
    if count == 1:
        return nullcontext(ALONE)
    make_plan(job, ports, resume)  # what is wrong is told before models are loaded
    return gpus.shared_by(count, job, resume, ports)


@contextmanager
def at_work(
    job: Job, progress: Progress | None = None, check: Callable[[Ports], object] | None = None
) -> Iterator[Ports]:
    """Begin the active run with `job`, and yield the ports to do it with; raises WorkbenchError as `run_job` does.

    Args:
        check: tells what else is wrong where the VAE or text encoder of the job cannot be used.
    """
    run = runs.begin(job)
    with _ports_of(run, job, progress, check) as ports:
        yield ports if run is None else replace(ports, desk=RunDesk(run))


@contextmanager
def _ports_of(
    run: Run | None, job: Job, progress: Progress | None, check: Callable[[Ports], object] | None
) -> Iterator[Ports]:
    """Yield the ports on the host's model with what the job chooses of it; see `at_work`."""
    with freed_memory(), turns.kept(), _shown(run) as shown, embeddings_listed(job), ExitStack() as stack:
        try:
            stack.enter_context(parts.chosen(job.model))
        except SettingsError as error:
            if check is not None:
                raise_with_all_else(error, partial(check, _ports(job, progress or shown)))
            raise
        yield _ports(job, progress or shown)


@report_unexpected()
def check_job(job: Job, resume: bool = False) -> list[str]:
    """Do all but the steps: read the pictures, plan the run, and return what it will do, one sentence per line.

    Raises:
        WorkbenchError: as in `run_job`, but all settings that do not fit at once.
    """
    errors, lines = ErrorCollector(), list[str]()
    with turns.kept(), _shown(runs.active) as shown, ExitStack() as stack:
        with errors:
            stack.enter_context(parts.chosen(job.model))
        with errors:
            lines = make_plan(job, _ports(job, shown), resume).lines()
    errors.raise_all()
    return lines


@report_unexpected()
def find_rate_for(job: Job, progress: Progress | None = None) -> FoundRate:
    """Try rates on copies that are thrown away; raises WorkbenchError as `run_job` does."""
    with _ports_of(runs.active, job, progress, partial(plan_trials, job)) as ports:
        return find_rate(job, ports)


def start(job: Job, resume: bool = False) -> Run:
    """Start a run and return it at once; it begins when the host's queue reaches it.

    Raises:
        RunBusyError: another run has not ended yet.
    """
    run = runs.claim(job.output.name)
    run.job = job
    act = partial(run_job, job, resume=resume)
    threading.Thread(target=carry_out, args=(run, act), name=f"train-{run.id}", daemon=True).start()
    return run


def interrupt(coming: str = "") -> Run | None:
    """Ask the active run to save and end; return it, or None if there is none.

    Args:
        coming: the tasks of runs whose start may still be on its way here, one a line; they never begin.
    """
    run = runs.active
    for task in coming.splitlines():
        if run is None or run.task != task:
            withdrawn.note(task)
            run = runs.active  # it may have come meanwhile, just before it was noted
    if run is not None:
        run.is_cancelled = True
        if run.state == RUNNING:  # a preview that is being made ends too; `state.interrupt` is for the jobs of others
            shared.state.interrupted = True
        turns.tell()
    return run


def interrupt_for_host() -> Run | None:
    """Do what `interrupt` does, because the process ends, or because the page is built anew."""
    run = runs.active
    if run is not None:
        run.ends_with_host = True
    return interrupt()


def pause() -> Run | None:
    """Let the active run stand aside after its step, until it is to go on; return it, or None if there is none."""
    return _set_paused(True)


def go_on() -> Run | None:
    """Let a run that stands aside go on; return it, or None if there is none."""
    return _set_paused(False)


def _set_paused(is_paused: bool) -> Run | None:
    run = runs.active
    if run is not None:
        run.is_paused = is_paused
        turns.tell()
    return run


def save_now() -> Path:
    """Save a copy after the step that the active run is at, and return its path; raises WorkbenchError."""
    return _ask(lambda steps: steps.save())


def preview_now(prompt: str) -> Path:
    """Make a picture of a prompt, or of the run's own where it is empty, after the step that the active run is at.

    Returns:
        The file of the picture.

    Raises:
        WorkbenchError: there is no run, or it cannot be made.
    """
    return _ask(lambda steps: steps.preview(prompt))


def _ask(act: Callable[[BetweenSteps], Path]) -> Path:
    run, wish = runs.active, Wish(act)
    if run is None:
        raise TrainingError(_NO_RUN)
    run.wishes.append(wish)
    if run.over.is_set():  # it ended at this moment
        wish.refuse()
    turns.tell()
    wish.done.wait()
    if wish.problem is not None:
        raise wish.problem
    if wish.path is None:
        raise TrainingError("it was not done; the log says why")
    return wish.path


def end() -> None:
    """Interrupt the active run and wait until it has saved; one that still waits for its turn never starts."""
    run = interrupt_for_host()
    if run is not None and run.state in GOING_ON and not run.over.wait(_PATIENCE_S):
        _log.warning("The training of %s did not end within %.0f s.", run.name, _PATIENCE_S)


def carry_out(run: Run, act: Callable[[], ResultT]) -> ResultT | None:
    """Do the active run in its turn of the host's queue, and return what came of it; an error is in `run` then."""
    task = run.task = f"task(train-{run.id})"
    try:
        with in_turn(task, lambda: not run.is_cancelled) as is_wanted:
            return act() if is_wanted else None
    except WorkbenchError as error:
        run.problem = error
        _log.warning("The training of %s ended: %s", run.name, error)
        return None
    finally:
        runs.release(run)


@contextmanager
def _shown(run: Run | None) -> Iterator[RunProgress | None]:
    """Show a run on the page; on no page where there is none, such as for the command line."""
    if run is None:
        yield None
        return
    run.task = run.task or host_progress.current_task
    shown = RunProgress(run)
    try:
        yield shown
    finally:
        shown.close()
        if run.is_cancelled:
            shared.state.interrupted = False  # by us, and whoever comes next may not begin a job


def require_training() -> None:
    """Raise TrainingError where nothing can be trained, in this host or as it was started or set."""
    if capabilities.attention_has_hooks():
        if backend.is_chosen_loaded():  # else the run loads it first, and judges it then
            check_checkpoint()
        return
    if getattr(shared.cmd_opts, "lowvram", False):
        # The host then moves each block of the U-Net to the GPU in turn, which leaves no way to keep gradients.
        raise TrainingError("training is not possible with --lowvram; start the WebUI with --medvram or without it")
    if getattr(devices, "fp8", False) and host.casts_by_itself():
        # The host casts the weights from and to FP8 in each call, so the backward pass would find them in FP8.
        raise TrainingError(
            "training is not possible with FP8 weights here; set Settings > Optimizations > FP8 weight to Disable"
        )
    loaded = attention_layers.loaded_model()
    if loaded is not None:
        conditioning.check(loaded)


def _ports(job: Job, progress: Progress | None) -> Ports:
    require_training()
    host.check_path()
    find_sampler(job.preview.sampler)
    if capabilities.attention_has_hooks():
        return forge.ports(progress)
    lean_layers.check_storage(job.train.unet_storage, devices.device)
    return replace(host.ports(progress), words=words.HostWords(), embedding_dir=words.embedding_dir())
