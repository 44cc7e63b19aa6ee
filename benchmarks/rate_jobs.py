"""Jobs on the demo model whose learning rate is swept: four to find the rate of, and the advice of the presets.

Each has its pictures made from the demo's, so that nothing else is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks.network import presets as shapes
from hypernetwork_workbench.hypernetworks.train.optim.step_schedule import parse
from hypernetwork_workbench.hypernetworks.train.settings import presets as recipes
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables
from PIL import Image, ImageOps

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
#: The demo model learns in a twentieth of the steps that presets tell for Stable Diffusion, at a hundred times the
#: rate: shorter runs take higher rates, and so do narrower layers (Yang et al., "Tensor Programs V", 2022).
SHORTER, FASTER = 20, 100
_LOOKS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "night": lambda picture: picture,
    "negative": ImageOps.invert,
    "grey": lambda picture: ImageOps.grayscale(picture).convert("RGB"),
    "solarised": lambda picture: ImageOps.solarize(ImageOps.invert(picture), 100),
}


@dataclass(frozen=True)
class RateJob:
    """A job whose rate is swept.

    Attributes:
        look: of its pictures, one of `_LOOKS`.
        count: of its pictures.
        tables: the other settings of the job.
        rates: those to sweep; the highest of a schedule that has several.
        advice: the rate that a preset tells; None for the other jobs.
    """

    name: str
    look: str
    count: int
    tables: dict[str, dict[str, Any]]
    rates: tuple[float, ...]
    advice: float | None = None

    def job(self, folder: Path) -> Job:
        """Return the job, with its pictures in `folder`."""
        pictures = draw(folder, self.look, self.count)
        tables: dict[str, dict[str, Any]] = {"data": {"width": 64, "height": 64}}
        for section, table in self.tables.items():
            tables[section] = {**tables.get(section, {}), **table}
        tables["data"]["folder"] = str(pictures)
        tables["output"] = {"name": "swept", "save_state": False, "sheet": False}
        return Job.from_mapping(tables)


def draw(folder: Path, look: str, count: int) -> Path:
    """Write pictures of the demo with another look, and their captions, into a folder and return it."""
    folder.mkdir(parents=True)
    for path in sorted((_EXAMPLES / "night").glob("*.png"))[:count]:
        with Image.open(path) as picture:
            _LOOKS[look](picture.convert("RGB")).save(folder / path.name)
        (folder / path.with_suffix(".txt").name).write_text(path.with_suffix(".txt").read_text(encoding="utf-8"))
    return folder


def _demo() -> RateJob:
    tables = read_tables(_EXAMPLES / "demo.toml")
    wanted = {name: tables[name] for name in ("network", "data", "schedule", "train")}
    return RateJob("demo.toml", "night", 16, wanted, (3e-4, 1e-3, 2e-3, 4e-3, 1e-2, 3e-2))


_NORMALISED = RateJob(
    "layer normalisation, AdamW",
    "negative",
    10,
    {
        "network": {"layer_structure": [1, 2, 1], "activation": "linear", "layer_norm": True, "zero_last_layer": True},
        "data": {"batch_size": 4},
        "train": {"max_steps": 200, "seed": 2},
    },
    (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3),
)
_DEEP = RateJob(
    "deep mish, Lion",
    "grey",
    16,
    {
        "network": {
            "layer_structure": [1, 1.5, 1.5, 1],
            "activation": "mish",
            "weight_init": "XavierNormal",
            "zero_last_layer": True,
        },
        "data": {"batch_size": 2},
        "optimizer": {"name": "Lion"},
        "schedule": {"kind": "linear"},
        "train": {"max_steps": 300, "seed": 3, "gradient_accumulation": 2},
    },
    (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
)
_SMALL = RateJob(
    "small relu, SGD",
    "solarised",
    12,
    {
        "network": {"layer_structure": [1, 1, 1], "activation": "relu", "weight_init": "KaimingNormal"},
        "data": {"batch_size": 8},
        "optimizer": {"name": "SGD", "arguments": "momentum=0.9"},
        "schedule": {"kind": "cosine"},
        "train": {"max_steps": 200, "seed": 4},
    },
    (0.1, 0.3, 1, 3, 10),
)

_RATES, _NORMALISED_RATES = (3e-4, 1e-3, 3e-3, 1e-2), (1e-3, 3e-3, 1e-2, 3e-2, 0.1)

#: Jobs to find the rate of: the demo, and others of another structure, optimizer, length and pictures.
JOBS: tuple[RateJob, ...] = (_demo(), _NORMALISED, _DEEP, _SMALL)


def presets() -> list[RateJob]:
    """Return a job for each preset of a shape, and for each recipe that tells a rate, on the demo's pictures."""
    standard = shapes.PRESETS[0]
    jobs = [_advised(one.name, one, {}, one.rate, one.steps) for one in shapes.PRESETS]
    for recipe in recipes.PRESETS:
        values = recipe.values()
        rate, steps = values["schedule.rate"], values["train.max_steps"]
        is_known = any((one.rate, one.steps) == (rate, steps) for one in shapes.PRESETS)
        if not is_known and float(rate.partition(":")[0]) < 1:
            jobs.append(_advised(recipe.name, standard, values, rate, steps))
    return jobs


def _advised(name: str, shape: shapes.Preset, values: dict[str, Any], rate: str, steps: int) -> RateJob:
    tables: dict[str, dict[str, Any]] = {"network": shape.values()}
    for address, value in values.items():
        section, _, key = address.partition(".")
        tables.setdefault(section, {})[key] = value
    pieces = parse(rate, steps).pieces
    tables.setdefault("schedule", {})["rate"] = ",".join(f"{one}:{end // SHORTER}" for one, end in pieces)
    if len(pieces) == 1:
        tables["schedule"]["rate"] = rate
    tables.setdefault("train", {})["max_steps"] = steps // SHORTER
    tables.pop("output", None)
    tables.pop("preview", None)
    highest = max(one for one, _ in pieces)
    return RateJob(name, "night", 16, tables, _NORMALISED_RATES if shape.shape.layer_norm else _RATES, highest)
