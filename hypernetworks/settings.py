"""Every setting of a training job, declared once. The form, the job file, the log and the metadata derive from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ScheduleError, SettingsError, SeveralSettingsError, WorkbenchError
from .network_settings import CreateSettings, NetworkSettings, ShapeSettings, name_problems
from .options import Option, Settings, raise_all, setting
from .train import schedules

__all__ = [
    "SECTIONS",
    "CreateSettings",
    "DataSettings",
    "Job",
    "LossSettings",
    "NetworkSettings",
    "OptimizerSettings",
    "OutputSettings",
    "PreviewSettings",
    "ScheduleSettings",
    "ShapeSettings",
    "TrainSettings",
]


@dataclass(frozen=True)
class DataSettings(Settings):
    """Pictures and their captions."""

    folder: str = setting(
        "", Option("Dataset folder", "Folder with pictures; captions in .txt files beside them.", is_path=True)
    )
    width: int = setting(
        512,
        Option(
            "Picture width", "In pixels, a multiple of 8; pictures are scaled and cropped.", minimum=8, maximum=2048
        ),
    )
    height: int = setting(512, Option("Picture height", "In pixels, a multiple of 8.", minimum=8, maximum=2048))
    batch_size: int = setting(1, Option("Batch size", "Pictures that pass the model at once.", minimum=1, maximum=256))
    template: str = setting(
        "[filewords]", Option("Caption template", "[filewords] is the picture's caption, [name] the network's name.")
    )
    caption_dropout: float = setting(
        0.0,
        Option("Caption dropout", "Share of pictures that are shown with an empty caption.", minimum=0.0, maximum=1.0),
    )

    def problems(self) -> Iterator[SettingsError]:
        """Sides that the VAE cannot halve three times, an empty folder name, a template without content."""
        if not self.folder:
            yield SettingsError("folder", "name the folder that holds the pictures")
        for name in ("width", "height"):
            if getattr(self, name) % 8:
                yield SettingsError(name, f"must be a multiple of 8, not {getattr(self, name)}")
        if not self.template:
            yield SettingsError("template", "must not be empty; [filewords] alone uses each picture's caption")


@dataclass(frozen=True)
class OptimizerSettings(Settings):
    """How weights follow the gradients."""

    name: str = setting(
        "AdamW", Option("Optimizer", "AdamW suits nearly everything.", choices=("AdamW", "Adam", "SGD"))
    )
    weight_decay: float = setting(0.01, Option("Weight decay", "Pulls weights towards zero.", minimum=0.0, maximum=1.0))
    clip_norm: float = setting(
        0.0, Option("Gradient clipping", "Largest norm of the gradient; 0 does not clip.", minimum=0.0, maximum=1e6)
    )


@dataclass(frozen=True)
class ScheduleSettings(Settings):
    """The learning rate over the steps."""

    rate: str = setting(
        "0.00001", Option("Learning rate", "A number, or rates with the step each ends at: 4e-05:2000,4e-06:4000.")
    )
    kind: str = setting(
        "steps",
        Option(
            "Rate schedule",
            "steps keeps to the text above; cosine falls to the minimum and may start again.",
            choices=("steps", "cosine"),
        ),
    )
    cycle: int = setting(
        0,
        Option(
            "Cosine cycle", "Steps of the first cosine cycle; 0 takes the whole run.", minimum=0, maximum=10_000_000
        ),
    )
    multiplier: float = setting(
        1.0,
        Option("Cycle multiplier", "Each cosine cycle is this many times the one before.", minimum=0.1, maximum=100),
    )
    min_rate: float = setting(
        0.0, Option("Minimum rate", "Where a cosine cycle starts and ends.", minimum=0.0, maximum=10.0)
    )
    warmup: int = setting(
        0, Option("Warm-up steps", "Steps in which a cosine cycle rises to its rate.", minimum=0, maximum=1_000_000)
    )
    decay: float = setting(
        1.0, Option("Cycle decay", "Each cosine cycle peaks at this share of the one before.", minimum=0.0, maximum=1.0)
    )

    def schedule(self, max_steps: int) -> schedules.Schedule:
        """The schedule of a run of `max_steps` optimizer steps.

        Raises:
            SettingsError: the rate or the cycle cannot be used; names the field.
        """
        try:
            steps = schedules.parse(self.rate, max_steps)
        except ScheduleError as error:
            raise SettingsError("rate", str(error)) from error
        if self.kind == "steps":
            return steps
        if ":" in self.rate:
            raise SettingsError("rate", "must be one number for a cosine schedule")
        try:
            return schedules.CosineRestarts(
                cycle=self.cycle or max_steps,
                multiplier=self.multiplier,
                max_rate=steps.rate(0),
                min_rate=self.min_rate,
                warmup=self.warmup,
                decay=self.decay,
            )
        except ScheduleError as error:
            raise SettingsError("cycle", str(error)) from error


@dataclass(frozen=True)
class LossSettings(Settings):
    """How far the prediction is from the noise."""

    kind: str = setting(
        "l2", Option("Loss", "l2 is the usual one; huber minds single outliers less.", choices=("l2", "huber"))
    )
    huber_delta: float = setting(
        0.1, Option("Huber delta", "Where huber turns from square to straight.", minimum=1e-6, maximum=100.0)
    )


@dataclass(frozen=True)
class TrainSettings(Settings):
    """Length and seed of the run."""

    max_steps: int = setting(1000, Option("Steps", "Optimizer steps of the whole run.", minimum=1, maximum=10_000_000))
    gradient_accumulation: int = setting(
        1, Option("Gradient accumulation", "Batches gathered for one step.", minimum=1, maximum=1024)
    )
    seed: int = setting(
        0,
        Option(
            "Training seed", "Fixes initial weights, order, noise, timesteps and dropout.", minimum=0, maximum=2**63 - 1
        ),
    )


@dataclass(frozen=True)
class PreviewSettings(Settings):
    """Pictures made while training."""

    every: int = setting(
        0, Option("Preview every", "Steps between preview pictures; 0 makes none.", minimum=0, maximum=1_000_000)
    )
    prompt: str = setting("", Option("Preview prompt", "Empty: the first caption of the dataset."))
    negative_prompt: str = setting("", Option("Preview negative prompt", "What previews should not show."))
    preview_seed: int = setting(
        1, Option("Preview seed", "The same for each preview, so that they compare.", minimum=0, maximum=2**32 - 1)
    )
    sampler: str = setting("Euler a", Option("Preview sampler", "Name of a sampler of the host."))
    sampling_steps: int = setting(
        20, Option("Preview sampling steps", "Sampling steps of a preview.", minimum=1, maximum=150)
    )
    cfg_scale: float = setting(
        7.0, Option("Preview CFG scale", "How closely previews follow the prompt.", minimum=1.0, maximum=30.0)
    )


@dataclass(frozen=True)
class OutputSettings(Settings):
    """Where the results go."""

    name: str = setting("", Option("Name", "Name of the trained network and of its file."))
    dir: str = setting(
        "", Option("Output folder", "Empty: the WebUI's folders for hypernetworks and for logs.", is_path=True)
    )
    overwrite: bool = setting(False, Option("Overwrite", "A finished run may replace the file of this name."))
    sheet: bool = setting(True, Option("Before and after", "Ends with a sheet of pictures at strength 0, 0.5 and 1."))

    def problems(self) -> Iterator[SettingsError]:
        """A name that no file can have."""
        yield from name_problems(self.name)


SECTIONS: dict[str, type[Settings]] = {
    "network": NetworkSettings,
    "data": DataSettings,
    "optimizer": OptimizerSettings,
    "schedule": ScheduleSettings,
    "loss": LossSettings,
    "train": TrainSettings,
    "preview": PreviewSettings,
    "output": OutputSettings,
}


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

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Job:
        """Makes a job of the tables of a job file.

        Raises:
            SettingsError: names each wrong field as `section.key`; all of them at once.
        """
        errors: list[SettingsError] = []
        for name in values:
            if name not in SECTIONS:
                errors.append(SettingsError(name, f"there is no such section; known are {', '.join(SECTIONS)}"))
        sections: dict[str, Any] = {}
        for name, kind in SECTIONS.items():
            try:
                sections[name] = _section(kind, values.get(name, {}))
            except SeveralSettingsError as several:
                errors += [SettingsError(f"{name}.{e.field}", e.reason) for e in several.errors]
            except SettingsError as error:
                errors.append(SettingsError(f"{name}.{error.field}" if error.field else name, error.reason))
        raise_all(errors)
        job = cls(**sections)
        job.check_schedule()
        return job

    def check_schedule(self) -> None:
        """Raises SettingsError if the schedule does not fit the length of the run."""
        try:
            self.schedule.schedule(self.train.max_steps)
        except WorkbenchError as error:
            if isinstance(error, SettingsError):
                raise SettingsError(f"schedule.{error.field}", error.reason) from error
            raise

    def to_mapping(self) -> dict[str, dict[str, Any]]:
        """The job as the tables of a job file."""
        return {name: getattr(self, name).to_mapping() for name in SECTIONS}


def _section(kind: type[Settings], values: Any) -> Settings:
    if not isinstance(values, Mapping):
        raise SettingsError("", "must be a table of settings")
    return kind.from_mapping(values)
