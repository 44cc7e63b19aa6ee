"""Studies on the host: the function that the tab and the command line call."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from ...hypernetworks.ports import Ports, Progress
from ...hypernetworks.train.settings.job import Job
from ...hypernetworks.tuning import StudyResult, TuneSettings, check_all, plan_study, run_study
from ...hypernetworks.tuning.kept import ENDING, Tables
from ..patching.error_reports import report_unexpected
from . import folders
from .run import runs
from .training import at_work


@report_unexpected()
def tune_job(
    tables: Tables,
    settings: TuneSettings,
    progress: Progress | None = None,
    url: str = "",
    near: Path | None = None,
) -> StudyResult:
    """Do the trials of a study on the loaded checkpoint; one that was broken off goes on.

    Args:
        tables: those of a job file, without `[tune]`.
        url: address of a database that several machines share; empty: the study is kept beside its networks.
        near: folder in which files of settings are looked for too, by their names.

    Raises:
        WorkbenchError: see `hypernetworks.tuning.plan_study` and `run_study`; also as `run_job` does.
    """
    job = Job.from_mapping(tables)
    named = replace(job, output=replace(job.output, name=f"{job.output.name}{ENDING}"))
    check = partial(_check, tables, settings, url, near)
    with at_work(named, progress, check) as ports:
        if runs.active is not None:
            runs.active.is_study = True
        plan = plan_study(tables, settings, ports, url, near)
        if not url:
            folders.note(plan.study.folder)
        result = run_study(plan, ports)
    runs.end(result.is_interrupted)
    return result


def _check(tables: Tables, settings: TuneSettings, url: str, near: Path | None, ports: Ports) -> None:
    check_all(tables, settings, ports, url, near)
