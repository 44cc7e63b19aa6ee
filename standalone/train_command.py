"""`launch.py train JOB.toml`: trains on the embedded host, without a page."""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from . import host
from .command_errors import with_error_report

ROOT = Path(__file__).resolve().parents[1]
host.mount()

from hypernetwork_workbench.hypernetworks.base.atomic import write_text  # noqa: E402 (mounted just above)
from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError  # noqa: E402
from hypernetwork_workbench.hypernetworks.ranks import Ranks  # noqa: E402
from hypernetwork_workbench.hypernetworks.train import FoundRate  # noqa: E402
from hypernetwork_workbench.hypernetworks.train.settings.job import Job  # noqa: E402
from hypernetwork_workbench.hypernetworks.train.settings.job_file import apply_overrides, read_tables  # noqa: E402
from hypernetwork_workbench.hypernetworks.tuning.space.settings import SECTION, take_table  # noqa: E402

from . import train_ranks  # noqa: E402
from .console import Parser, add_common, check_report, opened  # noqa: E402
from .console_progress import ConsoleProgress  # noqa: E402
from .evaluation import EvaluationSettings  # noqa: E402

_log = logging.getLogger(__name__)


@with_error_report
def main(argv: list[str]) -> int:
    """Train as the job file says. Exit status: 0 done, 1 the run failed, 2 something was entered wrong."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = _arguments(argv)
    try:
        check_report(arguments.report)
        job, evaluation = _read_job(arguments.job, arguments.set)
        if arguments.nproc > 1 and not train_ranks.is_rank():
            train_ranks.check(arguments.nproc)
            return train_ranks.run(arguments.nproc, argv)
        with train_ranks.joined() as ranks:
            if not ranks.is_first:
                logging.disable()
            if arguments.find_rate:
                report, said = _find_rate(job, arguments)
            else:
                report = _train(job, evaluation, arguments, ranks)
                said = _summary(report) if report else ""
        if not ranks.is_first:
            return 0
        if arguments.report:
            write_text(arguments.report, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    except WorkbenchError as error:
        return train_ranks.tell(error)
    sys.stdout.write(said)
    return 0


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="launch.py train", description="Trains a hypernetwork as a job file says.", allow_abbrev=False)
    add_common(parser, takes_folders=True)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--resume", action="store_true", help="go on from the newest saved state of this run")
    mode.add_argument("--find-rate", action="store_true", help="only try learning rates, and tell which suits the job")
    parser.add_argument(
        "--nproc",
        type=_process_count,
        default=1,
        metavar="N",
        help="processes that share the pictures of each step, each with a GPU of its own where there are GPUs",
    )
    arguments = parser.parse_args(argv)
    if arguments.find_rate and (arguments.nproc > 1 or train_ranks.is_rank()):
        parser.error("argument --nproc: not allowed with argument --find-rate, which tries rates in one process")
    return arguments


def _process_count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= train_ranks.MOST:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {train_ranks.MOST}, not {text!r}")
    return int(text)


def _read_job(path: Path, overrides: list[str]) -> tuple[Job, EvaluationSettings]:
    tables = read_tables(path)
    apply_overrides(tables, overrides)
    evaluation = EvaluationSettings.of_tables(tables)
    if SECTION in tables:
        take_table(tables)
        _log.info("[%s] is for launch.py tune, and changes nothing here.", SECTION)
    return Job.from_mapping(tables), evaluation


def _train(job: Job, evaluation: EvaluationSettings, arguments: argparse.Namespace, ranks: Ranks) -> dict[str, Any]:
    progress = ConsoleProgress(ranks.is_first, partial(train_ranks.is_deserted_from, os.getppid()))
    with opened(arguments, progress) as model:
        with progress.listening():
            result = model.train(job, arguments.resume, ranks)
        if not ranks.is_first:
            return {}
        report: dict[str, Any] = {
            "seconds": round(result.seconds, 3),
            "steps": result.steps,
            "processes": ranks.size,
            "interrupted": result.interrupted,
            "loss_first": result.loss_first,
            "loss_last": result.loss_last,
            "validation_loss": result.validation_loss,
            "skipped_steps": result.skipped_steps,
            "rollbacks": result.rollbacks,
            "peak_memory_mb": round(result.peak_memory_mb, 1),
            "memory_mb": None if result.memory_mb is None else round(result.memory_mb, 1),
            "estimated_mb": None if result.estimated_mb is None else round(result.estimated_mb, 1),
            "notes": list(result.notes),
            "files": {
                "network": str(result.network.resolve()),
                "sheet": str(result.sheet.resolve()) if result.sheet else None,
                "log": str(result.log.resolve()),
            },
        }
        return report | evaluation.measure(job, result.network, model.judges)


def _find_rate(job: Job, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Return the report and the sentences about the rate that suits the job; nothing is trained for keeps."""
    progress = ConsoleProgress()
    with opened(arguments, progress) as model, progress.listening():
        found = model.find_rate(job)
    report = _rate_report(found)
    if found.of_words is not None:
        report["embedding"] = _rate_report(found.of_words)
    sections = ((setting.partition(".")[0], text) for setting, text in found.entries.items())
    entries = (f'In [{section}] of the job file: rate = "{text}"' for section, text in sections)
    return report, "\n".join([*found.lines(), *entries]) + "\n"


def _rate_report(found: FoundRate) -> dict[str, Any]:
    """Return a report of what was found for one setting."""
    told = {name: value if found.is_found else None for name, value in vars(found.choice).items() if name != "doubt"}
    return {
        **told,
        "setting": found.setting,
        "schedule_rate": found.text or None,
        "doubt": found.choice.doubt or None,
        "steps": found.steps,
        "seconds": round(found.seconds, 3),
        "trials": [
            {"rate": trial.rate, "steps": trial.steps, "loss": trial.loss if math.isfinite(trial.loss) else None}
            for trial in found.trials
        ],
    }


def _summary(report: dict[str, Any]) -> str:
    lines = [
        f"{report['steps']} steps in {report['seconds']:.0f} s, loss {report['loss_first']:.4f} at first and "
        f"{report['loss_last']:.4f} at last",
        f"network: {report['files']['network']}",
    ]
    if report["files"]["sheet"]:
        lines.append(f"before and after: {report['files']['sheet']}")
    for name in ("style_distance", "outline_contrast", "captions_followed"):
        if name in report:
            figures = ", ".join(f"{key} {value:.3f}" for key, value in report[name].items())
            lines.append(f"{name.replace('_', ' ')}: {figures}")
    return "\n".join(lines) + "\n"
