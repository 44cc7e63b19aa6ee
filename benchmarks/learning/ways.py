"""Ways to train that are compared: the demo's settings and two changes of them, each preset, and the WebUI's.

The rates of presets and of the form are for Stable Diffusion; the demo model takes them a hundred times higher, in a
twentieth of the steps (see `rate_jobs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables

from .. import rate_jobs

_DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.toml"
_TABLES = ("network", "data", "schedule", "train", "loss", "optimizer")
_BATCH, _STEPS = 8, 600
_WEBUI_RATES = (1e-3, 2e-3, 5e-3)


@dataclass(frozen=True)
class Way:
    """A way to train.

    Attributes:
        tables: its settings, but for the pictures.
        webui_rate: the constant rate of a loop that learns as the WebUI's trainer does; None for our own trainer.
    """

    name: str
    tables: dict[str, dict[str, Any]]
    webui_rate: float | None = None

    def job(self, pictures: Path, seed: int) -> Job:
        """Return the job on a folder of pictures, with a seed."""
        tables = {section: dict(table) for section, table in self.tables.items()}
        tables["data"] = {**tables.get("data", {}), "folder": str(pictures), "width": 64, "height": 64}
        tables["data"].setdefault("batch_size", _BATCH)
        tables["output"] = {"name": "learnt", "save_state": False, "sheet": False, "overwrite": True}
        job = Job.from_mapping(tables)
        return replace(job, train=replace(job.train, seed=seed))


def ways() -> Iterator[Way]:
    """Yield all ways, the WebUI's last."""
    demo = {name: table for name, table in read_tables(_DEMO).items() if name in _TABLES}
    yield Way("demo.toml", demo)
    yield Way("demo.toml, plain loss", {name: table for name, table in demo.items() if name != "loss"})
    normed = {"network": {**demo["network"], "layer_norm": True}, "schedule": {**demo["schedule"], "rate": "0.02"}}
    yield Way("demo.toml, layer normalisation, rate 0.02", {**demo, **normed})
    for advised in rate_jobs.presets():
        factor = rate_jobs.FASTER
        rate = str(advised.tables["schedule"]["rate"])
        pieces = [(float(value) * factor, end) for value, _, end in (one.partition(":") for one in rate.split(","))]
        schedule = {**advised.tables["schedule"], "rate": ",".join(f"{v:g}:{e}" if e else f"{v:g}" for v, e in pieces)}
        yield Way(advised.name, {**advised.tables, "schedule": schedule})
    shape = {"layer_structure": [1, 2, 1], "activation": "relu", "weight_init": "Normal", "zero_last_layer": False}
    for rate_of_host in _WEBUI_RATES:
        tables = {
            "network": shape,
            "data": {"batch_size": _BATCH, "caption_dropout": 0.0},
            "schedule": {"rate": f"{rate_of_host:g}", "kind": "steps"},
            "train": {"max_steps": _STEPS},
        }
        yield Way(f"as the WebUI's trainer, rate {rate_of_host:g}", tables, rate_of_host)
