"""The plan of a study: everything is read and checked, and it is known to be the study that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..base.errors import SettingsError
from ..ports import Ports
from ..train import TrainingPlan, make_plan
from ..train.settings.job import SECTIONS, Job
from ..train.tracking import sheet
from .brain import Brain
from .definition import Definition
from .judge import Measures
from .originals import CREATION, TRAINING, file_choices
from .reading import parse
from .settings import NONE, STYLE, VALIDATION, TuneSettings
from .space import Space
from .stores import open_store
from .style import StyleMeasure
from .trials import Store, Trial

_FOLDER = "{}-tuning"
Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class StudyPlan:
    """What a study is made of, and where it is kept.

    Attributes:
        name: of the study; its trials are numbered after it.
        tables: the job without what is tried.
        folder: the networks, logs and pictures of this machine's trials.
    """

    name: str
    tables: Tables
    settings: TuneSettings
    space: Space
    brain: Brain
    measures: Measures
    store: Store
    folder: Path

    def name_of(self, trial: Trial) -> str:
        """Return the name of the network of a trial; with the original's files alone, the name that it gives."""
        files = [one for one in self.space.parameters if one.address in (CREATION, TRAINING)]
        if len(files) == len(self.space):
            places = {one.address: one.points(0).index(trial.point[one.address]) for one in files}
            return f"{self.name}_{places.get(CREATION, 0)}_{places.get(TRAINING, 0)}"
        return f"{self.name}-{trial.number + 1:03d}"

    def folder_of(self, trial: Trial) -> Path:
        """Return the folder of a trial's log and pictures."""
        return self.folder / self.name_of(trial)

    def network_of(self, trial: Trial) -> Path:
        """Return the file of a trial's network."""
        return self.folder / f"{self.name_of(trial)}.pt"

    def job(self, trial: Trial) -> Job:
        """Return the job of a trial; raises SettingsError where its settings do not go together."""
        return Job.from_mapping(
            _trial_tables(self.tables, self.space.settings(trial.point), self.name_of(trial), self.folder)
        )


def plan_study(
    tables: Tables, settings: TuneSettings, ports: Ports, url: str = "", near: Path | None = None
) -> StudyPlan:
    """Return the plan of the study of a job, new or to go on with.

    Args:
        tables: of a job file, without `[tune]`.
        url: address of a database that several machines share; empty: a file in the folder of the study.
        near: folder in which files of settings are looked for too, by their names.

    Raises:
        SettingsError: a setting, or one to try, is wrong; all of them at once.
        DatasetError: pictures or captions cannot be read.
        StudyError: there is a study of this name that is something else, or its database cannot be used.
    """
    job = Job.from_mapping(tables)  # what is wrong without the study is told first
    folders = [ports.network_dir, *([near] if near else []), Path()]
    space = Space((*file_choices(settings, folders), *parse(settings.ranges)))
    _check(job, settings, space)
    brain = Brain(settings, space)
    name = job.output.name
    folder = (Path(job.output.dir) if job.output.dir else ports.log_dir) / _FOLDER.format(name)
    base = make_plan(Job.from_mapping(_trial_tables(tables, {}, name, folder)), ports)
    plain = {section: dict(table) for section, table in tables.items() if section in SECTIONS}
    definition = Definition.of(plain, settings, space, base.origin)
    store = open_store(url, folder, name, space, len(settings.objectives))
    Definition.read(store.define(definition.text())).check(definition, name)
    return StudyPlan(
        name=name,
        tables=plain,
        settings=settings,
        space=space,
        brain=brain,
        measures=_measures(base, settings, ports, has_sheet=job.output.sheet),
        store=store,
        folder=folder,
    )


def _check(job: Job, settings: TuneSettings, space: Space) -> None:
    if VALIDATION in settings.objectives and not job.train.validation_share:
        reason = f"is 0, but the trials are judged by {VALIDATION}; hold out a share such as 0.2, or judge by {STYLE}"
        raise SettingsError("train.validation_share", reason)
    shapes = [one.address for one in space.parameters if one.address.startswith("network.")]
    if shapes and job.network.file and "network.file" not in shapes:
        reason = f"names a network, whose shape is what it is; leave it empty to try {', '.join(shapes)}"
        raise SettingsError("network.file", reason)


def _trial_tables(tables: Tables, settings: Mapping[str, Any], name: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Return the tables of a job with other settings, and with results of their own."""
    made = {section: dict(table) for section, table in tables.items()}
    own = {"output.name": name, "output.dir": str(folder), "output.overwrite": True, "output.sheet": False}
    for address, value in {**settings, **own}.items():
        section, _, key = address.partition(".")
        made.setdefault(section, {})[key] = value
    return made


def _measures(base: TrainingPlan, settings: TuneSettings, ports: Ports, has_sheet: bool) -> Measures:
    style = None
    if STYLE in settings.objectives:
        request = replace(base.previews[0], seed=base.job.preview.preview_seed)
        style = StyleMeasure.of(base.dataset, request, settings.pictures, ports, base.cache)
    return Measures(
        objectives=settings.objectives,
        style=style,
        prompts=tuple(sheet.requests(base.job, base.dataset, base.previews)) if has_sheet else (),
        prunes=settings.pruning != NONE,
    )
