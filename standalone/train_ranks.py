"""`launch.py train --nproc N`: several processes, called ranks, that take the steps of one run together.

The processes are started by the part of torchrun that does so. On one machine they meet in a file, so that nothing of
them is open to the network; several machines need torchrun itself, whose environment is understood here too.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType

import torch
from hypernetwork_workbench.hypernetworks.base.errors import RanksLostError, SettingsError, WorkbenchError
from hypernetwork_workbench.hypernetworks.ranks import ALONE, Ranks, several
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, PContext, start_processes
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from .command_errors import FAILED, USAGE_ERROR

ROOT = Path(__file__).resolve().parents[1]
MOST = 256
#: Exit code of a process that ended because another one has.
LOST = 3
#: Where the ranks of one machine meet; torchrun tells it in its own way.
_MEETING = "HYPERNETWORK_RANKS_MEET"
_ERROR_FILE = "TORCHELASTIC_ERROR_FILE"
_COMMAND = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); from standalone import train_command; "
    "sys.exit(train_command.main(sys.argv[1:]))"
)
_POLL_S = 0.2
#: What torchrun listens to by itself.
_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")


def is_rank() -> bool:
    """Tell whether this process is one of several, started by `run` or by torchrun."""
    return _MEETING in os.environ or "TORCHELASTIC_RUN_ID" in os.environ


def check(count: int) -> None:
    """Check that `count` processes can run here; raises SettingsError."""
    if (reason := several.why_not()) is not None:
        raise SettingsError("--nproc", f"{reason}; leave --nproc out")
    gpus = torch.cuda.device_count()
    if 0 < gpus < count:
        here = "here is 1; leave --nproc out" if gpus == 1 else f"here are {gpus}; take --nproc {gpus}"
        raise SettingsError("--nproc", f"{count} processes need {count} GPUs, and {here}")


@contextmanager
def joined() -> Iterator[Ranks]:
    """Connect this process with the other ranks of its run, each of which has a GPU of its own; alone if it is none.

    Raises:
        TrainingError: the others cannot be found.
    """
    if not is_rank():
        yield ALONE
        return
    rank, size, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    # Before torch looks for GPUs. One that is not there leaves none, which the first rank is told.
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(MOST)))).split(",")
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus[local] if local < len(gpus) else "-1"
    is_here = several.on_this_machine() if _MEETING in os.environ else nullcontext()
    with is_here, several.joined(rank, size, os.environ.get(_MEETING, "env://")) as ranks:
        yield ranks


def is_deserted_from(parent: int) -> bool:
    """Tell whether the process `parent` no longer waits for this one, which is a rank."""
    return is_rank() and os.getppid() != parent


def tell(error: WorkbenchError) -> int:
    """Say what ended this process, on stderr or to whoever started the ranks; return the exit code."""
    is_lost = isinstance(error, RanksLostError)
    file = os.environ.get(_ERROR_FILE)
    if is_rank() and file and (is_lost or os.environ["RANK"] != "0"):
        said = error.kept if isinstance(error, RanksLostError) else str(error)
        Path(file).write_text(json.dumps({"message": said}), encoding="utf-8")
    else:
        sys.stderr.write(f"{error}\n")
    return LOST if is_lost else USAGE_ERROR if isinstance(error, SettingsError) else FAILED


def run(count: int, argv: list[str]) -> int:
    """Run the command line in `count` processes; return the exit code, with one sentence on stderr where one failed."""
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="hypernetwork-ranks-", ignore_cleanup_errors=True) as folder:
        with _started(count, argv, Path(folder)) as (processes, signals):
            result = processes.wait(period=_POLL_S)
        if len(signals) > 1:
            raise KeyboardInterrupt
        code, sentence = outcome(result.failures if result else {}, count)
    sys.stderr.write(sentence)
    return code


@contextmanager
def _started(count: int, argv: list[str], folder: Path) -> Iterator[tuple[PContext, list[int]]]:
    """Start the processes, of which only the first is heard; yield them, and the signals that were passed on to them.

    They do not outlive the block, and torchrun's own handlers of signals do not begin it.
    """
    listened = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in listened}
    common = {
        "WORLD_SIZE": str(count),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(max(1, torch.get_num_threads() // count)),
        _MEETING: f"file:///{(folder / 'meeting').as_posix().lstrip('/')}",
    }
    processes = start_processes(
        name="train",
        entrypoint=sys.executable,
        args=dict.fromkeys(range(count), ("-c", _COMMAND, *argv)),
        envs={rank: {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)},
        logs_specs=DefaultLogsSpecs(log_dir=str(folder), local_ranks_filter={0}),
    )
    signals: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        signals.append(number)
        for pid in processes.pids().values() if os.name != "nt" else ():  # there the console tells all of them
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    try:
        for number, handler in before.items():
            signal.signal(number, pass_on if number in (signal.SIGINT, signal.SIGTERM) else handler)
        yield processes, signals
    finally:
        processes.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def outcome(failures: Mapping[int, ProcessFailure], count: int) -> tuple[int, str]:
    """Return the exit code of a run, and a sentence on what ended it where its first process has not said so.

    Args:
        failures: the processes that did not end well, by rank, in the order in which that was seen.
    """
    if not failures:
        return 0, ""
    said = {rank: one.message for rank, one in failures.items() if Path(one.error_file).is_file()}
    first = failures.get(0)
    if first and first.exitcode in (FAILED, USAGE_ERROR):
        return first.exitcode, ""
    ended = [rank for rank, one in failures.items() if one.exitcode != LOST]
    rank = next((one for one in ended if one in said), ended[0] if ended else 0)
    cause = failures[rank]
    if cause.exitcode == USAGE_ERROR:
        return USAGE_ERROR, f"{said.get(rank, '')}\n"
    how = f": {said[rank]}" if rank in said else f" {_end(cause)}"
    kept = said.get(0) or "--resume goes on from the last state that was saved"
    return FAILED, f"process {rank + 1} of {count}{how}; {kept}\n"


def _end(failure: ProcessFailure) -> str:
    if failure.exitcode < 0:
        return f"was killed ({failure.signal_name()})"
    return f"ended with code {failure.exitcode}"
