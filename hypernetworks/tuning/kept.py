"""A study as it is kept: what it is made of, its trials, and their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..train.paths import OutputPaths
from ..train.settings.job import EmbeddingSettings, Job
from .definition import Definition
from .local_store import LocalStore
from .space import Space
from .space.originals import CREATION, TRAINING
from .space.settings import TuneSettings
from .stores import FILE
from .trials import Store, StudyError, Trial

ENDING = "-tuning"
Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        name: its trials are numbered after it.
        tables: the job without what is tried.
        folder: the networks, logs and pictures of this machine's trials.
    """

    name: str
    tables: Tables
    settings: TuneSettings
    space: Space
    store: Store
    folder: Path

    def name_of(self, trial: Trial) -> str:
        """Return the name of the network of a trial; with the original's files alone, the name that it gives.

        Trials of one combination have other names: their numbers.
        """
        if self.settings.only_files and trial.point:
            files = {one.address: one.points(0) for one in self.space.parameters}
            first, second = (files[one].index(trial.point[one]) if one in files else 0 for one in (CREATION, TRAINING))
            if trial.number == first * len(files.get(TRAINING, [None])) + second:
                return f"{self.name}_{first}_{second}"
        return f"{self.name}-{trial.number + 1:03d}"

    def folder_of(self, trial: Trial) -> Path:
        """Return the folder of a trial's log and pictures."""
        name = self.name_of(trial)
        return _place(self.tables, name, self.folder) / name

    def results_of(self, trial: Trial) -> tuple[Path, ...]:
        """Return the files of what a trial has trained: a network, embeddings, or both, the network first."""
        job = self.job(trial)
        return OutputPaths.at(job, self.folder, self.folder, is_resumed=True).results

    def network_of(self, trial: Trial) -> Path:
        """Return the first file of what a trial has trained."""
        return self.results_of(trial)[0]

    def settings_of(self, trial: Trial) -> dict[str, Any]:
        """Return the settings that a trial tries, by `section.key`; none before they are chosen."""
        return self.space.settings(trial.point) if trial.point else {}

    def job(self, trial: Trial) -> Job:
        """Return the job of a trial; raises SettingsError where its settings do not go together."""
        return Job.from_mapping(trial_tables(self.tables, self.settings_of(trial), self.name_of(trial), self.folder))

    def taken(self, trial: Trial) -> Job:
        """Return the job with the settings of a trial, for a run of its own; raises SettingsError."""
        tables = {section: dict(table) for section, table in self.tables.items()}
        _put(tables, self.settings_of(trial))
        return Job.from_mapping(tables)


def open_kept(folder: Path) -> Study:
    """Return the study that is kept in a folder.

    Raises:
        StudyError: there is none, or none of this version.
    """
    if not (folder / FILE).is_file():
        raise StudyError(f"there is no study in {folder}")
    store = LocalStore(folder / FILE)
    definition = Definition.read(store.define(""))
    settings = TuneSettings.from_mapping(definition.tune)
    name = folder.name.removesuffix(ENDING)
    return Study(name, definition.tables, settings, definition.read_space(), store, folder)


def trial_tables(tables: Tables, settings: Mapping[str, Any], name: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Return the tables of a job with other settings, and with results of their own."""
    made = {section: dict(table) for section, table in tables.items()}
    place = str(_place(tables, name, folder))
    own = {"output.name": name, "output.dir": place, "output.overwrite": True, "output.sheet": False}
    named_by_trial = {"output.file_form": ".pt", "output.log_run": "", "output.huggingface_repo": ""}
    words = _words(tables)
    _put(made, {**settings, **own, **named_by_trial, **({"embedding.names": words} if words else {})})
    return made


def _place(tables: Tables, name: str, folder: Path) -> Path:
    """Return the folder for what a trial trains; words have the same names in all of them."""
    return folder / name if _words(tables) else folder


def _words(tables: Tables) -> str:
    """Return the words that a job trains as its settings have them, since captions hold them; empty for none."""
    embedding = EmbeddingSettings.from_mapping(tables.get("embedding") or {})
    if not embedding.trains_words:
        return ""
    return ", ".join(embedding.listed) or str((tables.get("output") or {}).get("name", ""))


def _put(tables: dict[str, dict[str, Any]], settings: Mapping[str, Any]) -> None:
    for address, value in settings.items():
        section, _, key = address.partition(".")
        tables.setdefault(section, {})[key] = value
