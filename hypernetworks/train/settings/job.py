"""Every setting of a training job, declared once. The form, the job file, the log and the metadata derive from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from ...base.errors import ScheduleError, SettingsError, raise_all
from ...base.intervals import counts_epochs
from ...base.options import Settings, read_sections, take
from ...base.suggestions import meant, or_known
from ...data.settings import DataSettings
from ...data.source import of_held_out
from ...network.settings import CreateSettings, NetworkSettings, ShapeSettings
from ..optim.schedules import Schedule, StepSchedule, parse
from .embedding import BOTH, EmbeddingSettings
from .loss import LossSettings
from .model import ModelSettings
from .optimizer import OptimizerSettings
from .output import OutputSettings, PreviewSettings
from .schedule import ScheduleSettings
from .training import TrainSettings

__all__ = [
    "SECTIONS",
    "CreateSettings",
    "DataSettings",
    "EmbeddingSettings",
    "Job",
    "LossSettings",
    "ModelSettings",
    "NetworkSettings",
    "OptimizerSettings",
    "OutputSettings",
    "PreviewSettings",
    "ScheduleSettings",
    "ShapeSettings",
    "TrainSettings",
]


SECTIONS: dict[str, type[Settings]] = {
    "network": NetworkSettings,
    "data": DataSettings,
    "optimizer": OptimizerSettings,
    "schedule": ScheduleSettings,
    "loss": LossSettings,
    "train": TrainSettings,
    "preview": PreviewSettings,
    "output": OutputSettings,
    "embedding": EmbeddingSettings,
    "model": ModelSettings,
}


#: Where a job has what other trainers and people call by these names.
OTHER_NAMES = {
    "learning_rate": "schedule.rate",
    "lr": "schedule.rate",
    "unet_lr": "schedule.rate",
    "lr_warmup_steps": "schedule.warmup",
    "optimizer_type": "optimizer.name",
    "optimizer_args": "optimizer.arguments",
    "max_grad_norm": "optimizer.clip_limit",
    "steps": "train.max_steps",
    "max_train_steps": "train.max_steps",
    "max_train_epochs": "train.max_steps",
    "gradient_accumulation_steps": "train.gradient_accumulation",
    "gradient_checkpointing": "train.checkpointing",
    "mixed_precision": "train.precision",
    "train_data_dir": "data.folder",
    "image_dir": "data.folder",
    "reg_data_dir": "data.regularisation_folder",
    "in_json": "data.metadata_file",
    "train_batch_size": "data.batch_size",
    "num_repeats": "data.repeats",
    "shuffle_caption": "data.shuffle_tags",
    "keep_tokens": "data.keep_tags",
    "keep_tokens_separator": "data.keep_separator",
    "caption_separator": "data.tag_separator",
    "caption_dropout_rate": "data.caption_dropout",
    "caption_dropout_every_n_epochs": "data.caption_dropout_every",
    "caption_tag_dropout_rate": "data.tag_dropout",
    "flip_aug": "data.flip",
    "min_bucket_reso": "data.min_side",
    "max_bucket_reso": "data.max_side",
    "bucket_reso_steps": "data.bucket_step",
    "prior_loss_weight": "data.regularisation_weight",
    "loss_type": "loss.kind",
    "lr_scheduler": "schedule.kind",
    "lr_scheduler_args": "schedule.arguments",
    "lr_scheduler_num_cycles": "schedule.cycles",
    "output_name": "output.name",
    "save_precision": "output.precision",
    "save_model_as": "output.file_form",
    "logging_dir": "output.log_dir",
    "log_tracker_name": "output.log_project",
    "wandb_run_name": "output.log_run",
    "huggingface_repo_id": "output.huggingface_repo",
    "output_dir": "output.dir",
    "save_every_n_steps": "output.save_every",
    "sample_every_n_steps": "preview.every",
    "sample_prompts": "preview.prompt_file",
    "sample_sampler": "preview.sampler",
    "vae": "model.vae",
    "clip_skip": "model.clip_skip",
}
_OWN = {name: f"{section}.{name}" for section, kind in reversed(SECTIONS.items()) for name, _, _ in kind.options()}
_WORDS = dict.fromkeys(("dataset", "dataset_dir", "images", "pictures", "path"), "data.folder")
#: What to write for a name of a setting that stands in the wrong place, is another trainer's, or a word for the thing.
PLACES = {**OTHER_NAMES, **_WORDS, **_OWN}
_OTHER_SECTIONS = {"training": "train", "dataset": "data"}


def is_job(tables: Mapping[str, Any]) -> bool:
    """Tell whether tables have a setting of a job in its place."""
    return any(
        isinstance(tables.get(section), Mapping) and any(name in tables[section] for name, _, _ in kind.options())
        for section, kind in SECTIONS.items()
    )


def no_section(name: str) -> str:
    """Return what to tell about a table, or a value outside of all, of a name that no section has."""
    like = meant(name.rpartition(".")[2], SECTIONS, {**PLACES, **_OTHER_SECTIONS})
    section, dot, key = like.partition(".")
    return f"belongs into [{section}], as {key}" if dot else f"there is no such section; {or_known(like, SECTIONS)}"


@dataclass(frozen=True)
class Job:
    """A whole training job: one settings object for each section of a job file."""

    network: NetworkSettings
    data: DataSettings
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    preview: PreviewSettings = field(default_factory=PreviewSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    model: ModelSettings = field(default_factory=ModelSettings)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Job:
        """Return the job of the tables of a job file.

        Raises:
            SettingsError: names each wrong field as `section.key`; all of them at once.
        """
        unknown = [SettingsError(name, no_section(name)) for name in values if name not in SECTIONS]
        sections, errors = read_sections(SECTIONS, values, PLACES)
        raise_all([*unknown, *errors, *_between(sections, values)])
        return cls(**sections)

    @property
    def validates(self) -> bool:
        """Whether pictures are held out to measure the validation loss on."""
        return bool(self.train.validation_share) or any(getattr(self.data, name) for name in of_held_out())

    @property
    def counts_epochs(self) -> bool:
        """Whether its length or its rates are in epochs, so that they depend on the dataset."""
        return _counts_epochs(self.schedule, self.train)

    def steps(self, steps_per_epoch: int) -> int:
        """Return the optimizer steps that are asked for; raises SettingsError."""
        return _steps(self.train, steps_per_epoch)

    def end_step(self, steps_per_epoch: int) -> int:
        """Return the step at which the run ends: its last, or the end of its schedule; raises SettingsError."""
        steps = self.steps(steps_per_epoch)
        return min(steps, self.learning_rates(steps_per_epoch).end_step or steps)

    def learning_rates(self, steps_per_epoch: int = 1) -> Schedule:
        """Return the schedule of the run: that of the vectors, if they have one and are trained alone.

        Raises:
            SettingsError: it does not fit the length of the run; names the field.
        """
        own = None if self.embedding.trains_network else self._own_rates(steps_per_epoch)
        return own or _learning_rates(self.schedule, self.train, steps_per_epoch)

    @property
    def words(self) -> tuple[str, ...]:
        """The words whose vectors are trained; none where a hypernetwork is trained alone."""
        return (self.embedding.listed or (self.output.first_name,)) if self.embedding.trains_words else ()

    @property
    def word_name(self) -> str:
        """What stands for `[name]` in captions: the words that are trained, or else the name of the run."""
        return " ".join(self.words) or self.output.first_name

    @property
    def makes_sheet(self) -> bool:
        """Whether there is a sheet of strengths, which an embedding does not have."""
        return self.output.sheet and self.embedding.trains_network

    def word_rates(self, steps_per_epoch: int) -> StepSchedule | None:
        """Return the learning rates of the vectors; None where they are those of the run. Raises SettingsError."""
        return self._own_rates(steps_per_epoch) if self.embedding.trains_network else None

    def _own_rates(self, steps_per_epoch: int) -> StepSchedule | None:
        try:
            return self.embedding.schedule(self.steps(steps_per_epoch), steps_per_epoch) if self.words else None
        except SettingsError as error:
            raise error.within("embedding") from error

    def clip_limits(self, steps_per_epoch: int) -> StepSchedule:
        """Return the limit of the gradient at each step; raises SettingsError."""
        try:
            return parse(self.optimizer.clip_limit, self.steps(steps_per_epoch), steps_per_epoch)
        except ScheduleError as error:
            raise SettingsError("optimizer.clip_limit", error.reason) from error

    def idle_on(self, device: torch.device) -> tuple[str, ...]:
        """Return a sentence for each setting that changes nothing with the model on `device`."""
        if device.type != "cpu":
            return ()
        sentences = []
        for section, kind in SECTIONS.items():
            defaults = {one.name: one.default for one in fields(kind)}
            for name, _, option in kind.options():
                address, value = f"{section}.{name}", getattr(getattr(self, section), name)
                if value not in option.needs_gpu:
                    continue
                if value is True:
                    sentences.append(f"Without a GPU {address} changes nothing.")
                else:
                    sentences.append(f"Without a GPU {address} gives the same with {value} as with {defaults[name]}.")
        return tuple(sentences)

    def to_mapping(self) -> dict[str, dict[str, Any]]:
        """Return the job as the tables of a job file."""
        return {name: getattr(self, name).to_mapping() for name in SECTIONS}


def _between(sections: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[SettingsError]:
    """Yield what is wrong between tables, as far as what it depends on is right.

    Args:
        sections: the settings of the tables that are right.
    """
    schedule, train = sections.get("schedule"), sections.get("train")
    if schedule and train and not _counts_epochs(schedule, train):
        try:
            _learning_rates(schedule, train)
        except SettingsError as error:
            yield error
    embedding, output = sections.get("embedding"), sections.get("output")
    if embedding and output and embedding.trains == BOTH and output.name.lower() in map(str.lower, embedding.listed):
        yield SettingsError("embedding.names", f"{output.name} is the name of the network; give the word another one")
    if embedding and embedding.trains_words and _alone(tables, "data", "caption_dropout") == 1:
        yield SettingsError("data.caption_dropout", "must be below 1 for an embedding, whose word is in the captions")
    share, held_out = _alone(tables, "train", "validation_share"), [_alone(tables, "data", n) for n in of_held_out()]
    if _alone(tables, "output", "save_best") and share == 0 and not any(held_out):
        reason = "needs a train.validation_share or a data.validation_folder to measure on"
        yield SettingsError("output.save_best", reason)
    if share and any(held_out):
        yield SettingsError("train.validation_share", "must be 0 where data.validation_folder holds pictures out")


def _alone(tables: Mapping[str, Any], section: str, name: str) -> Any:
    """Return one setting, whatever is wrong with others; None where it is wrong itself."""
    kind, option = next((kind, option) for one, kind, option in SECTIONS[section].options() if one == name)
    table = tables.get(section, {})
    given = table.get(name, getattr(SECTIONS[section], name)) if isinstance(table, Mapping) else None
    try:
        return take(name, given, kind, option)
    except SettingsError:
        return None


def _counts_epochs(schedule: ScheduleSettings, train: TrainSettings) -> bool:
    return schedule.counts_epochs or counts_epochs(train.max_steps)


def _steps(train: TrainSettings, steps_per_epoch: int) -> int:
    try:
        return train.steps(steps_per_epoch)
    except SettingsError as error:
        raise error.within("train") from error


def _learning_rates(schedule: ScheduleSettings, train: TrainSettings, steps_per_epoch: int = 1) -> Schedule:
    steps = _steps(train, steps_per_epoch)
    try:
        return schedule.schedule(steps, steps_per_epoch)
    except SettingsError as error:
        raise error.within("schedule") from error
