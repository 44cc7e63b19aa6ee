"""What a run is made of: settings, pictures, captions and model. Kept in the state, so that Continue can compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..base.errors import TrainingError
from ..base.forms import Anything, ListOf, Record, Row, Table, Text, UnfitError
from ..base.names import printable
from ..data.dataset import Dataset, Sample
from ..network.hypernetwork import Hypernetwork
from ..ports import Ports
from ..ranks import Ranks
from .settings.job import SECTIONS, Job
from .settings.loss import OF_CHECKPOINT

MAX_CHARACTERS = 1 << 27
_SHOWN = 5
_SHOWN_CHARACTERS = 60
_HASH_CHARACTERS = 16
_SHORT = Text(200)
_FORM = Record(
    {
        "settings": Table(_SHORT, Anything(), 10_000),
        "structure": Table(_SHORT, Anything(), 100),
        "model": Table(_SHORT, _SHORT, 10),
        "pictures": ListOf(Row((Text(1024), *[_SHORT] * 4)), 10_000_000),
    }
)
#: Sections of settings, and single ones, that do not touch what the next steps of a run learn, or are meant to change.
_FREE_SECTIONS = {"schedule", "preview", "output"}
FREE = {
    "train.max_steps",
    "train.validation_every",
    "train.attention",
    "train.checkpointing",
    "train.unload_encoders",
    "train.optimizer_on_cpu",
    "train.preview_unloads_optimizer",
    "train.rollback_after",
    "train.rollback_halves_rate",
    "data.cache",
    "data.cache_limit_mb",
    "data.stop_at_broken",
}
#: Of no account: where a run is and what it may replace, and what the weights of the state stand for.
UNTOLD = {"output.name", "output.dir", "output.overwrite", "output.resume_changed"}
_FIRST_WEIGHTS = {"weight_init", "init_std", "zero_last_layer"}
_MODEL = {
    "checkpoint": "the checkpoint",
    "vae": "the VAE",
    "text_encoder": "the text encoder or one of its settings",
    "prediction": "the prediction of the checkpoint",
    "noise_schedule": "the noise schedule of the checkpoint",
}
_SCHEDULE_POINTS = 4


class Change(NamedTuple):
    """Something that is not as it was when the state was saved.

    Attributes:
        text: what, as a part of a sentence.
        breaks: whether the run will not end as one without a break would have.
    """

    text: str
    breaks: bool


class Picture(NamedTuple):
    """A picture of a dataset; all but the name are fingerprints."""

    name: str
    content: str
    mask: str
    caption: str
    treatment: str


@dataclass(frozen=True)
class Origin:
    """What a run is made of, as plain values.

    Attributes:
        settings: by `section.key`.
        structure: of the network, without what concerns first weights alone.
        model: fingerprints of the checkpoint, its encoders and, where no setting says them, prediction and schedule.
        pictures: in the order of the dataset.
    """

    settings: dict[str, Any]
    structure: dict[str, Any]
    model: dict[str, str]
    pictures: tuple[Picture, ...]

    @classmethod
    def of(cls, job: Job, dataset: Dataset, network: Hypernetwork, ports: Ports) -> Origin:
        """Return that of a run."""
        tables = job.to_mapping()
        settings = {f"{section}.{key}": value for section, table in tables.items() for key, value in table.items()}
        structure = {key: value for key, value in asdict(network.structure).items() if key not in _FIRST_WEIGHTS}
        model = {
            "checkpoint": ports.checkpoint.short_hash,
            "vae": ports.encoder.picture_fingerprint(),
            "text_encoder": ports.encoder.text_fingerprint(),
        }
        if job.loss.prediction == OF_CHECKPOINT:
            model["prediction"] = ports.denoiser.prediction
        if job.loss.noise_schedule == OF_CHECKPOINT:
            model["noise_schedule"] = _schedule(ports.denoiser.alphas_cumprod)
        return cls(settings, structure, model, tuple(map(_picture, dataset.samples))).plain()

    @classmethod
    def read(cls, text: str) -> Origin:
        """Return what `text` gave; raises UnfitError for a text of another form."""
        try:
            found = _FORM.take(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise UnfitError(f"its record of pictures and settings cannot be read: {error}") from error
        pictures = tuple(Picture(*one) for one in found["pictures"])
        return cls(found["settings"], found["structure"], found["model"], pictures)

    def text(self) -> str:
        """Return everything as one text."""
        return json.dumps(asdict(self) | {"pictures": self.pictures})

    def plain(self) -> Origin:
        """Return the same with values as they come out of a file."""
        return self.read(self.text())

    def changes(self, now: Origin) -> list[Change]:
        """Return what is different in `now`."""
        settings = list(_changed_settings(self.settings, now.settings))
        structure = [
            Change(f"{key.replace('_', ' ')} of the network is {_short(now.structure[key])}, not {_short(value)}", True)
            for key, value in self.structure.items()
            if now.structure.get(key, value) != value
        ]
        model = [
            Change(f"{_MODEL[key]} is another", True)
            for key, value in self.model.items()
            if key in _MODEL and value and now.model.get(key, value) != value
        ]
        is_data_set = any(change.breaks and change.text.startswith("data.") for change in settings)
        return [*_changed_pictures(self.pictures, now.pictures, is_data_set), *settings, *structure, *model]


def check_same(ranks: Ranks, own: Origin, start_step: int, learner: nn.Module) -> None:
    """Check that this process of a run is about to train what the first one trains.

    Raises:
        TrainingError: pictures, settings, model or weights are others here; says which.
    """
    if ranks.size == 1:
        return
    weights = hashlib.sha256()
    for weight in learner.parameters():
        weights.update(weight.detach().cpu().numpy().tobytes())
    begin = f"{start_step} {weights.hexdigest()}"
    first_begin, _, first = ranks.of_first(f"{begin}\n{own.text()}").partition("\n")
    found = [change.text for change in Origin.read(first).changes(own)]
    if first_begin != begin:
        found.append("it starts from other weights, or at another step")
    if found:
        raise TrainingError(f"this process does not train what the first one trains: {'; '.join(found)}")


def _schedule(alphas_cumprod: Tensor) -> str:
    """Return a text that differs for another noise schedule, but not for another way to round it."""
    places = torch.linspace(0, len(alphas_cumprod) - 1, _SCHEDULE_POINTS).long().tolist()
    shares = alphas_cumprod.tolist()
    # How little signal is left at the end is what schedules differ in.
    return " ".join([str(len(shares)), *(f"{shares[place] ** 0.5:.3f}" for place in places)])


def _picture(sample: Sample) -> Picture:
    subset = sample.subset
    # By name and without defaults: a rule that a later version adds changes nothing.
    rules = {f.name: value for f in fields(subset.captions) if (value := getattr(subset.captions, f.name)) != f.default}
    if sample.found.line_count <= 1 or subset.captions.has_wildcards:  # what lines are makes no difference, or is told
        rules.pop("lines", None)
    shown = [subset.batch_size, subset.repeats, subset.is_flipped, subset.background, subset.masks, sample.weight]
    varied = [subset.varies_colours, subset.face_range] if sample.is_varied else []
    treatment = [*shown, subset.is_regularisation, subset.dataset, rules, sample.frames, *varied]
    name = sample.path.name[:1024].encode(errors="replace").decode()
    mask = sample.digest[len(sample.picture_digest) :]
    return Picture(
        name, sample.picture_digest[:_HASH_CHARACTERS], mask[:_HASH_CHARACTERS], _hash(sample.written), _hash(treatment)
    )


def _hash(value: Any) -> str:
    return hashlib.sha256(repr(value).encode(errors="backslashreplace")).hexdigest()[:_HASH_CHARACTERS]


def _changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """Yield settings with another value; files that settings name are compared by what is in them."""
    options = {f"{name}.{key}": option for name, kind in SECTIONS.items() for key, _, option in kind.options()}
    for address, option in options.items():
        section = address.partition(".")[0]
        is_file = section == "data" and (option.is_path or option.starts_with_paths)
        if section == "network" or is_file or address in UNTOLD or address not in before or address not in now:
            continue
        if before[address] != now[address]:
            text = f"{address} is {_short(now[address])}, not {_short(before[address])}"
            yield Change(text, section not in _FREE_SECTIONS and address not in FREE)


def _changed_pictures(before: tuple[Picture, ...], now: tuple[Picture, ...], is_data_set: bool) -> Iterator[Change]:
    """Yield what is different about pictures, a text for each kind of difference.

    Args:
        is_data_set: whether a setting explains that pictures are shown in another way.
    """
    old, new = _by_name(before), _by_name(now)
    both = [name for name in new if name in old]
    kinds = {
        "pictures added": [name for name in new if name not in old],
        "pictures removed": [name for name in old if name not in new],
        "pictures replaced": [name for name in both if new[name].content != old[name].content],
        "captions edited": [name for name in both if new[name].caption != old[name].caption],
        "masks changed": [name for name in both if new[name].mask != old[name].mask],
        "pictures shown in another way": [
            name for name in both if new[name].treatment != old[name].treatment and not is_data_set
        ],
    }
    for what, names in kinds.items():
        if names:
            yield Change(f"{what}: {_listed(names)}", True)
    if list(old) != list(new) and old.keys() == new.keys():
        yield Change("the pictures come in another order", True)


def _by_name(pictures: Iterable[Picture]) -> dict[str, Picture]:
    """Return the pictures by name; those of one name in several folders are numbered."""
    found: dict[str, Picture] = {}
    counts: dict[str, int] = {}
    for picture in pictures:
        number = counts[picture.name] = counts.get(picture.name, 0) + 1
        found[picture.name if number == 1 else f"{picture.name} ({number})"] = picture
    return found


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return printable(", ".join(names[:_SHOWN])) + (f" and {more} more" if more > 0 else "")


def _short(value: Any) -> str:
    text = printable(json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value or "empty")
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
