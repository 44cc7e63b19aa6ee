"""Optimizer states beside a network that do not fit: the run goes on without, and a warning names file and reason.

Each case starts from the state of a real optimizer that took a step on the network.
"""

from __future__ import annotations

import copy
import logging
import math
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.train.optim import optimizers
from hypernetwork_workbench.hypernetworks.train.run import train
from torch import Tensor

from tests.support.fake_ports import fake_ports
from tests.support.runs import draw_pictures, make_job, same, weights

from . import Case, NotHandledError
from .changes import Address, Content, addresses, another_type, at, changed, deep, drop, put, with_number

_SEED = 41
#: Generated cases for each optimizer.
_DRAWN = 4
_DRAWN_FOR = ("AdamW", "NAdam", "Adagrad", "SGD", "AdaFactor", "Prodigy", "DAdaptSGD", "ScheduleFreeAdamW", "CAME")
_ARGUMENTS = {"SGD": "momentum=0.9", "RMSprop": "momentum=0.9"}


def cases() -> Iterator[Case]:
    """Yield named cases, and some drawn from all places of the states of several optimizers."""
    for name, change in _OF_ADAMW.items():
        yield Case(f"optim: {name}", partial(_act, "AdamW", change))
    for (optimizer, name), change in _OF_OTHERS.items():
        yield Case(f"optim: {name} of {optimizer}", partial(_act, optimizer, change))
    for name, spoil in _FILES.items():
        yield Case(f"optim: {name}", partial(_act_on_file, spoil))
    for optimizer in _DRAWN_FOR:
        for number in range(_DRAWN):
            change = partial(_spoil_one, f"{_SEED} {number}")
            yield Case(f"optim: spoil one {number} of {optimizer}", partial(_act, optimizer, change))


def _spoil_one(seed: str, content: Content) -> None:
    draw = random.Random(seed)
    places = [place for place in addresses(content["optimizer_state_dict"]) if _is_kept(place)]
    place = ("optimizer_state_dict", *draw.choice(places))
    value = at(content, place)
    wrong: list[Any] = [another_type(value, draw)]
    if isinstance(value, Tensor):
        wrong += [torch.zeros(3, 1, 2), value.int().bool(), with_number(math.nan)(value)]
    put(place, draw.choice(wrong), content)


def _is_kept(place: Address) -> bool:
    """Tell whether a value takes part in the next step; options of the file never do."""
    return place[0] == "state" or place[-1] in {"params", "step", "d", "k", "lr_max", "weight_sum"}


def _act(optimizer: str, change: Callable[[Content], Any], folder: Path) -> str:
    def spoil(path: Path) -> None:
        content = {
            "optimizer_name": optimizer,
            "hash": files.short_hash(path.with_suffix("")),
            "optimizer_state_dict": copy.deepcopy(_sound(optimizer)[1]),
        }
        replacement = change(content)
        torch.save(content if replacement is None else replacement, path)

    return _act_on_file(spoil, folder, optimizer)


def _act_on_file(spoil: Callable[[Path], Any], folder: Path, optimizer: str = "AdamW") -> str:
    network, _, expected = _sound(optimizer)
    ports = fake_ports(folder)
    ports.network_dir.mkdir()
    path = ports.network_dir / "base.pt"
    path.write_bytes(network)
    spoil(files.optimizer_path(path))
    with _warnings() as said:
        result = train(_job(draw_pictures(folder / "pictures"), path, optimizer), ports)
    if not same(weights(result.network), expected):
        raise NotHandledError("the state was taken")
    if len(said) != 1 or "base.pt.optim" not in said[0]:
        raise NotHandledError(f"there is not one warning that names the file: {said}")
    return said[0]


def _job(pictures: Path, network: Path, optimizer: str) -> Any:
    changes = {
        "network__file": str(network),
        "optimizer__name": optimizer,
        "optimizer__arguments": _ARGUMENTS.get(optimizer, ""),
        "output__name": "more",
        "output__sheet": False,
        "train__max_steps": 2,
    }
    return make_job(pictures, **changes)


@cache
def _sound(optimizer: str) -> tuple[bytes, Any, dict[str, Tensor]]:
    """Return a network, an optimizer state that fits it, and the weights that a run ends with which has no such state.

    The run that has the state must end with other weights, or else a case would show nothing.
    """
    with TemporaryDirectory() as place:
        folder = Path(place)
        pictures = draw_pictures(folder / "pictures")
        path = train(make_job(pictures, train__max_steps=1), fake_ports(folder / "first")).network
        without = weights(train(_job(pictures, path, optimizer), fake_ports(folder / "without")).network)
        state = _state(path, optimizer)
        files.save_optimizer_state(files.optimizer_path(path), optimizer, state, files.short_hash(path))
        with_state = weights(train(_job(pictures, path, optimizer), fake_ports(folder / "with")).network)
        assert not same(without, with_state), f"the sound state of {optimizer} changes nothing"
        return path.read_bytes(), state, without


def _state(path: Path, optimizer: str) -> Any:
    network = files.load(path).requires_grad_()
    found = optimizers.build(network.parameters(), optimizer, _ARGUMENTS.get(optimizer, ""))
    for number in range(3):
        generator = torch.Generator().manual_seed(number)
        for weight in network.parameters():
            weight.grad = torch.randn(weight.shape, generator=generator)
        found.param_groups[0]["lr"] = 0.01
        found.step()
    return found.state_dict()


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """For its length the warnings of training are gathered in a list."""

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    said: list[str] = []
    listener, log = Listener(logging.WARNING), logging.getLogger("hypernetwork_workbench.hypernetworks.train")
    log.addHandler(listener)
    try:
        yield said
    finally:
        log.removeHandler(listener)


_STATE: Address = ("optimizer_state_dict", "state")
_MOMENT: Address = (*_STATE, 0, "exp_avg")
_SQUARE: Address = (*_STATE, 3, "exp_avg_sq")
_COUNT: Address = (*_STATE, 2, "step")
_GROUP: Address = ("optimizer_state_dict", "param_groups", 0)

_OF_ADAMW: dict[str, Callable[[Content], Any]] = {
    "no table": lambda _: [1, 2],
    "state is a list": partial(put, ("optimizer_state_dict",), [1]),
    "state is a number": partial(put, ("optimizer_state_dict",), 1),
    "name of another optimizer": partial(put, ("optimizer_name",), "Lion"),
    "name is no text": partial(put, ("optimizer_name",), [1]),
    "name is endless": partial(put, ("optimizer_name",), "AdamW" * 1000),
    "weights are a list": partial(put, _STATE, [1]),
    "one weight too many": lambda content: put((*_STATE, 8), at(content, (*_STATE, 7)), content),
    "weight is a list": partial(put, (*_STATE, 0), [1]),
    "weight missing": partial(drop, (*_STATE, 5)),
    "moment of shape 3": changed(_MOMENT, lambda _: torch.zeros(3)),
    "moments all of shape 3": lambda content: [
        put((*_STATE, number, "exp_avg"), torch.zeros(3), content) for number in range(8)
    ].clear(),
    "moment transposed": changed(_MOMENT, lambda tensor: tensor.t().contiguous()),
    "moment with strides of another order": changed(_MOMENT, lambda tensor: tensor.t().contiguous().t()),
    "moment with gaps": changed(_MOMENT, lambda tensor: tensor.repeat(1, 2)[:, ::2]),
    "moment over one number": changed(_MOMENT, lambda tensor: torch.ones(1, 1).expand(tensor.shape)),
    "moment of whole numbers": changed(_MOMENT, lambda tensor: tensor.long()),
    "moment of flags": changed(_MOMENT, lambda tensor: tensor > 0),
    "moment of double precision": changed(_MOMENT, lambda tensor: tensor.double()),
    "moment of complex numbers": changed(_MOMENT, lambda tensor: tensor.to(torch.complex64)),
    "moment is sparse": changed(_MOMENT, lambda tensor: tensor.to_sparse()),
    "moment on meta": changed(_MOMENT, lambda tensor: tensor.to("meta")),
    "moment is NaN": changed(_MOMENT, with_number(math.nan)),
    "moment is a text": partial(put, _MOMENT, "0.5"),
    "moment is a number": partial(put, _MOMENT, 0.5),
    "moment missing": partial(drop, _MOMENT),
    "moment of another name": partial(put, (*_STATE, 1, "momentum_buffer"), torch.zeros(24)),
    "moments in one memory": lambda content: put(_MOMENT, at(content, (*_STATE, 4, "exp_avg")), content),
    "square below 0": changed(_SQUARE, with_number(-1.0)),
    "square is infinite": changed(_SQUARE, with_number(math.inf)),
    "count below 0": partial(put, _COUNT, torch.tensor(-5.0)),
    "count below 0 as a number": partial(put, _COUNT, -5),
    "count as a flag": partial(put, _COUNT, True),
    "count as a text": partial(put, _COUNT, "5"),
    "count far too large": partial(put, _COUNT, 2**79),
    "count of a shape": partial(put, _COUNT, torch.ones(24)),
    "rate of a billion": partial(put, (*_GROUP, "lr"), 1e9),
    "rate is NaN": partial(put, (*_GROUP, "lr"), math.nan),
    "rate is a tensor": partial(put, (*_GROUP, "lr"), torch.tensor(0.1)),
    "maximize": partial(put, (*_GROUP, "maximize"), True),
    "amsgrad": partial(put, (*_GROUP, "amsgrad"), True),
    "betas out of range": partial(put, (*_GROUP, "betas"), (0.9, 1.0)),
    "betas are texts": partial(put, (*_GROUP, "betas"), ("0.9", "0.999")),
    "weight decay is NaN": partial(put, (*_GROUP, "weight_decay"), math.nan),
    "eps below 0": partial(put, (*_GROUP, "eps"), -1e-8),
    "foreach is a text": partial(put, (*_GROUP, "foreach"), "yes"),
    "two groups": lambda content: at(content, _GROUP[:-1]).append(copy.deepcopy(at(content, _GROUP))),
    "no group": partial(put, _GROUP[:-1], []),
    "weights in another order": partial(put, (*_GROUP, "params"), [7, 6, 5, 4, 3, 2, 1, 0]),
    "fewer weights": partial(put, (*_GROUP, "params"), [0, 1, 2]),
    "weights by text": partial(put, (*_GROUP, "params"), list("01234567")),
    "nested too deep": partial(put, _MOMENT, deep(200)),
}

_OF_OTHERS: dict[tuple[str, str], Callable[[Content], Any]] = {
    ("Prodigy", "estimate of a billion"): partial(put, (*_GROUP, "d"), 1e9),
    ("Prodigy", "estimate 0"): partial(put, (*_GROUP, "d"), 0.0),
    ("Prodigy", "estimate is NaN"): partial(put, (*_GROUP, "d_max"), math.nan),
    ("Prodigy", "numerator of another shape"): partial(put, (*_GROUP, "d_numerator"), torch.zeros(3)),
    ("Prodigy", "start is of another shape"): partial(put, (*_STATE, 0, "p0"), torch.zeros(3)),
    ("Prodigy", "steps below 0"): partial(put, (*_GROUP, "step"), -3),
    ("Prodigy", "no steps"): partial(drop, (*_GROUP, "step")),
    ("AdaFactor", "no steps"): partial(drop, (*_GROUP, "step")),
    ("AdaFactor", "rows as columns"): lambda content: put(
        (*_STATE, 0, "exp_avg_sq_row"), at(content, (*_STATE, 0, "exp_avg_sq_col")).clone(), content
    ),
    ("AdaFactor", "moment in another precision"): changed(_MOMENT, lambda tensor: tensor.float()),
    ("AdaFactor", "square that is not factored"): partial(put, (*_STATE, 0, "exp_avg_sq"), torch.zeros(24, 12)),
    ("CAME", "residual below 0"): changed((*_STATE, 0, "exp_avg_res_row"), with_number(-1.0)),
    ("ScheduleFreeAdamW", "weight sum below 0"): partial(put, (*_GROUP, "weight_sum"), -1.0),
    ("ScheduleFreeAdamW", "largest rate of a billion"): partial(put, (*_GROUP, "lr_max"), 1e9),
    ("ScheduleFreeAdamW", "other weights of another shape"): partial(put, (*_STATE, 0, "z"), torch.zeros(12, 24)),
    ("DAdaptSGD", "norm below 0"): partial(put, (*_GROUP, "g0_norm"), -1.0),
    ("SGD", "momentum of shape 3"): partial(put, (*_STATE, 0, "momentum_buffer"), torch.zeros(3)),
    ("Adagrad", "no sums"): partial(put, _STATE, {}),
    ("NAdam", "product above 1"): partial(put, (*_STATE, 0, "mu_product"), torch.tensor(7.0)),
}


def _cut_short(path: Path) -> None:
    files.save_optimizer_state(path, "AdamW", {"a": torch.zeros(99)}, "0123456789")
    os.truncate(path, 200)


_FILES: dict[str, Callable[[Path], Any]] = {
    "file is empty": lambda path: path.write_bytes(b""),
    "file is a text": lambda path: path.write_text("AdamW"),
    "file is a folder": lambda path: path.mkdir(),
    "file is cut short": _cut_short,
    **({"file is a pipe": os.mkfifo} if hasattr(os, "mkfifo") else {}),
}
