"""What the commands that train share: their arguments and the embedded host."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from . import host
from .command_errors import USAGE_ERROR

host.mount()

from hypernetwork_workbench.hypernetworks.base.atomic import not_regular  # noqa: E402 (mounted just above)
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, WorkbenchError  # noqa: E402
from hypernetwork_workbench.hypernetworks.base.outside import is_folder  # noqa: E402
from hypernetwork_workbench.hypernetworks.base.paths import path_argument  # noqa: E402


class Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog.split()[-1]}: {message}\n")


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
