"""What the commands that train share: their arguments, the embedded host, and a bar on the console."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from PIL import Image
from tqdm import tqdm

from . import host

host.mount()

from hypernetwork_workbench.hypernetworks.base.atomic import not_regular  # noqa: E402 (mounted just above)
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, WorkbenchError  # noqa: E402
from hypernetwork_workbench.hypernetworks.base.outside import is_folder  # noqa: E402
from hypernetwork_workbench.hypernetworks.base.paths import path_argument  # noqa: E402

USAGE_ERROR = 2
FAILED = 1
SECONDS_TO_A_BAR = 2.0
_STEPS_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


class Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog.split()[-1]}: {message}\n")


class ConsoleProgress:
    """The port `Progress` as a bar on the console; Ctrl-C or SIGTERM ends the run after its step."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._is_interrupted = False

    def report(self, done: int, total: int, text: str) -> None:
        """Move the bar."""
        unit = "step" if text.startswith("step") else "picture"
        if self._bar is None or (self._bar.total, self._bar.unit) != (total, unit) or done < self._bar.n:
            self.close()
            self._bar = tqdm(
                total=total,
                unit=unit,
                file=sys.stderr,
                dynamic_ncols=True,
                # One time that is left is enough: where there are steps, that of the text.
                bar_format=_STEPS_BAR if unit == "step" else None,
                # In a log file a bar must not move ten times a second.
                mininterval=0.1 if sys.stderr.isatty() else 30.0,
                # No bar flashes up before an error message where the pictures take no time.
                delay=0.0 if unit == "step" else SECONDS_TO_A_BAR,
            )
        self._bar.set_postfix_str(text.partition(", ")[2], refresh=False)
        self._bar.update(done - self._bar.n)

    def draw(self, chart: str) -> None:
        """Do nothing: a console draws no curves; they are in the log."""

    def show(self, picture: Image.Image) -> None:
        """Do nothing: a console shows no pictures; they are in the log folder."""

    def is_interrupted(self) -> bool:
        """Tell whether Ctrl-C was pressed, or SIGTERM came."""
        return self._is_interrupted

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.close()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Make the first Ctrl-C or SIGTERM ask the run to stop, and the second one stop it at once."""

        def ask(_signal: int, _frame: Any) -> None:
            self._is_interrupted = True
            listen_no_more()

        def listen_no_more() -> None:
            for name, handler in before.items():
                signal.signal(name, handler)

        before = {name: signal.signal(name, ask) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            listen_no_more()
            self.close()


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what every command that trains takes."""
    parser.add_argument("job", type=path_argument, metavar="JOB.toml", help="the job file")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="section.key=value",
        help="a setting put over the job file's; may be given several times",
    )
    parser.add_argument("--report", type=path_argument, metavar="FILE.json", help="where to write what was measured")
    parser.add_argument(
        "--ckpt", type=path_argument, metavar="FILE", help="checkpoint to train on; without it the demo model"
    )
    parser.add_argument(
        "--data-dir", type=path_argument, metavar="DIR", help="folder of the embedded host; without it data/"
    )


def check_report(path: Path | None) -> None:
    """Raise SettingsError where no report can be written to `path`."""
    if path is None:
        return
    if (what := not_regular(path)) is not None:
        raise SettingsError("--report", f"{path} is {what}; name a file")
    if not is_folder(path.resolve().parent):
        raise SettingsError("--report", f"the folder {path.resolve().parent} does not exist")


def start_host(ckpt: Path | None, data_dir: Path | None) -> host.Host:
    """Start the embedded host; raises SettingsError for a wrong folder or checkpoint."""
    try:
        return host.start(ckpt=ckpt, data_dir=data_dir)
    except OSError as error:
        raise SettingsError("--data-dir", f"{data_dir} cannot be used: {error.strerror}") from error
    except WorkbenchError as error:
        raise SettingsError("--ckpt", str(error).rstrip(".")) from error
