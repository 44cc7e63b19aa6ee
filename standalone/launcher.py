"""The command line of `launch.py`: reads the command, prepares the virtual environment, and runs the command in it.

Standard library only, and so is `environment`: both run before anything is installed.
"""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .command_errors import with_error_report
from .environment import Environment, SetupError

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("serve", "train", "tune", "queue", "dataset", "test", "bench")
#: How often a thread of torch on a CPU looks for work, in libgomp's turns, before it sleeps: some microseconds.
_SPINS = "4000"
_MEASURES = re.compile(r"^def measure\(", re.MULTILINE)
HELP = """\
python3 launch.py [serve] [options]        start the page on 127.0.0.1:7860 (serve --help lists its options)
python3 launch.py train JOB.toml [options] create and train a hypernetwork as the job file says
    [--set section.key=value ...] [--resume | --find-rate] [--report FILE.json]
    [--nproc N]                            in several processes, each with a GPU of its own if there are GPUs
python3 launch.py tune JOB.toml [options]  try other settings of a job, and tell which did best
    [--set section.key=value ...] [--study sqlite:///FILE|postgresql://...] [--trials N] [--report FILE.json]
python3 launch.py queue COMMAND [options]  jobs that wait for their turn: add, list, run, cancel and more (queue --help)
python3 launch.py dataset COMMAND [options] kohya's metadata: merge-captions, merge-tags, clean, prepare-buckets,
    write-captions, undo; show JOB.toml    what each step of a job trains (dataset --help)
python3 launch.py test [pytest arguments]  run the tests but for the long ones; --all runs those too
    --mutations [PATH] [--minutes M]       or look for changes of the code that the tests do not notice
python3 launch.py bench NAME               measure how fast it is: {benchmarks}
    [--json FILE] [--rounds N]

The first start sets up .venv beside launch.py and takes a few minutes.
"""


class UsageError(Exception):
    """A command line that names no command of ours."""


@with_error_report
def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code: 2 with one sentence on stderr, 130 after Ctrl-C."""
    try:
        command, arguments = read_command(argv)
        if command == "help":
            sys.stdout.write(HELP.format(benchmarks=", ".join(benchmarks())))
            return 0
        let_threads_sleep()
        environment = Environment(ROOT)
        environment.ensure(with_tests=command == "test", say=_say)
        if not environment.is_running():
            return _hand_over(environment.python, argv)
        return _run(command, arguments)
    except (UsageError, SetupError) as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        _say("Stopped.")
        return 130


def let_threads_sleep() -> None:
    """Let torch's threads on a CPU sleep soon where they wait for each other, unless the user has set how they wait.

    They hold their cores for milliseconds otherwise, after each of the many small calls of a step, and the thread that
    is waited for gets none on a machine that does other work. To be called before torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def read_command(argv: Sequence[str]) -> tuple[str, list[str]]:
    """Split a command line into command and arguments; options without a command belong to `serve`.

    Raises UsageError for a word that is no command.
    """
    first, *rest = argv or ["serve"]
    if first in ("-h", "--help", "help"):
        return "help", rest
    if first in COMMANDS:
        return first, rest
    if first.startswith("-"):
        return "serve", list(argv)
    raise UsageError(f"Unknown command {first!r}: the commands are serve, train, tune, queue, dataset, test and bench.")


def benchmarks() -> list[str]:
    """Return the names that `bench` takes: the modules and packages of `benchmarks/` with a function `measure`."""
    folder = ROOT / "benchmarks"
    named = {path.stem: path for path in folder.glob("*.py")} | {
        path.parent.name: path for path in folder.glob("*/__init__.py")
    }
    return sorted(name for name, path in named.items() if _MEASURES.search(path.read_text(encoding="utf-8")))


def _run(command: str, arguments: list[str]) -> int:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    if command == "test":
        os.chdir(ROOT)
    module, function = {
        "test": ("test_command", "main"),
        "serve": ("app", "serve"),
        "train": ("train_command", "main"),
        "tune": ("tune_command", "main"),
        "queue": ("queue_command", "main"),
        "dataset": ("dataset_command", "main"),
        "bench": ("bench_command", "main"),
    }[command]
    return int(getattr(importlib.import_module(f"standalone.{module}"), function)(arguments) or 0)


def _hand_over(python: Path, argv: Sequence[str]) -> int:
    command = [str(python), str(ROOT / "launch.py"), *argv]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":  # one process only, so that a signal sent to it reaches the command
        os.execv(command[0], command)
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # Ctrl-C reaches the command too, which ends as it sees fit
            continue


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
