"""What the routes of the queue do: the same functions as the tab and the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modules import shared

from ...hypernetworks.base.errors import NumberError, SettingsError
from ...hypernetworks.base.numbers import read_whole
from ...hypernetworks.base.options import convert, to_bool
from ...hypernetworks.base.outside import is_file, shown
from ...hypernetworks.files import listing as networks
from ...hypernetworks.jobs.json_schema import plain
from ...hypernetworks.jobs.path_limits import confined, inside
from ...hypernetworks.queue import KINDS, Entry, Queue, job_of, own_sections
from ...hypernetworks.queue.estimates import Estimate, estimates
from ...hypernetworks.queue.kinds.tune import NEAR
from ...hypernetworks.queue.store import MOVES
from ...hypernetworks.train.settings.job import SECTIONS
from ...hypernetworks.tuning.space import TuneSettings, place_paths
from ...hypernetworks.tuning.space.originals import file_choices
from ...hypernetworks.tuning.space.settings import SECTION as TUNE
from ..model import host, lookup
from ..queue import place
from ..queue.adding import add as add_job
from ..queue.adding import ask
from ..runs.job import job_from, missing_network
from .body import Body, data_roots, only, output_roots

_JOB = {"type": "integer", "description": "Number of a job, as the list gives it."}
_FILES = ("creation_files", "training_files")
_NOTHING = Estimate(None, None)


def listing(_body: Body) -> dict[str, Any]:
    """List the jobs of the queue: the open ones in their order, then those that are over."""
    queue = place.queue()
    entries = queue.entries()
    expected = estimates(entries)
    shown = [_shown(one, expected.get(one.id, _NOTHING)) for one in entries]
    return {"held": queue.is_held, "lets_in": place.lets_in(), "jobs": shown}


def add(body: Body) -> dict[str, Any]:
    """Add a job."""
    only(body, {"kind", "settings", "after"})
    kind, settings = convert("kind", body.get("kind", "train"), str), body.get("settings", {})
    if not isinstance(settings, Mapping):
        raise SettingsError("settings", "must be a table of settings")
    after = None if body.get("after") is None else _number("after", body["after"])
    return _shown(add_job(job_of(kind, _within(settings)), after), _NOTHING)


def move(body: Body) -> dict[str, Any]:
    """Move a job in the order."""
    only(body, {"job", "where"})
    where = convert("where", body.get("where", ""), str)
    return _asked(body, lambda queue, id_: queue.move(id_, where))


def put_after(body: Body) -> dict[str, Any]:
    """Let a job begin when another one is done; without one in its turn."""
    only(body, {"job", "after"})
    after = None if body.get("after") is None else _number("after", body["after"])
    return _asked(body, lambda queue, id_: queue.put_after(id_, after))


def act_of(act: Callable[[Queue, int], None], what: str) -> Callable[[Body], dict[str, Any]]:
    """Return what a route does that asks this of one job."""

    def work(body: Body) -> dict[str, Any]:
        only(body, {"job"})
        return _asked(body, act)

    work.__doc__ = what
    return work


def remove(body: Body) -> dict[str, Any]:
    """Delete a job that is not at work."""
    only(body, {"job"})
    id_ = _number("job", body.get("job"))
    ask(Queue.remove, id_)
    return {"removed": id_}


def settings(body: Body) -> dict[str, Any]:
    """Let no job begin (held), or let others have their turn between steps too (lets_in)."""
    only(body, {"held", "lets_in"})
    if "lets_in" in body:
        place.set_lets_in(convert("lets_in", body["lets_in"], str))
    if "held" in body:
        is_held = to_bool("held", body["held"])
        ask(Queue.hold, is_held)
    return {"held": place.queue().is_held, "lets_in": place.lets_in()}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of the body of each route that takes one, by the end of its path."""
    job = {"type": "object", "properties": {"job": _JOB}, "required": ["job"]}
    return {
        "add": {
            "type": "object",
            "properties": {
                "kind": {"type": "string", "enum": list(KINDS), "default": "train"},
                "settings": {"type": "object", "description": "The tables of its job file."},
                "after": {**_JOB, "description": "The job that has to be done before."},
            },
        },
        "move": {**job, "properties": {"job": _JOB, "where": {"type": "string", "enum": list(MOVES)}}},
        "after": {**job, "properties": {"job": _JOB, "after": _JOB}},
        "job": job,
        "settings": {
            "type": "object",
            "properties": {
                "held": {"type": "boolean"},
                "lets_in": {"type": "string", "enum": list(place.LETS_IN)},
            },
        },
    }


def _within(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables whose paths are inside the folders meant for them, and whose network is one of the host's list."""
    kinds = {**SECTIONS, **own_sections()}
    tables = {
        **settings,
        **confined({k: v for k, v in settings.items() if k in kinds}, data_roots(), output_roots(), kinds),
    }
    if NEAR in tables:
        raise SettingsError(NEAR, "is for job files; name files in the folder of networks, or of datasets")
    place_paths(tables, _placed)
    _confine_files(tables)
    network = tables.get("network")
    if not (isinstance(network, Mapping) and network.get("file")):
        return tables
    output = tables.get("output", {})
    named = {
        "network": {**network, "file": convert("network.file", network["file"], str)},
        "output": {"name": "", "overwrite": False, **(output if isinstance(output, Mapping) else {})},
    }
    job = job_from({**{name: {} for name in SECTIONS}, **{k: tables[k] for k in SECTIONS if k in tables}, **named})
    return {**tables, **job.to_mapping()}


def _placed(section: str, key: str, value: Any) -> Any:
    """Return a value to try, a path inside the folders meant for it, or the network of the host's list."""
    if (section, key) != ("network", "file"):
        return confined({section: {key: value}}, data_roots(), output_roots())[section][key]
    name = networks.meant(lookup.listed(value), value) if isinstance(value, str) else value
    if name not in shared.hypernetworks:
        raise SettingsError("network.file", missing_network(shown(name)))
    return shared.hypernetworks[name]


def _confine_files(tables: dict[str, Any]) -> None:
    """Let the files of settings of a study lie in the folder of networks or in one for datasets, and what they name."""
    tune = tables.get(TUNE)
    if not isinstance(tune, Mapping):
        return
    roots = [host.network_dir(), *data_roots()]
    for key in _FILES:
        if isinstance(tune.get(key), str):
            names = [name.strip() for name in tune[key].split(",")]
            tune = {**tune, key: ",".join(_inside(name, f"{TUNE}.{key}", roots) if name else "" for name in names)}
    tables[TUNE] = tune
    files = {key: tune[key] for key in _FILES if tune.get(key)}
    for choice in file_choices(TuneSettings.from_mapping(files), roots) if files else ():
        for name, overlay in zip(choice.values, choice.overlays, strict=True):
            _confine_named(choice.address, name, overlay)


def _inside(name: str, field: str, roots: Sequence[Path]) -> str:
    """Return the path of a file of settings, which may be named without its ending; raises SettingsError."""
    path = inside(name, field, roots)
    return path if is_file(Path(path)) else inside(f"{path}.json", field, roots)


def _confine_named(field: str, file: str, settings: Mapping[str, Any]) -> None:
    """Raise SettingsError where a file of settings names a path outside the folders meant for it."""
    for address, value in settings.items():
        section, _, key = address.partition(".")
        try:
            confined({section: {key: value}}, data_roots(), output_roots())
        except SettingsError as error:
            raise SettingsError(field, f"{Path(file).name} names {address}, which {error.reason}") from error


def _asked(body: Body, act: Callable[[Queue, int], None]) -> dict[str, Any]:
    id_ = _number("job", body.get("job"))
    ask(act, id_)
    return _shown(place.queue().get(id_), _NOTHING)


def _number(name: str, value: Any) -> int:
    try:
        return read_whole(value)
    except NumberError as error:
        raise SettingsError(name, str(error)) from error


def _shown(entry: Entry, expected: Estimate) -> dict[str, Any]:
    left_out = ("tables", "memo", "owner", "beat", "place")
    shown = {name: plain(value) for name, value in asdict(entry).items() if name not in left_out}
    return {**shown, "begins_s": expected.begins_s, "takes_s": expected.takes_s}
