"""What an optimizer keeps from step to step: checked where it comes from a file, and put back as it was.

Options such as betas are those of the run, not of a file; a file with other ones is of another optimizer, or of none.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from ...base.forms import (
    Anything,
    Array,
    Exactly,
    Flag,
    Form,
    ListOf,
    Maybe,
    Number,
    Record,
    Row,
    Table,
    Text,
    UnfitError,
    Whole,
)

Build = Callable[[list[Tensor]], torch.optim.Optimizer]

_TRIAL_STEPS = 2
_TRIAL_RATE = 1e-3
_MAX_RATE = 1000.0
_LARGEST = 1e20
_SMALLEST = 1e-30
_ALMOST_ONE = 1 - 1e-12
#: Limits of what is kept, where they are narrower than those of any number: counts, means of squares, and rates.
_LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("step", "k"), (0, 1e9)),
    **dict.fromkeys(("exp_avg_sq", "max_exp_avg_sq", "square_avg", "sum", "alpha_k", "RMS"), (0, _LARGEST)),
    **dict.fromkeys((f"exp_avg_{kind}_{axis}" for kind in ("sq", "res") for axis in ("row", "col")), (0, _LARGEST)),
    **dict.fromkeys(("d_de_nom", "gsq_weighted", "sk_sq_weighted", "sk_l1", "g0_norm", "weight_sum"), (0, _LARGEST)),
    **dict.fromkeys(("absmax1", "absmax2", "state2"), (0, _LARGEST)),
    **dict.fromkeys(("d", "d_max"), (_SMALLEST, _MAX_RATE)),
    **dict.fromkeys(("qmap1", "qmap2"), (-1, 1)),
    "lr_max": (-1, _MAX_RATE),
    "mu_product": (0, 1),
}
#: What is kept for a weight, before its form is looked at.
_ENTRY = Table(Text(100), Anything(), 100)
#: Options that say how a step is computed and not what it does.
_IMPLEMENTATION = frozenset({"foreach", "fused", "capturable", "differentiable"})


@dataclass(frozen=True)
class OptimizerForm(Form):
    """The form of what an optimizer keeps, learnt from the optimizer itself in a trial.

    Attributes:
        weights: what is kept for each weight.
        together: for each weight the number of the first one that always takes part in a step together with it.
        is_eager: the optimizer keeps something for every weight from the start.
        own: what is kept for all weights.
        options: what the run sets.
    """

    weights: tuple[Record, ...]
    together: tuple[int, ...]
    is_eager: bool
    own: Record
    options: Mapping[str, Form]

    @classmethod
    def of(cls, groups: Sequence[Sequence[Tensor]], build: Build, device: torch.device) -> OptimizerForm:
        """Return the form for the optimizer that `build` makes.

        Args:
            groups: all weights in order; those of a group always take part in a step together.
            device: where the steps are taken.
        """
        weights = [weight for group in groups for weight in group]
        examples = {weight.shape: _random(weight, 0, device).requires_grad_() for weight in weights}
        optimizer = build(list(examples.values()))
        before, is_eager = _own(optimizer), bool(optimizer.state)
        for step in range(_TRIAL_STEPS):
            optimizer.param_groups[0]["lr"] = _TRIAL_RATE
            for example in examples.values():
                example.grad = _random(example, 1 + step, device)
            optimizer.step()
        own, group = _own(optimizer), optimizer.param_groups[0]
        starts = accumulate(map(len, groups), initial=0)
        return cls(
            weights=tuple(_record(_flat(optimizer.state.get(examples[weight.shape], {}))) for weight in weights),
            together=tuple(start for start, group in zip(starts, groups, strict=False) for _ in group),
            is_eager=is_eager,
            own=_record(own, optional=frozenset(own.keys() - before.keys())),
            options={name: _option(name, group[name]) for name in sorted(_options(optimizer))},
        )

    @property
    def keeps_for_weights(self) -> bool:
        """Whether the optimizer keeps anything for single weights."""
        return any(record.fields for record in self.weights)

    def take(self, state: Any, place: str = "") -> dict[str, Any]:
        """Return what `put_back` takes, from a `state_dict()` that was read from a file.

        Raises:
            UnfitError: it is of another kind of optimizer, has other options, is for other weights, or is damaged.
        """
        count = len(self.weights)
        parts = {"state": Table(Whole(0, count - 1), _ENTRY, count), "param_groups": Row((Anything(),))}
        found = Record(parts).take(state, place)
        entries = {number: _flat(entry) for number, entry in sorted(found["state"].items())}
        kept = {
            number: self.weights[number].take(entry, f"{place}.state.{number}".lstrip("."))
            for number, entry in entries.items()
            if entry or self.weights[number].fields
        }
        self._check_complete(kept, f"{place}.state".lstrip("."))
        return {"state": kept, "param_groups": [self._group(found["param_groups"][0], kept, f"{place}.param_groups")]}

    def _check_complete(self, kept: Mapping[int, Any], place: str) -> None:
        """Refuse a state that lacks a weight, but holds others that are always trained with it."""
        seen = {self.together[number] for number in kept}
        for number, record in enumerate(self.weights):
            if record.fields and number not in kept and (self.is_eager or self.together[number] in seen):
                raise UnfitError(f"{place} lacks weight {number}")

    def _group(self, group: Any, kept: Mapping[int, Any], place: str) -> dict[str, Any]:
        """Return what is kept for all weights; the options are only looked at."""
        place = place.lstrip(".")
        if not isinstance(group, Mapping):
            raise UnfitError(f"{place} holds no table")
        count = len(self.weights)
        numbers = ListOf(Whole(0, count - 1), count).take(group.get("params"), f"{place}.params")
        if numbers != list(range(count)):
            raise UnfitError(f"{place}.params names {len(numbers)} of {count} weights, or in another order")
        for name, form in self.options.items():
            if name in group:
                form.take(group[name], f"{place}.{name}")
        found = {name: group[name] for name in self.own.fields if group.get(name) is not None}
        own = self.own.take(found, place)
        if kept and "step" in self.own.fields and "step" not in own:
            raise UnfitError(f"{place} lacks step")
        return own


def put_back(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Give an optimizer what its `state_dict()` or `OptimizerForm.take` gave, bit for bit.

    Torch's `load_state_dict` would turn all numbers into the dtype of the weights, leave what is kept for all weights
    on the device it was read to, and take the options over.
    """
    group, saved = optimizer.param_groups[0], state["param_groups"][0]
    weights: list[Tensor] = group["params"]
    # Torch leaves counts on the CPU, unless a kernel on the device reads them.
    counts = weights[0].device if group.get("fused") or group.get("capturable") else torch.device("cpu")

    def placed(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(map(placed, value))
        if not isinstance(value, Tensor):
            return value
        return value.to(weights[0].device if value.dim() else counts, copy=True)

    optimizer.state.clear()
    for number, entry in state["state"].items():
        optimizer.state[weights[number]] = {name: placed(value) for name, value in _flat(entry).items()}
    for name in _own(optimizer).keys() - saved.keys():
        del group[name]
    group |= {name: placed(value) for name, value in _own_of(saved, _options(optimizer)).items()}


def _random(like: Tensor, seed: int, device: torch.device) -> Tensor:
    numbers = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
    return numbers.to(device, like.dtype)


def _flat(entry: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return what is kept for a weight without what is None; bitsandbytes keeps some of it in a table of its own."""
    flat: dict[Any, Any] = {}
    for name, value in entry.items():
        flat |= _flat(value) if isinstance(value, Mapping) else {name: value}
    return {name: value for name, value in flat.items() if value is not None}


def _options(optimizer: torch.optim.Optimizer) -> set[str]:
    """Return the names of the options in the optimizer's group of weights."""
    makers = (cls.__init__ for cls in type(optimizer).__mro__ if "__init__" in vars(cls))  # type: ignore[misc]
    names = {name for maker in makers for name in inspect.signature(maker).parameters}
    return names & optimizer.param_groups[0].keys() - {"params"}


def _own(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return what is kept for all weights."""
    return _own_of(optimizer.param_groups[0], _options(optimizer))


def _own_of(group: Mapping[str, Any], options: set[str]) -> dict[str, Any]:
    """Leave out flags too: they say how the optimizer was made, or that it is in the middle of training."""
    return {
        name: value
        for name, value in group.items()
        if name not in options | {"params"} and value is not None and not isinstance(value, bool)
    }


def _record(kept: Mapping[str, Any], optional: frozenset[str] = frozenset()) -> Record:
    return Record({name: _form(name, value) for name, value in kept.items()}, optional)


def _form(name: str, value: Any) -> Form:
    if isinstance(value, (list, tuple)):
        return Row(tuple(_form(name, one) for one in value))
    low, high = _LIMITS.get(name, (-_LARGEST, _LARGEST))
    if not _is_within(value, low, high):  # another optimizer means something else by this name
        low, high = -_LARGEST, _LARGEST
    if isinstance(value, Tensor):
        return Array(tuple(value.shape), value.dtype, low, high)
    return Whole(math.ceil(low), int(high)) if isinstance(value, int) else Number(low, high)


def _is_within(value: Any, low: float, high: float) -> bool:
    if isinstance(value, Tensor):
        return not value.numel() or bool(low <= value.min() and value.max() <= high)
    return not isinstance(value, (int, float)) or low <= value <= high


def _option(name: str, value: Any) -> Form:
    """Return the form of an option whose value is `value` in this run."""
    if name in _IMPLEMENTATION:
        return Maybe(Flag())
    if isinstance(value, bool):
        return Exactly(value)
    if isinstance(value, (tuple, list)) and all(_is_number(one) for one in value):
        low, high = (0, _ALMOST_ONE) if all(0 <= one <= _ALMOST_ONE for one in value) else (-_LARGEST, _LARGEST)
        return Row((Number(low, high),) * len(value))
    if value is not None and not _is_number(value):
        return Anything()  # it is not taken from the file
    most = _MAX_RATE if name == "lr" else math.inf
    least = -math.inf if value is not None and value < 0 else 0
    return Maybe(Number(least, most, is_finite=not (isinstance(value, float) and math.isinf(value))))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
