"""The plan of a study: everything is read and checked, and it is known to be the study that is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..base.errors import ErrorCollector, SettingsError
from ..ports import Ports
from ..train import TrainingPlan, make_plan
from ..train.settings.job import SECTIONS, Job
from ..train.tracking import sheet
from .brain import Brain
from .definition import Definition
from .judge import Measures
from .kept import ENDING, Study, Tables, trial_tables
from .space import Space
from .space.originals import file_choices
from .space.reading import parse
from .space.settings import NONE, STYLE, VALIDATION, TuneSettings
from .stores import mark_of, open_store
from .style import StyleMeasure


@dataclass(frozen=True)
class StudyPlan:
    """What a worker does.

    Attributes:
        study: what it works at.
        brain: chooses what is tried.
        measures: tell what is best.
        style: returns the measure of pictures, once those of the dataset are encoded; None where none are judged.
        most_steps: the steps of all trials after which none begins; 0 where there is no such limit.
    """

    study: Study
    brain: Brain
    measures: Measures
    style: Callable[[], StyleMeasure] | None
    most_steps: int


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
    space = _space(settings, ports, near)
    check(job, settings, space)
    brain = Brain(settings, space)
    name, folder = job.output.name, _folder(job, ports, url)
    base = make_plan(Job.from_mapping(trial_tables(tables, {}, name, folder)), ports)
    plain = {section: dict(table) for section, table in tables.items() if section in SECTIONS}
    definition = Definition.of(plain, settings, space, base.origin)
    store = open_store(url, folder, name, space, len(settings.objectives))
    Definition.read(store.define(definition.text())).check(definition, name)
    study = Study(name, plain, settings, space, store, folder)
    measures = Measures(
        objectives=settings.objectives,
        style=None,
        prompts=tuple(sheet.requests(base.job, base.dataset, base.previews)) if job.output.sheet else (),
        prunes=settings.pruning != NONE,
    )
    style = _style_of(base, settings, ports) if STYLE in settings.objectives else None
    return StudyPlan(study, brain, measures, style, settings.most_steps(base.steps_per_epoch))


def check_all(tables: Tables, settings: TuneSettings, ports: Ports, url: str = "", near: Path | None = None) -> None:
    """Raise what `plan_study` would, as far as that can be told without opening the study, all of it at once."""
    job, errors = Job.from_mapping(tables), ErrorCollector()
    with errors:
        space = _space(settings, ports, near)
        check(job, settings, space)
        Brain(settings, space)
    with errors:
        make_plan(Job.from_mapping(trial_tables(tables, {}, job.output.name, _folder(job, ports, url))), ports)
    errors.raise_all()


def _space(settings: TuneSettings, ports: Ports, near: Path | None) -> Space:
    folders = [ports.network_dir, *([near] if near else []), Path.cwd()]
    return Space((*file_choices(settings, folders), *parse(settings.ranges)))


def _folder(job: Job, ports: Ports, url: str) -> Path:
    parent = Path(job.output.dir) if job.output.dir else ports.log_dir
    return parent / f"{job.output.name}{mark_of(url)}{ENDING}"


def check(job: Job, settings: TuneSettings, space: Space) -> None:
    """Raise SettingsError where a job cannot be tried as the settings say, whatever its files hold."""
    if VALIDATION in settings.objectives and not job.validates:
        raise SettingsError(
            "train.validation_share",
            "is 0, but the trials are judged by validation loss; hold out a share such as 0.2, name a "
            "data.validation_folder, or judge by style distance",
        )
    for one in space.parameters:
        _check_trained(job, one.address)
    shapes = [one.address for one in space.parameters if one.address.startswith("network.")]
    if shapes and job.network.file and "network.file" not in shapes:
        reason = f"names a network, whose shape is what it is; leave it empty to try {', '.join(shapes)}"
        raise SettingsError("network.file", reason)


def _check_trained(job: Job, address: str) -> None:
    """Raise SettingsError where a setting is tried of what is not trained."""
    embedding, section = job.embedding, address.partition(".")[0]
    if section == "embedding" and not embedding.trains_words:
        raise SettingsError(address, "is tried, but no embedding is trained; choose one in embedding.trains")
    if section == "network" and not embedding.trains_network:
        raise SettingsError(address, "is tried, but no network is trained; choose both in embedding.trains")
    if section == "schedule" and "schedule.rate" not in embedding.rates:
        raise SettingsError(address, "is not used, as the embedding has a rate of its own; try embedding.rate")


def _style_of(base: TrainingPlan, settings: TuneSettings, ports: Ports) -> Callable[[], StyleMeasure]:
    request = replace(base.previews[0], seed=base.job.preview.preview_seed)
    return partial(StyleMeasure.of, base.dataset, request, settings.pictures, ports, base.cache)
