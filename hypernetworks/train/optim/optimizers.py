"""Optimizers by name, from torch and from well-kept libraries; nothing is installed while training.

One of those is a row of `KINDS`; one of our own is a file of this room that adds itself.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...base import numbers
from ...base.errors import NumberError, SettingsError
from ...base.outside import shown
from ...base.registry import Registry

_MOST_CHARACTERS = 2000
#: Parameters of every optimizer that the trainer sets, not the user.
_OURS = {"params", "lr", "kwargs", "maximize", "differentiable", "capturable"}


@dataclass(frozen=True)
class OptimizerKind:
    """An optimizer class and its library.

    Attributes:
        module: the module to import.
        attribute: name of the class in it.
        package: the package to install where the module is missing.
        is_fused: whether it has a fused step on every GPU that torch supports, and on the CPU.
        finds_rate: whether it finds the size of its steps by itself, as a multiple of the rate.
        defaults: options that must differ from the class's own, since the rate is set from outside.
    """

    module: str
    attribute: str
    package: str = "torch"
    is_fused: bool = False
    finds_rate: bool = False
    defaults: dict[str, Any] = field(default_factory=dict)


#: First version of torch with fused steps on the CPU.
_FUSED_ON_CPU = (2, 4)


def _from_library(attribute: str, finds_rate: bool = False, **defaults: Any) -> OptimizerKind:
    return OptimizerKind("pytorch_optimizer", attribute, "pytorch-optimizer", False, finds_rate, defaults)


KINDS = Registry(
    {
        "AdamW": OptimizerKind("torch.optim", "AdamW", is_fused=True),
        "Adam": OptimizerKind("torch.optim", "Adam", is_fused=True),
        "NAdam": OptimizerKind("torch.optim", "NAdam"),
        "RAdam": OptimizerKind("torch.optim", "RAdam"),
        "Adagrad": OptimizerKind("torch.optim", "Adagrad"),
        "RMSprop": OptimizerKind("torch.optim", "RMSprop"),
        "SGD": OptimizerKind("torch.optim", "SGD", is_fused=True),
        "AdamW8bit": OptimizerKind("bitsandbytes.optim", "AdamW8bit", "bitsandbytes"),
        "Lion8bit": OptimizerKind("bitsandbytes.optim", "Lion8bit", "bitsandbytes"),
        "Lion": _from_library("Lion"),
        "AdaFactor": _from_library("AdaFactor", relative_step=False, scale_parameter=False),
        "Prodigy": _from_library("Prodigy", finds_rate=True),
        "DAdaptAdam": _from_library("DAdaptAdam", finds_rate=True),
        "DAdaptAdaGrad": _from_library("DAdaptAdaGrad", finds_rate=True),
        "DAdaptSGD": _from_library("DAdaptSGD", finds_rate=True),
        "DAdaptLion": _from_library("DAdaptLion", finds_rate=True),
        "ScheduleFreeAdamW": _from_library("ScheduleFreeAdamW"),
        "ScheduleFreeSGD": _from_library("ScheduleFreeSGD"),
        "CAME": _from_library("CAME"),
        "Adan": _from_library("Adan"),
    },
    room=__package__,
)


def build(parameters: Iterable[Tensor], name: str, arguments: str) -> torch.optim.Optimizer:
    """Return the optimizer `name` for `parameters`; its rate is set before each step.

    Raises:
        SettingsError: the package is missing, or an option is unknown or refused; names `name` or `arguments`.
    """
    kind, cls = KINDS[name], _class(name)
    weights = list(parameters)
    fused = {"fused": True} if kind.is_fused and _can_be_fused(weights) else {}
    options = kind.defaults | fused | _checked(name, cls, arguments)
    try:
        optimizer = cls(weights, lr=1.0, **options)
    except (TypeError, ValueError, AssertionError, RuntimeError, LookupError, ArithmeticError, AttributeError) as error:
        raise SettingsError("optimizer.arguments", f"{name} refuses them: {error}") from error
    except Exception as error:
        # pytorch-optimizer's errors for wrong values have no common base but Exception.
        if type(error).__module__.startswith("pytorch_optimizer"):
            raise SettingsError("optimizer.arguments", f"{name} refuses them: {error}") from error
        raise
    return optimizer


def check_arguments(name: str, text: str) -> None:
    """Raise SettingsError if `text` has another form than `key=value, ...`, or a key that the optimizer lacks.

    An optimizer whose package is missing is refused where the run starts, so that forms and files still open.
    """
    values = parse_arguments(text)
    kind = KINDS[name]
    if not values or importlib.util.find_spec(kind.module.partition(".")[0]) is None:
        return
    _checked(name, _class(name), text)


def _can_be_fused(weights: list[Tensor]) -> bool:
    """Tell whether torch has a fused step for the device of the weights.

    It is six times as fast on a CPU, and on a GPU it leaves out a bad step by itself, without waiting for the CPU.
    """
    devices = {weight.device.type for weight in weights}
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    return devices == {"cuda"} or (devices == {"cpu"} and version >= _FUSED_ON_CPU)


def parse_arguments(text: str) -> dict[str, Any]:
    """Return the options in a text such as `weight_decay=0.01, betas=(0.9, 0.99)`.

    Raises:
        SettingsError: the text has another form; names `arguments`.
    """
    if len(text) > _MOST_CHARACTERS:
        raise SettingsError("arguments", f"is longer than {_MOST_CHARACTERS} characters")
    wanted = f"must have the form key=value, key=value, not {shown(text)}"
    plain = numbers.plain_outside_quotes(text)
    try:
        numbers.check_pairs(plain)
        call = ast.parse(f"f({plain})", mode="eval").body
    except NumberError as error:
        raise SettingsError("arguments", str(error)) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise SettingsError("arguments", wanted) from None
    is_call = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args
    if not isinstance(call, ast.Call) or not is_call or any(keyword.arg is None for keyword in call.keywords):
        raise SettingsError("arguments", wanted)
    values: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg in values:
            raise SettingsError("arguments", f"{keyword.arg} is there twice")
        try:
            values[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, RecursionError, MemoryError):
            raise SettingsError(
                "arguments",
                f"the value of {keyword.arg} must be a number, true or false as Python writes them, or a list of "
                "numbers",
            ) from None
    return values


def _class(name: str) -> Any:
    kind = KINDS[name]
    try:
        return getattr(importlib.import_module(kind.module), kind.attribute)
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            "optimizer.name", f"{name} needs the package {kind.package}, which is not installed or too old"
        ) from error


def _checked(name: str, cls: Any, text: str) -> dict[str, Any]:
    values = parse_arguments(text)
    known = [key for key in inspect.signature(cls).parameters if key not in _OURS]
    for key in values:
        if key not in known:
            raise SettingsError("arguments", f"{name} has no option {key}; it has {', '.join(known)}")
    return values
