"""`launch.py queue`: adds jobs to the queue, shows and orders them, and works on them without a page."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from . import host
from .command_errors import FAILED, USAGE_ERROR, with_error_report

ROOT = Path(__file__).resolve().parents[1]
host.mount()

from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, WorkbenchError  # noqa: E402 (mounted above)
from hypernetwork_workbench.hypernetworks.base.paths import path_argument  # noqa: E402
from hypernetwork_workbench.hypernetworks.jobs.json_schema import plain  # noqa: E402
from hypernetwork_workbench.hypernetworks.queue import KINDS, Entry, Queue, job_of, own_sections  # noqa: E402
from hypernetwork_workbench.hypernetworks.queue.estimates import Estimate, estimates  # noqa: E402
from hypernetwork_workbench.hypernetworks.queue.kinds.tune import NEAR  # noqa: E402
from hypernetwork_workbench.hypernetworks.queue.store import MOVES  # noqa: E402
from hypernetwork_workbench.hypernetworks.queue.waits import hindered, sentence  # noqa: E402
from hypernetwork_workbench.hypernetworks.train.settings.job_file import anchor_paths, apply_overrides, read_tables  # noqa: E402
from hypernetwork_workbench.hypernetworks.train.tracking.monitor import clock  # noqa: E402
from hypernetwork_workbench.hypernetworks.tuning.space import anchor, take_table  # noqa: E402
from hypernetwork_workbench.hypernetworks.tuning.space.settings import SECTION  # noqa: E402

from .console import start_host  # noqa: E402
from .evaluation import EvaluationSettings  # noqa: E402

_KIND = "kind"
#: The kinds of jobs whose files may have settings of a study too.
_TRAINS = ("train", "continue")
_ACTS: dict[str, tuple[str, Callable[[Queue, int], None]]] = {
    "cancel": ("take a job back; one at work ends after its step, and saves", Queue.cancel),
    "pause": ("hold a job; one at work saves, and makes room for the next", Queue.pause),
    "go-on": ("let a job that is held wait for its turn again", Queue.go_on),
    "retry": ("try a job again that failed or was taken back", Queue.retry),
    "remove": ("delete a job that is not at work", Queue.remove),
}


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"queue: {message}\n")


@with_error_report
def main(argv: list[str]) -> int:
    """Do what the command line asks of the queue. Exit status: 0 done, 1 a job failed, 2 a wrong entry."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = _arguments(argv)
    queue = Queue.of(arguments.data_dir.resolve())
    try:
        return int(arguments.act(queue, arguments) or 0)
    except WorkbenchError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE_ERROR if isinstance(error, SettingsError) else FAILED


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="launch.py queue", description="Jobs that wait for their turn.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, help_: str, act: Callable[[Queue, argparse.Namespace], int | None]) -> Any:
        made = commands.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        made.set_defaults(act=act)
        made.add_argument(
            "--data-dir", type=path_argument, default=ROOT / "data", metavar="DIR", help="the host's; without it data/"
        )
        return made

    listing = command("list", "show the jobs", _list)
    listing.add_argument("--json", action="store_true", help="as JSON")
    add = command("add", "add a job: a job file of a training, or one with the tables of another kind", _add)
    add.add_argument("file", type=path_argument, metavar="JOB.toml", help="the job file")
    add.add_argument("--kind", choices=list(KINDS), help="what to do; without it what its tables say, else train")
    add.add_argument("--set", action="append", default=[], metavar="section.key=value", help="put over the file's")
    add.add_argument("--after", type=int, metavar="ID", help="the job that has to be done before")
    run = command("run", "work on the jobs in this process, until none can begin", _run)
    run.add_argument("--wait", action="store_true", help="go on with jobs that are added, until Ctrl-C")
    run.add_argument("--ckpt", type=path_argument, metavar="FILE", help="checkpoint; without it the demo model")
    for name, (help_, act) in _ACTS.items():
        command(name, help_, _on_one(act)).add_argument("job", type=int, metavar="ID", help="number of the job")
    move = command("move", "move a job in the order", lambda queue, given: queue.move(given.job, given.where))
    move.add_argument("job", type=int, metavar="ID", help="number of the job")
    move.add_argument("where", choices=MOVES)
    after = command("after", "let a job begin when another is done", _after)
    after.add_argument("job", type=int, metavar="ID", help="number of the job")
    after.add_argument("other", type=int, nargs="?", metavar="OTHER", help="the one before it; without it none")
    command("hold", "let no job begin", lambda queue, _: queue.hold(True))
    command("release", "let jobs begin again", lambda queue, _: queue.hold(False))
    return parser.parse_args(argv)


def _on_one(act: Callable[[Queue, int], None]) -> Callable[[Queue, argparse.Namespace], None]:
    return lambda queue, given: act(queue, given.job)


def _after(queue: Queue, given: argparse.Namespace) -> None:
    queue.put_after(given.job, given.other)


def _add(queue: Queue, given: argparse.Namespace) -> None:
    tables = read_tables(given.file)
    anchor(tables, given.file.parent)
    anchor_paths(tables, given.file.parent, own_sections())
    apply_overrides(tables, given.set)
    EvaluationSettings.of_tables(tables)  # what the command train measures afterwards
    named = tables.pop(_KIND, "")
    kind = given.kind or named or next((one for one in KINDS if one in tables and one != "train"), "train")
    if kind in _TRAINS and SECTION in tables:
        take_table(tables)
        sys.stdout.write(f"[{SECTION}] is for jobs of the kind tune, and changes nothing here.\n")
    if kind == "tune":
        tables[NEAR] = str(given.file.parent.resolve())
    if not isinstance(kind, str):
        raise SettingsError(_KIND, f"must be one of {', '.join(KINDS)}")
    entry = queue.add(job_of(kind, tables), given.after)
    sys.stdout.write(f"Added as job {entry.id}: {entry.kind} {entry.title}\n")


def _list(queue: Queue, given: argparse.Namespace) -> None:
    entries = queue.entries()
    expected = estimates(entries)
    if given.json:
        rows = [{**plain(one), "estimate": plain(expected.get(one.id))} for one in entries]
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return
    if queue.is_held:
        sys.stdout.write("The queue is held: no job begins.\n")
    in_vain = hindered(entries)
    for entry in entries:
        sys.stdout.write(_line(entry, expected.get(entry.id), in_vain.get(entry.id)) + "\n")
    if not entries:
        sys.stdout.write("The queue is empty.\n")


def _line(entry: Entry, expected: Estimate | None, before: Entry | None) -> str:
    parts = [f"{entry.id:>4}  {entry.state:<11}  {entry.kind:<8}  {entry.title}"]
    if entry.is_open and entry.total:
        parts.append(f"{entry.done} of {entry.total}")
    if expected is not None and expected.takes_s is not None:
        parts.append(f"about {clock(expected.takes_s)}")
    if entry.is_open and entry.after is not None:
        parts.append(f"after {entry.after}")
    if before is not None:
        parts.append(sentence(before))
    if entry.outcome:
        parts.append(entry.outcome.splitlines()[0])
    return "  ".join(parts)


def _run(queue: Queue, given: argparse.Namespace) -> int:
    before = {one.id for one in queue.entries() if one.state == "failed"}
    running = start_host(given.ckpt, given.data_dir)
    try:
        from hypernetwork_workbench.patches.queue.worker import worker  # noqa: PLC0415 (needs the running host)

        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: worker.ask_end())
        worker.run(until_empty=not given.wait)
    finally:
        running.stop()
    return FAILED if any(one.state == "failed" and one.id not in before for one in queue.entries()) else 0
