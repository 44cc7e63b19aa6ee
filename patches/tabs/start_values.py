"""The initial values of the forms: those of the job file named on the command line, else the defaults."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from modules import shared

from ...hypernetworks.base.errors import WorkbenchError
from ...hypernetworks.base.paths import read_path
from ...hypernetworks.data.buckets import BUCKETS
from ...hypernetworks.pages.recorded import JobForm
from ...hypernetworks.train.settings.job import OTHER_NAMES, SECTIONS, Job
from ...hypernetworks.train.settings.job_file import read_tables

#: Initial values that differ from the defaults of a job file: pictures are not cropped unless somebody chooses that.
NEW: dict[str, dict[str, Any]] = {"data": {"framing": BUCKETS}}
#: What pages need to show the settings in a file as the form does.
JOB_FORM = JobForm(SECTIONS, NEW, OTHER_NAMES)
_log = logging.getLogger(__name__)


def tables() -> dict[str, dict[str, Any]]:
    """Return values by section and name. If the job file cannot be read, that is logged and the defaults are used."""
    path = getattr(shared.cmd_opts, "hnw_job", None)
    values: dict[str, dict[str, Any]] = {name: dict(NEW.get(name, {})) for name in SECTIONS}
    if not path:
        return values
    try:
        read = {name: table for name, table in read_tables(Path(read_path(path))).items() if name in SECTIONS}
        values.update(Job.from_mapping(read).to_mapping())
    except WorkbenchError as error:
        _log.warning("The forms start with their defaults, --hnw-job was not used: %s", error)
    return values
