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

Content = dict[str, Any]
Address = tuple[Any, ...]

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
            draw = random.Random(f"{_SEED} {number}")
            yield Case(f"state: {drawn.__name__[1:]} {number}", partial(_act, partial(drawn, draw)))


def _drop_one(draw: random.Random, content: Content) -> None:
    # Options are only looked at, since other versions of torch have others.
    addresses = [at for at in _addresses(content) if at[:-1] != _GROUP or at[-1] == "params"]
    _drop(draw.choice(addresses), content)


def _add_one(draw: random.Random, content: Content) -> None:
    tables = [
        at for at in ((), *_addresses(content)) if isinstance(_at(content, at), dict) and "lr" not in _at(content, at)
    ]
    _put((*draw.choice(tables), "more"), 1, content)


def _spoil_one(draw: random.Random, content: Content) -> None:
    address = draw.choice(list(_addresses(content)))
    kinds = [[], "many", {"a": 1}, True, b"bytes", [[[[[[1]]]]]]]
    before = _at(content, address)
    fitting = [2**79] if type(before) is int else []
    _put(address, draw.choice([*fitting, *(one for one in kinds if type(one) is not type(before))]), content)


def _act(change: Callable[[Content], Any], folder: Path) -> str:
    network, content = _sound()
    changed = copy.deepcopy(content)
    replacement = change(changed)
    pictures = draw_pictures(folder / "pictures")
    ports = fake_ports(folder)
    ports.network_dir.mkdir()
    (ports.network_dir / "fake.pt").write_bytes(network)
    state = ports.network_dir / f"fake.pt{SUFFIX}"
    torch.save(changed if replacement is None else replacement, state)
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


def _addresses(value: Any, above: Address = ()) -> Iterator[Address]:
    """Yield the address of every part that has a name, and of the parts of lists that are no numbers."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield (*above, key)
            yield from _addresses(part, (*above, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _addresses(part, (*above, index))


def _at(content: Any, address: Address) -> Any:
    for key in address:
        content = content[key]
    return content


def _drop(address: Address, content: Content) -> None:
    del _at(content, address[:-1])[address[-1]]


def _put(address: Address, value: Any, content: Content) -> None:
    _at(content, address[:-1])[address[-1]] = value


def _changed(address: Address, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Content], None]:
    return lambda content: _put(address, change(_at(content, address)), content)


def _with_number(number: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def changed(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[-1] = number
        return tensor

    return changed


def _deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


_WEIGHT: Address = ("learner", "network", "pairs.12.0.linear.0.weight")
_MEAN: Address = ("learner", "average", "module.pairs.12.1.linear.0.bias")
_MOMENT: Address = ("learner", "optimizer", "state", 0, "exp_avg")
_SQUARE: Address = ("learner", "optimizer", "state", 2, "exp_avg_sq")
_COUNT: Address = ("learner", "optimizer", "state", 1, "step")
_GROUP: Address = ("learner", "optimizer", "param_groups", 0)
_MONITOR: Address = ("progress", "monitor")

_NAMED: dict[str, Callable[[Content], Any]] = {
    "no table": lambda _: [1, 2, 3],
    "version of the future": partial(_put, ("version",), 2),
    "version of the past": partial(_put, ("version",), 0),
    "version as text": partial(_put, ("version",), "1"),
    "version as flag": partial(_put, ("version",), True),
    "first step below 0": partial(_put, ("first_step",), -99),
    "first step of a fraction": partial(_put, ("first_step",), 1.5),
    "first step far too large": partial(_put, ("first_step",), 2**78),
    "step below 0": partial(_put, ("step",), -5),
    "step as text": partial(_put, ("step",), "6"),
    "step as flag": partial(_put, ("step",), True),
    "step is NaN": partial(_put, ("step",), math.nan),
    "optimizer's name is a number": partial(_put, ("optimizer_name",), 7),
    "optimizer's name is endless": partial(_put, ("optimizer_name",), "AdamW" * 100),
    "rate factor below 0": partial(_put, ("learner", "rate_factor"), -0.5),
    "rate factor 0": partial(_put, ("learner", "rate_factor"), 0.0),
    "rate factor above 1": partial(_put, ("learner", "rate_factor"), 1e9),
    "rate factor is NaN": partial(_put, ("learner", "rate_factor"), math.nan),
    "maximize": partial(_put, (*_GROUP, "maximize"), True),
    "rate of a billion": partial(_put, (*_GROUP, "lr"), 1e9),
    "rate is NaN": partial(_put, (*_GROUP, "lr"), math.nan),
    "betas out of range": partial(_put, (*_GROUP, "betas"), (1.5, 0.999)),
    "one beta": partial(_put, (*_GROUP, "betas"), (0.9,)),
    "weight decay below 0": partial(_put, (*_GROUP, "weight_decay"), -1.0),
    "eps is infinite": partial(_put, (*_GROUP, "eps"), math.inf),
    "fused as text": partial(_put, (*_GROUP, "fused"), "yes"),
    "weights of the group in another order": partial(_put, (*_GROUP, "params"), [1, 0, 2, 3, 4, 5, 6, 7]),
    "fewer weights in the group": partial(_put, (*_GROUP, "params"), [0, 1]),
    "two groups": lambda content: _at(content, _GROUP[:-1]).append(copy.deepcopy(_at(content, _GROUP))),
    "no group": partial(_put, _GROUP[:-1], []),
    "group is no table": partial(_put, _GROUP, [1]),
    "optimizer state of a ninth weight": partial(_put, ("learner", "optimizer", "state", 8), {}),
    "optimizer state by text": partial(_put, ("learner", "optimizer", "state", "0"), {}),
    "optimizer state of a weight empty": partial(_put, ("learner", "optimizer", "state", 3), {}),
    "optimizer state of one weight missing": partial(_drop, ("learner", "optimizer", "state", 3)),
    "optimizer state missing": partial(_put, ("learner", "optimizer", "state"), {}),
    "moment of another optimizer": partial(_put, (*_MOMENT[:-1], "momentum_buffer"), torch.zeros(24, 12)),
    "average of steps below 0": partial(_put, ("learner", "average", "n_averaged"), torch.tensor(-1)),
    "average as of version 0.1 without steps": partial(_put, ("learner", "average"), {"weights": {}}),
    "scaler of a part": partial(_put, ("learner", "precision"), {"scale": 1.0}),
    "scaler of scale 0": partial(
        _put,
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
        _put,
        ("learner", "precision"),
        {
            "scale": 1.0,
            "growth_factor": math.nan,
            "backoff_factor": 0.5,
            "growth_interval": 2000,
            "_growth_tracker": 0,
        },
    ),
    "losses of no steps": partial(_put, (*_MONITOR, "taken"), 0),
    "steps without losses": lambda content: content["progress"]["monitor"].update(first=[], last=[]),
    "loss is NaN": partial(_put, (*_MONITOR, "first"), [math.nan] * _STEPS),
    "smoothed loss missing": partial(_put, (*_MONITOR, "smoothed"), None),
    "stride of 0": partial(_put, (*_MONITOR, "curves", "loss", "stride"), 0),
    "points of three numbers": partial(_put, (*_MONITOR, "curves", "loss", "points"), [[1, 0.5, 2]]),
    "points without end": partial(_put, (*_MONITOR, "curves", "rate", "points"), [[1, 0.5]] * 1000),
    "points of texts": partial(_put, (*_MONITOR, "curves", "rate", "points"), [["1", "0.5"]]),
    "validation of one number": partial(_put, ("progress", "validation", "latest"), [3]),
    "best validation as text": partial(_put, ("progress", "validation", "best"), "0.1"),
    "previews as text": partial(_put, ("progress", "previews", "paths"), "step-000003.png"),
    "previews of other names": partial(_put, ("progress", "previews", "paths"), ["/etc/passwd"]),
    "previews with a null": partial(_put, ("progress", "previews", "paths"), ["a\0/step-000003.png"]),
    "random numbers of another form": partial(_put, ("rng",), torch.zeros(5056, dtype=torch.uint8)),
    "nested too deep": partial(_put, ("progress", "monitor", "first"), _deep(40)),
    "nested far too deep": partial(_put, ("progress", "monitor", "first"), _deep(200)),
}

#: What a tensor may be that is none of the run's.
_TENSORS: dict[str, Callable[[Content], Any]] = {
    "weight of shape 3": _changed(_WEIGHT, lambda _: torch.zeros(3)),
    "weight transposed": _changed(_WEIGHT, lambda tensor: tensor.t().contiguous()),
    "weight with strides of another order": _changed(_WEIGHT, lambda tensor: tensor.t().contiguous().t()),
    "weight with gaps": _changed(_WEIGHT, lambda tensor: tensor.repeat(1, 2)[:, ::2]),
    "weight of one number": _changed(_WEIGHT, lambda tensor: torch.ones(1, 1).expand(tensor.shape)),
    "weight beyond its memory": _changed(_WEIGHT, lambda _: torch.zeros(1).as_strided((24, 12), (0, 0))),
    "weight is NaN": _changed(_WEIGHT, _with_number(math.nan)),
    "weight is infinite": _changed(_WEIGHT, _with_number(math.inf)),
    "weight of whole numbers": _changed(_WEIGHT, lambda tensor: tensor.long()),
    "weight of flags": _changed(_WEIGHT, lambda tensor: tensor > 0),
    "weight of half precision": _changed(_WEIGHT, lambda tensor: tensor.half()),
    "weight of double precision": _changed(_WEIGHT, lambda tensor: tensor.double()),
    "weight of complex numbers": _changed(_WEIGHT, lambda tensor: tensor.to(torch.complex64)),
    "weight is sparse": _changed(_WEIGHT, lambda tensor: tensor.to_sparse()),
    "weight on meta": _changed(_WEIGHT, lambda tensor: tensor.to("meta")),
    "weight as a list": _changed(_WEIGHT, lambda tensor: tensor.tolist()),
    "two weights in one memory": lambda content: _put(
        (*_WEIGHT[:-1], "pairs.12.1.linear.0.weight"), _at(content, _WEIGHT), content
    ),
    "average of another shape": _changed(_MEAN, lambda _: torch.zeros(3)),
    "average is NaN": _changed(_MEAN, _with_number(math.nan)),
    "moment of shape 3": _changed(_MOMENT, lambda _: torch.zeros(3)),
    "moment of no shape": _changed(_MOMENT, lambda _: torch.tensor(1.0)),
    "moment without numbers": _changed(_MOMENT, lambda _: torch.zeros(0)),
    "moment of whole numbers": _changed(_MOMENT, lambda tensor: tensor.int()),
    "moment is NaN": _changed(_MOMENT, _with_number(math.nan)),
    "moment far too large": _changed(_MOMENT, _with_number(1e38)),
    "square below 0": _changed(_SQUARE, _with_number(-1.0)),
    "square is infinite": _changed(_SQUARE, _with_number(math.inf)),
    "count below 0": _changed(_COUNT, _with_number(-5.0)),
    "count is NaN": _changed(_COUNT, _with_number(math.nan)),
    "count of a shape": _changed(_COUNT, lambda _: torch.ones(4)),
    "count as text": _changed(_COUNT, lambda _: "6"),  # type: ignore[arg-type,return-value]
}
