"""Time to quality: the seconds of steps until the pictures are in the style and still follow their captions.

Each way trains the demo model on 16 pictures of each style. Both distances are to fall to a quarter, with nine captions
of ten followed. Only the steps are counted, by this thread's processor time with one thread: other work on the machine
and the looking at the pictures change nothing.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.base.errors import NonFiniteLossError
from hypernetwork_workbench.hypernetworks.data.encoding import encode
from hypernetwork_workbench.hypernetworks.ports import Ports
from hypernetwork_workbench.hypernetworks.train import make_plan
from hypernetwork_workbench.hypernetworks.train.state import make_state
from hypernetwork_workbench.hypernetworks.train.trainer import Trainer, make_trainer

from ..clock import own_s
from ..machine import describe
from ..rates import ports
from ..reference import Reference
from ..training_cases import Case, loaded
from . import bounds
from .quality import Judge, Quality
from .styles import STYLES, Style
from .ways import Way, ways

logger = logging.getLogger(__name__)

#: Steps after which pictures are looked at, as shares of the run.
LOOKS = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Place:
    """Where runs of a style train: the host's model, ports on it, a folder of pictures, and the judge of the style."""

    model: Any
    here: Ports
    pictures: Path
    judge: Judge

    @classmethod
    def of(cls, style: Style, model: Any, folder: Path) -> Place:
        """Return the place of a style on the host's `model`, with its pictures in a new folder below `folder`."""
        here = ports(folder)
        judge = Judge(style, here.encoder, here.denoiser, model.decode_first_stage)
        return cls(model, here, style.write(folder / "pictures"), judge)


@dataclass(frozen=True)
class Learnt:
    """What one run came to.

    Attributes:
        seconds, steps: until the pictures were good; None where they never were.
        start, end: the quality before and after the run; the end is None where the loss was not finite.
    """

    seconds: float | None
    steps: int | None
    start: Quality
    end: Quality | None


def measure(rounds: int) -> dict[str, Any]:
    """Train every style in every way with `rounds` seeds; return the machine and a case for each style and way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with loaded(Case("demo", 64)) as running:
            return {"machine": describe(torch.device("cpu")), "cases": [*_cases(running.model, rounds)]}
    finally:
        torch.set_num_threads(before)


def _cases(model: Any, rounds: int) -> Iterator[dict[str, Any]]:
    for style in STYLES:
        with tempfile.TemporaryDirectory() as name:
            place = Place.of(style, model, Path(name))
            yield from _bounds(style, place)
            for way in ways():
                found = case(style, way, [learn(way, place, seed) for seed in range(rounds)])
                logger.info("%s", found)
                yield found


def _bounds(style: Style, place: Place) -> Iterator[dict[str, Any]]:
    start, job = place.judge.start, next(ways()).job(place.pictures, 0)
    held = bounds.through_autoencoder(place.judge)
    tuned = bounds.whole_unet(job, place.here, place.judge, place.model)
    for name, end in (("autoencoder alone", held), ("all of the U-Net", tuned)):
        yield case(style, Way(name, {}), [Learnt(None, None, start, end)]) | {"good": "", "seconds": ""}


def learn(way: Way, place: Place, seed: int) -> Learnt:
    """Train in a way; look at what the network makes of its captions now and then, until the pictures are good."""
    here, judge, job = place.here, place.judge, way.job(place.pictures, seed)
    plan = make_plan(job, here)
    training = encode(plan.training, here.encoder, here.progress)
    trainer = make_trainer(plan, here.denoiser, training, make_state(job, plan.network, here.denoiser))
    working, step = _ours(trainer) if way.webui_rate is None else _theirs(trainer, place.model, way.webui_rate)
    batches, seconds, done = trainer.batches(0, plan.end_step), 0.0, 0
    start = end = judge.start
    for until in sorted({max(1, round(share * plan.end_step)) for share in LOOKS}):
        try:
            with working():
                started = own_s()
                for _ in range(until - done):
                    step(next(batches))
                seconds += own_s() - started
        except NonFiniteLossError:
            return Learnt(None, None, start, None)
        done = until
        end = _seen(trainer, judge)
        if end.is_good(start):
            return Learnt(seconds, done, start, end)
    return Learnt(None, None, start, end)


Step = Callable[[Any], object]
Working = Callable[[], AbstractContextManager[None]]


def _ours(trainer: Trainer) -> tuple[Working, Step]:
    return trainer.working, lambda batches: trainer.checked_record(trainer.step(batches))


def _theirs(trainer: Trainer, model: Any, rate: float) -> tuple[Working, Step]:
    reference = Reference(model.model.diffusion_model, trainer.state.network, rate)

    def step(batches: Any) -> None:
        for batch in trainer.noisy_batches(batches):
            if not reference.step(batch).isfinite():
                raise NonFiniteLossError("The loss is not finite.")

    return reference.working, step


def _seen(trainer: Trainer, judge: Judge) -> Quality:
    network = trainer.state.network
    with trainer.working(), trainer.state.weights_to_show(), torch.no_grad():
        network.eval()
        try:
            return judge.look(judge.pictures())
        finally:
            network.train()


def case(style: Style, way: Way, runs: list[Learnt]) -> dict[str, Any]:
    """Return the row of the runs of a way, one for each seed; distances are shares of those at the start."""
    good = [(run.seconds, run.steps) for run in runs if run.seconds is not None and run.steps is not None]
    ends = [(run.end, run.start) for run in runs if run.end is not None]
    row: dict[str, Any] = {"style": style.name, "way": way.name, "good": f"{len(good)} of {len(runs)}"}
    row["seconds"] = round(sum(seconds for seconds, _ in good) / len(good), 1) if good else "not reached"
    row["steps"] = round(sum(steps for _, steps in good) / len(good)) if good else ""
    for name in ("latents", "patches"):
        shares = [getattr(end, name) / getattr(start, name) for end, start in ends]
        row[name] = round(sum(shares) / len(shares), 3) if shares else "not finite"
    row["followed"] = round(sum(end.followed for end, _ in ends) / len(ends), 3) if ends else ""
    return row
