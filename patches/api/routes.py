"""What each route of the HTTP API does: the same functions as the tabs and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from modules import shared

from ...hypernetworks import report
from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.base.options import convert
from ...hypernetworks.base.outside import shown
from ...hypernetworks.files.create import create_file
from ...hypernetworks.files.listing import is_composition
from ...hypernetworks.jobs.json_schema import plain
from ...hypernetworks.jobs.path_limits import confined
from ...hypernetworks.merge.method import METHODS
from ...hypernetworks.merge.saving import ResultSettings
from ...hypernetworks.merge.settings import MergeSettings
from ...hypernetworks.train.settings.job import SECTIONS, CreateSettings, Job
from ..model import host
from ..runs import training
from ..runs.job import job_from
from ..runs.run import Run, runs
from ..tabs.inspect import work
from ..tabs.merge import compositions
from ..tabs.merge import work as merging
from .access import error_body, not_found
from .body import Body, data_roots, only, output_roots


def create(body: Body) -> dict[str, Any]:
    """Make a new network and its file."""
    settings = CreateSettings.from_mapping(body)
    path = create_file(settings, () if settings.widths else host.model_widths(), host.network_dir())
    shared.reload_hypernetworks()
    return _listed(path)


def train(body: Body) -> dict[str, Any]:
    """Start a run."""
    training.require_training()
    return _shown(training.start(_job(body)))


def resume(body: Body) -> dict[str, Any]:
    """Continue a run from its last saved state: one of this process by its id, or any by its job."""
    training.require_training()
    changes = dict(body)
    id_ = changes.pop("run", None)
    if id_ is None:
        return _shown(training.start(_job(changes), resume=True))
    earlier = _run(id_)
    if earlier.job is None:
        raise not_found(f"the run {id_} had no job")
    tables = earlier.job.to_mapping()
    confined_changes = confined(changes, data_roots(), output_roots())
    for section, table in confined_changes.items():
        if not isinstance(table, Mapping):
            raise SettingsError(section, "must be a table of settings")
        if "file" in table and section == "network":
            raise SettingsError("network.file", "is that of the run; leave it out")
        tables[section] = {**tables.get(section, {}), **table}
    return _shown(training.start(Job.from_mapping(tables), resume=True))


def status(_body: Body, run: str | None = None) -> dict[str, Any]:
    """Report the progress of a run; without an id, of the active run and those before it."""
    if run is not None:
        return _shown(_run(run))
    active = runs.active
    return {"active": _shown(active) if active else None, "runs": [_shown(one) for one in runs.known()]}


def interrupt(body: Body) -> dict[str, Any]:
    """Stop the active run after its current step; it saves first."""
    only(body, {"run"})
    wanted, active = body.get("run"), runs.active
    if wanted is not None:
        _run(wanted)
    if active is None or (wanted is not None and active.id != wanted):
        raise not_found("no such run is going on")
    training.interrupt()
    return _shown(active)


def pause(body: Body) -> dict[str, Any]:
    """Let the active run stand aside after its step, so that others can use the model, until it is to go on."""
    only(body, set())
    return _going_on(training.pause())


def go_on(body: Body) -> dict[str, Any]:
    """Let a run that stands aside go on."""
    only(body, set())
    return _going_on(training.go_on())


def save(body: Body) -> dict[str, Any]:
    """Save a copy of the active run after its step."""
    only(body, set())
    _going_on(runs.active)
    return {"file": training.save_now().name}


def preview(body: Body) -> dict[str, Any]:
    """Make a picture with the active run after its step."""
    only(body, {"prompt"})
    prompt = convert("prompt", body.get("prompt", ""), str)
    _going_on(runs.active)
    return {"file": training.preview_now(prompt).name}


def _going_on(run: Run | None) -> dict[str, Any]:
    if run is None:
        raise not_found("no run is going on")
    return _shown(run)


def listing(_body: Body) -> dict[str, Any]:
    """List all networks and compositions under the names that the host gives them."""
    shared.reload_hypernetworks()
    return {"networks": [_listed(Path(path), name) for name, path in shared.hypernetworks.items()]}


def inspect(_body: Body, name: str = "") -> dict[str, Any]:
    """Describe what is in the file of a network."""
    path = work.network_path(name, "name")
    described = plain(report.describe(path))
    return {**described, "path": path.name, "name": name}


def merge(body: Body) -> dict[str, Any]:
    """Merge networks into one file."""
    known = {one.name: one.default for kind in (MergeSettings, ResultSettings) for one in fields(kind)}
    only(body, set(known))
    values = {**known, **body}
    for name in ("method", "name", *(key for key in known if key.startswith("network_"))):
        values[name] = convert(name, values[name], str)
    if values["method"] in METHODS:
        values["method"] = METHODS[values["method"]].label
    elif "method" in body:
        raise SettingsError("method", f"must be one of {', '.join(METHODS)}, not {shown(values['method'])}")
    merged = merging.merge_files(values)
    return {**_listed(merged.path), "method": merged.method, "differences": plain(merged.differences)}


def compose(body: Body) -> dict[str, Any]:
    """Write a composition as a `.hns` file or, where that is exact, as one network."""
    known = {one.name: one.default for one in fields(ResultSettings)}
    only(body, {*known, "text", "one_file"})
    values = {**known, **body}
    is_one = convert("one_file", values.pop("one_file", False), bool)
    values["text"] = convert("text", values.get("text", ""), str)
    if is_one:
        return _listed(compositions.write_one(values)[0])
    return _listed(compositions.write_hns(values))


def _job(body: Body) -> Job:
    """Return the job of a request: its network by name or a new one, its paths inside the folders meant for them."""
    tables = confined(body, data_roots(), output_roots())
    network = tables.get("network", {})
    if not (isinstance(network, Mapping) and network.get("file")):
        return Job.from_mapping(tables)
    filled = {name: tables.get(name, {}) for name in SECTIONS} | tables
    for name, table in filled.items():
        if not isinstance(table, Mapping):
            raise SettingsError(name, "must be a table of settings")
    filled["network"] = {**network, "file": convert("network.file", network["file"], str)}
    output = {"name": "", "overwrite": False, **filled["output"]}
    output["name"] = convert("output.name", output["name"], str)
    output["overwrite"] = convert("output.overwrite", output["overwrite"], bool)
    return job_from({**filled, "output": output})


def _run(id_: Any) -> Run:
    found = runs.get(id_) if isinstance(id_, str) else None
    if found is None:
        raise not_found("there is no run of this id")
    return found


def _shown(run: Run) -> dict[str, Any]:
    answer = {name: getattr(run, name) for name in ("name", "state", "done", "total", "text", "started", "ended")}
    result = run.result
    made = (
        {one.name: plain(getattr(result, one.name)) for one in fields(result) if one.name != "chart"}
        if result
        else None
    )
    problem = error_body(run.problem) if run.problem else None
    if run.state == "failed" and problem is None:
        problem = {"error": "the run ended with an error; the host's console has it", "field": None}
    return {"run": run.id, **answer, "problem": problem, "result": made}


def _listed(path: Path, name: str | None = None) -> dict[str, Any]:
    try:
        size: int | None = path.stat().st_size
    except OSError:
        size = None  # deleted since it was listed
    kind = "composition" if is_composition(path) else "network"
    return {"name": name or work.name_of(path) or path.stem, "file": path.name, "kind": kind, "bytes": size}
