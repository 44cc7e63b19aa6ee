"""What the tab Train Tuning does: the job of a study, the studies on the disk, and what is taken from one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules import shared

from ....hypernetworks.base.atomic import write_bytes
from ....hypernetworks.base.errors import SettingsError
from ....hypernetworks.train.settings.job import Job
from ....hypernetworks.tuning import Study, TuneSettings, open_kept
from ....hypernetworks.tuning.answer import TABLE, Answer
from ....hypernetworks.tuning.kept import ENDING
from ....hypernetworks.tuning.space.originals import file_choices
from ....hypernetworks.tuning.space.reading import parse
from ....hypernetworks.tuning.stores import FILE
from ....hypernetworks.tuning.trials import Trial
from ...embedding import words
from ...model import host
from ...runs import folders
from ...runs.job import job_from, run_name

#: Studies in shared databases, whose addresses are kept nowhere, by their folders, as long as this process runs.
_shared: dict[Path, Study] = {}


def tables_of(form: dict[str, Any], settings: TuneSettings) -> dict[str, Any]:
    """Return the tables of the job that a study tries other settings of.

    It is what the form of Train Gamma has. Where the shape of a network is tried, or creation files are, each trial
    makes a new network, and the chosen one gives nothing but its name.

    Raises:
        SettingsError: names the field.
    """
    makes_new = bool(settings.creation_files) or any(
        one.address.startswith("network.") for one in parse(settings.ranges)
    )
    if not makes_new:
        return job_from(form).to_mapping()
    # As in a direct run, the network that is chosen names the result where nothing else does.
    tables = {**form, "network": {}, "output": {**form["output"], "name": run_name(form)}}
    Job.from_mapping(tables)
    return tables


def check_files(settings: TuneSettings) -> None:
    """Raise SettingsError where a file of the original extension that is to be tried cannot be read."""
    file_choices(settings, [host.network_dir(), Path.cwd()])


def note(study: Study, url: str) -> None:
    """Note a study that was worked at: where it is in a shared database, this process alone knows how to read it."""
    if url:
        _shared[study.folder.absolute()] = study


def studies() -> dict[str, Path]:
    """Return the folder of each study of this machine by what it is called, the one that was changed last first.

    A study in the host's folder of logs is called by its name, any other by its folder.
    """
    places = {path: when for path in [*folders.found(), *_shared] if (when := _changed(path)) is not None}
    return {called(path): path for path in sorted(places, key=lambda path: places[path], reverse=True)}


def _changed(folder: Path) -> float | None:
    """Return when the study in a folder was changed; None where there is none."""
    try:
        return (folder / (TABLE if folder in _shared else FILE)).stat().st_mtime
    except OSError:
        return None


def called(folder: Path) -> str:
    """Return what the study in a folder is called."""
    folder = folder.absolute()
    return folder.name.removesuffix(ENDING) if folder.parent == folders.log_dir() else str(folder)


def answer_of(name: str) -> Answer:
    """Return the answer of a study; raises SettingsError where none is chosen, and StudyError where it is gone."""
    folder = studies().get(name)
    if folder is None:
        raise SettingsError("Study", "choose a study first")
    return Answer.of(_shared.get(folder) or open_kept(folder))


def trial_of(answer: Answer, words: str) -> Trial:
    """Return a trial of a study by what the list says of it; raises SettingsError where none is chosen."""
    found = next((trial for trial in answer.ranked if _words(trial) == words), None)
    if found is None:
        raise SettingsError("Trial", "choose a trial first")
    return found


def trials(answer: Answer) -> list[str]:
    """Return number and values of each trial that has values, the best first."""
    return list(map(_words, answer.ranked))


def take_results(answer: Answer, trial: Trial) -> list[Path]:
    """Copy the network of a trial to the host's networks, and its embeddings to the host's, under names that are free.

    Returns:
        The copies.

    Raises:
        SettingsError: another machine has them.
        HypernetworkFileError: the disk refuses one.
    """
    job, sources = answer.study.job(trial), answer.study.results_of(trial)
    for source in sources:
        if not source.is_file():
            raise SettingsError(
                "Trial", f"{source.name} is not in {source.parent}; another machine may have trained it"
            )
    folders = [host.network_dir()] * job.embedding.trains_network + [words.embedding_dir()] * len(job.words)
    copies = [_copied(source, folder) for source, folder in zip(sources, folders, strict=True)]
    shared.reload_hypernetworks()
    words.list_again(job)
    return copies


def _copied(source: Path, folder: Path) -> Path:
    name = source.stem
    names = itertools.chain([name], (f"{name} {number}" for number in itertools.count(2)))
    path = next(path for one in names if not (path := folder / f"{one}.pt").exists())
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(path, source.read_bytes())
    return path


def new_shape(settings: Mapping[str, Any]) -> str:
    """Return the settings of a new network among those of a trial, in words; empty where there are none."""
    shape = {key.partition(".")[2]: value for key, value in settings.items() if key.startswith("network.") and value}
    return ", ".join(f"{key} = {value}" for key, value in shape.items())


def _words(trial: Trial) -> str:
    return f"{trial.number + 1}: {', '.join(f'{value:.4g}' for value in trial.values)}"
