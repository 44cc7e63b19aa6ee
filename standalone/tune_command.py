"""`launch.py tune JOB.toml`: tries other settings of a job on the embedded host, without a page."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from . import host
from .command_errors import FAILED, USAGE_ERROR, with_error_report

host.mount()

from hypernetwork_workbench.hypernetworks.base.atomic import write_text  # noqa: E402 (mounted just above)
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, WorkbenchError  # noqa: E402
from hypernetwork_workbench.hypernetworks.train.settings.job_file import apply_overrides, read_tables  # noqa: E402
from hypernetwork_workbench.hypernetworks.tuning import StudyResult, TuneSettings, take_table  # noqa: E402
from hypernetwork_workbench.hypernetworks.tuning.space import anchor  # noqa: E402

from .console import Parser, add_common, check_report, start_host  # noqa: E402
from .console_progress import ConsoleProgress  # noqa: E402
from .evaluation import EvaluationSettings  # noqa: E402


@with_error_report
def main(argv: list[str]) -> int:
    """Tune as the job file says. Exit status: 0 done, 1 no trial succeeded, 2 something was entered wrong."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = _arguments(argv)
    try:
        check_report(arguments.report)
        tables, settings = _read(arguments)
        result = _tune(tables, settings, arguments)
        if arguments.report:
            write_text(arguments.report, json.dumps(result.report(), indent=2, ensure_ascii=False) + "\n")
    except WorkbenchError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE_ERROR if isinstance(error, SettingsError) else FAILED
    sys.stdout.write("\n".join([*result.lines(), f"study: {result.study.folder}"]) + "\n")
    return 0 if result.best or result.is_interrupted else FAILED


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="launch.py tune",
        description="Tries other settings of a job, as its section [tune] says. Started again, it goes on.",
        allow_abbrev=False,
    )
    add_common(parser)
    parser.add_argument(
        "--study",
        default="",
        metavar="URL",
        help="a database that several machines share, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; without "
        "it the study is kept beside its networks",
    )
    parser.add_argument("--trials", metavar="N", help="the most trials there are, as tune.trials")
    return parser.parse_args(argv)


def _read(arguments: argparse.Namespace) -> tuple[dict[str, Any], TuneSettings]:
    tables = read_tables(arguments.job)
    anchor(tables, Path(arguments.job).parent)
    apply_overrides(tables, arguments.set)
    EvaluationSettings.of_tables(tables)
    return tables, take_table(tables, {} if arguments.trials is None else {"trials": arguments.trials})


def _tune(tables: dict[str, Any], settings: TuneSettings, arguments: argparse.Namespace) -> StudyResult:
    progress = ConsoleProgress()
    running = start_host(arguments.ckpt, arguments.data_dir)
    try:
        from hypernetwork_workbench.patches.runs.tuning import tune_job  # noqa: PLC0415 (needs the running host)

        with progress.listening():
            return tune_job(tables, settings, progress, arguments.study, Path(arguments.job).parent)
    finally:
        running.stop()
