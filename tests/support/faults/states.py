"""Saved states of runs that do not fit: wrong keys, types, numbers and tensors. Continue refuses each by name.

Each case starts from the state of a real run on the fakes.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError
from hypernetwork_workbench.hypernetworks.files import read_plain
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.state_file import SUFFIX

from tests.support.fake_ports import fake_ports
from tests.support.runs import draw_pictures, make_job

from . import Case, NotHandledError
from .changes import Address, Content, addresses, another_type, at, changed, deep, drop, put, with_number

_SEED = 14
_STEPS = 6
_CHANGES = {"train__ema_decay": 0.9, "train__max_steps": _STEPS, "output__sheet": False, "preview__every": "3"}
#: Generated cases of each sort, drawn from all that there are.
_DRAWN = 16


def cases() -> Iterator[Case]:
    """Yield named cases, and some drawn from all places of a state."""
    for name, change in {**_NAMED, **_TENSORS}.items():
        yield Case(f"state: {name}", partial(_act, change))
    for number in range(_DRAWN):
        for drawn in (_drop_one, _add_one, _spoil_one):
            yield Case(f"state: {drawn.__name__[1:]} {number}", partial(_act, partial(drawn, f"{_SEED} {number}")))


def _drop_one(seed: str, content: Content) -> None:
    # Options are only looked at, since other versions of torch have others.
    places = [place for place in addresses(content) if place[:-1] != _GROUP or place[-1] == "params"]
    drop(random.Random(seed).choice(places), content)


def _add_one(seed: str, content: Content) -> None:
    tables = [place for place in ((), *addresses(content)) if isinstance(at(content, place), dict) and place != _GROUP]
    put((*random.Random(seed).choice(tables), "more"), 1, content)


def _spoil_one(seed: str, content: Content) -> None:
    draw = random.Random(seed)
    place = draw.choice(list(addresses(content)))
    put(place, another_type(at(content, place), draw), content)


def _act(change: Callable[[Content], Any], folder: Path) -> str:
    network, content = _sound()
    faulty = copy.deepcopy(content)
    replacement = change(faulty)
    pictures = draw_pictures(folder / "pictures")
    ports = fake_ports(folder)
    ports.network_dir.mkdir()
    (ports.network_dir / "fake.pt").write_bytes(network)
    state = ports.network_dir / f"fake.pt{SUFFIX}"
    torch.save(faulty if replacement is None else replacement, state)
    try:
        train(make_job(pictures, **{**_CHANGES, "train__max_steps": _STEPS + 1}), ports, resume=True)
    except WorkbenchError as error:
        if state.name not in str(error):
            raise NotHandledError(f"the file is not named: {error}") from error
        if (ports.network_dir / "fake.pt").read_bytes() != network:
            raise NotHandledError("the network was written over") from error
        return str(error)
    raise NotHandledError("the state was taken")


@cache
def _sound() -> tuple[bytes, Content]:
    """Return the network and the state of a run that has ended."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        result = train(make_job(draw_pictures(folder / "pictures"), **_CHANGES), fake_ports(folder))
        state = result.network.with_name(result.network.name + SUFFIX)
        return result.network.read_bytes(), read_plain(state)


_WEIGHT: Address = ("learner", "network", "pairs.12.0.linear.0.weight")
_MEAN: Address = ("learner", "average", "module.pairs.12.1.linear.0.bias")
_MOMENT: Address = ("learner", "optimizer", "state", 0, "exp_avg")
_SQUARE: Address = ("learner", "optimizer", "state", 2, "exp_avg_sq")
_COUNT: Address = ("learner", "optimizer", "state", 1, "step")
_GROUP: Address = ("learner", "optimizer", "param_groups", 0)
_MONITOR: Address = ("progress", "monitor")

_NAMED: dict[str, Callable[[Content], Any]] = {
    "no table": lambda _: [1, 2, 3],
    "version of the future": partial(put, ("version",), 3),
    "version of the past with what it had not": partial(put, ("version",), 1),
    "no name of the run": partial(put, ("run",), ""),
    "a run that is no text": partial(put, ("run",), 7),
    "a record that is no JSON": partial(put, ("origin",), "{"),
    "a record nested without end": partial(put, ("origin",), "[" * 100_000),
    "a record of another form": partial(put, ("origin",), '{"settings": {}}'),
    "a record with a number of thousands of digits": partial(put, ("origin",), "9" * 6000),
    "version of the past": partial(put, ("version",), 0),
    "version as text": partial(put, ("version",), "1"),
    "version as flag": partial(put, ("version",), True),
    "first step below 0": partial(put, ("first_step",), -99),
    "first step of a fraction": partial(put, ("first_step",), 1.5),
    "first step far too large": partial(put, ("first_step",), 2**78),
    "step below 0": partial(put, ("step",), -5),
    "step as text": partial(put, ("step",), "6"),
    "step as flag": partial(put, ("step",), True),
    "step is NaN": partial(put, ("step",), math.nan),
    "optimizer's name is a number": partial(put, ("optimizer_name",), 7),
    "optimizer's name is endless": partial(put, ("optimizer_name",), "AdamW" * 100),
    "rate factor below 0": partial(put, ("learner", "rate_factor"), -0.5),
    "rate factor 0": partial(put, ("learner", "rate_factor"), 0.0),
    "rate factor above 1": partial(put, ("learner", "rate_factor"), 1e9),
    "rate factor as a flag": partial(put, ("learner", "rate_factor"), True),
    "rate factor is NaN": partial(put, ("learner", "rate_factor"), math.nan),
    "maximize": partial(put, (*_GROUP, "maximize"), True),
    "maximize as a number": partial(put, (*_GROUP, "maximize"), 0),
    "rate of a billion": partial(put, (*_GROUP, "lr"), 1e9),
    "rate is NaN": partial(put, (*_GROUP, "lr"), math.nan),
    "betas out of range": partial(put, (*_GROUP, "betas"), (1.5, 0.999)),
    "one beta": partial(put, (*_GROUP, "betas"), (0.9,)),
    "weight decay below 0": partial(put, (*_GROUP, "weight_decay"), -1.0),
    "eps is infinite": partial(put, (*_GROUP, "eps"), math.inf),
    "fused as text": partial(put, (*_GROUP, "fused"), "yes"),
    "weights of the group in another order": partial(put, (*_GROUP, "params"), [1, 0, 2, 3, 4, 5, 6, 7]),
    "fewer weights in the group": partial(put, (*_GROUP, "params"), [0, 1]),
    "two groups": lambda content: at(content, _GROUP[:-1]).append(copy.deepcopy(at(content, _GROUP))),
    "no group": partial(put, _GROUP[:-1], []),
    "group is no table": partial(put, _GROUP, [1]),
    "optimizer state of a ninth weight": partial(put, ("learner", "optimizer", "state", 8), {}),
    "optimizer state by text": partial(put, ("learner", "optimizer", "state", "0"), {}),
    "optimizer state of a weight empty": partial(put, ("learner", "optimizer", "state", 3), {}),
    "optimizer state of one weight missing": partial(drop, ("learner", "optimizer", "state", 3)),
    "optimizer state missing": partial(put, ("learner", "optimizer", "state"), {}),
    "moment of another optimizer": partial(put, (*_MOMENT[:-1], "momentum_buffer"), torch.zeros(24, 12)),
    "average of steps below 0": partial(put, ("learner", "average", "n_averaged"), torch.tensor(-1)),
    "average as of version 0.1 without steps": partial(put, ("learner", "average"), {"weights": {}}),
    "scaler of a part": partial(put, ("learner", "precision"), {"scale": 1.0}),
    "scaler of scale 0": partial(
        put,
        ("learner", "precision"),
        {
            "scale": 0.0,
            "growth_factor": 2.0,
            "backoff_factor": 0.5,
            "growth_interval": 2000,
            "_growth_tracker": 0,
        },
    ),
    "scaler that grows by NaN": partial(
        put,
        ("learner", "precision"),
        {
            "scale": 1.0,
            "growth_factor": math.nan,
            "backoff_factor": 0.5,
            "growth_interval": 2000,
            "_growth_tracker": 0,
        },
    ),
    "losses of no steps": partial(put, (*_MONITOR, "taken"), 0),
    "steps without losses": lambda content: content["progress"]["monitor"].update(first=[], last=[]),
    "loss is NaN": partial(put, (*_MONITOR, "first"), [math.nan] * _STEPS),
    "smoothed loss missing": partial(put, (*_MONITOR, "smoothed"), None),
    "stride of 0": partial(put, (*_MONITOR, "curves", "loss", "stride"), 0),
    "points of three numbers": partial(put, (*_MONITOR, "curves", "loss", "points"), [[1, 0.5, 2]]),
    "points without end": partial(put, (*_MONITOR, "curves", "rate", "points"), [[1, 0.5]] * 1000),
    "points of texts": partial(put, (*_MONITOR, "curves", "rate", "points"), [["1", "0.5"]]),
    "validation of one number": partial(put, ("progress", "validation", "latest"), [3]),
    "best validation as text": partial(put, ("progress", "validation", "best"), "0.1"),
    "previews as text": partial(put, ("progress", "previews", "paths"), "step-000003.png"),
    "previews of other names": partial(put, ("progress", "previews", "paths"), ["/etc/passwd"]),
    "previews with a null": partial(put, ("progress", "previews", "paths"), ["a\0/step-000003.png"]),
    "random numbers of another form": partial(put, ("rng",), torch.zeros(5056, dtype=torch.uint8)),
    "nested too deep": partial(put, ("progress", "monitor", "first"), deep(40)),
    "nested far too deep": partial(put, ("progress", "monitor", "first"), deep(200)),
}

#: What a tensor may be that is none of the run's.
_TENSORS: dict[str, Callable[[Content], Any]] = {
    "weight of shape 3": changed(_WEIGHT, lambda _: torch.zeros(3)),
    "weight transposed": changed(_WEIGHT, lambda tensor: tensor.t().contiguous()),
    "weight with strides of another order": changed(_WEIGHT, lambda tensor: tensor.t().contiguous().t()),
    "weight with gaps": changed(_WEIGHT, lambda tensor: tensor.repeat(1, 2)[:, ::2]),
    "weight of one number": changed(_WEIGHT, lambda tensor: torch.ones(1, 1).expand(tensor.shape)),
    "weight beyond its memory": changed(_WEIGHT, lambda _: torch.zeros(1).as_strided((24, 12), (0, 0))),
    "weight is NaN": changed(_WEIGHT, with_number(math.nan)),
    "weight is infinite": changed(_WEIGHT, with_number(math.inf)),
    "weight of whole numbers": changed(_WEIGHT, lambda tensor: tensor.long()),
    "weight of flags": changed(_WEIGHT, lambda tensor: tensor > 0),
    "weight of half precision": changed(_WEIGHT, lambda tensor: tensor.half()),
    "weight of double precision": changed(_WEIGHT, lambda tensor: tensor.double()),
    "weight of complex numbers": changed(_WEIGHT, lambda tensor: tensor.to(torch.complex64)),
    "weight is sparse": changed(_WEIGHT, lambda tensor: tensor.to_sparse()),
    "weight on meta": changed(_WEIGHT, lambda tensor: tensor.to("meta")),
    "weight as a list": changed(_WEIGHT, lambda tensor: tensor.tolist()),
    "two weights in one memory": lambda content: put(
        (*_WEIGHT[:-1], "pairs.12.1.linear.0.weight"), at(content, _WEIGHT), content
    ),
    "average of another shape": changed(_MEAN, lambda _: torch.zeros(3)),
    "average is NaN": changed(_MEAN, with_number(math.nan)),
    "moment of shape 3": changed(_MOMENT, lambda _: torch.zeros(3)),
    "moment of no shape": changed(_MOMENT, lambda _: torch.tensor(1.0)),
    "moment without numbers": changed(_MOMENT, lambda _: torch.zeros(0)),
    "moment of whole numbers": changed(_MOMENT, lambda tensor: tensor.int()),
    "moment is NaN": changed(_MOMENT, with_number(math.nan)),
    "moment far too large": changed(_MOMENT, with_number(1e38)),
    "square below 0": changed(_SQUARE, with_number(-1.0)),
    "square is infinite": changed(_SQUARE, with_number(math.inf)),
    "count below 0": changed(_COUNT, with_number(-5.0)),
    "count is NaN": changed(_COUNT, with_number(math.nan)),
    "count of a shape": changed(_COUNT, lambda _: torch.ones(4)),
    "count as text": changed(_COUNT, lambda _: "6"),  # type: ignore[arg-type,return-value]
}
