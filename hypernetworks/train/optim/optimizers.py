"""Optimizers by name, from torch and from well-kept libraries; nothing is installed while training.

Those that people know are rows of `KINDS`; one of our own is a file of this room that adds itself. Any other of torch
is chosen by its name, and those of the packages on `SHELF` as `module.Class`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...base.errors import SettingsError
from ...base.outside import shown
from ...base.registry import Registry
from .arguments import check_known, parse_arguments
from .installed import Shelf, is_installed

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
        finds_rate: whether it finds the size of its steps by itself, as a multiple of the rate; None asks the class.
        defaults: options that must differ from the class's own, since the rate is set from outside.
    """

    module: str
    attribute: str
    package: str = "torch"
    is_fused: bool = False
    finds_rate: bool | None = False
    defaults: dict[str, Any] = field(default_factory=dict)


#: First version of torch with fused steps on the CPU.
_FUSED_ON_CPU = (2, 4)


SHELF = Shelf(
    setting="name",
    what="optimizers",
    packages={
        "torch.optim": "torch",
        "bitsandbytes.optim": "bitsandbytes",
        "pytorch_optimizer": "pytorch-optimizer",
        "dadaptation": "dadaptation",
        "dadaptation.experimental": "dadaptation",
        "prodigyopt": "prodigyopt",
        "prodigyplus": "prodigy-plus-schedule-free",
        "schedulefree": "schedulefree",
        "lion_pytorch": "lion-pytorch",
        "came_pytorch": "came-pytorch",
        "transformers.optimization": "transformers",
    },
    base=torch.optim.Optimizer,
    home="torch.optim",
)


def _row(module: str, attribute: str, finds_rate: bool = False, **defaults: Any) -> OptimizerKind:
    return OptimizerKind(module, attribute, SHELF.packages[module], False, finds_rate, defaults)


_OTHERS, _8BIT, _DADAPTATION = "pytorch_optimizer", "bitsandbytes.optim", "dadaptation.experimental"
_NESTEROV: dict[str, Any] = {"momentum": 0.9, "nesterov": True}
KINDS = Registry(
    {
        "AdamW": OptimizerKind("torch.optim", "AdamW", is_fused=True),
        "Adam": OptimizerKind("torch.optim", "Adam", is_fused=True),
        "NAdam": _row("torch.optim", "NAdam"),
        "RAdam": _row("torch.optim", "RAdam"),
        "Adagrad": _row("torch.optim", "Adagrad"),
        "RMSprop": _row("torch.optim", "RMSprop"),
        "SGD": OptimizerKind("torch.optim", "SGD", is_fused=True),
        "SGDNesterov": OptimizerKind("torch.optim", "SGD", is_fused=True, defaults=_NESTEROV),
        "AdamW8bit": _row(_8BIT, "AdamW8bit"),
        "Lion8bit": _row(_8BIT, "Lion8bit"),
        "AdEMAMix8bit": _row(_8BIT, "AdEMAMix8bit"),
        "SGDNesterov8bit": _row(_8BIT, "SGD8bit", **_NESTEROV),
        "Lion": _row(_OTHERS, "Lion"),
        "AdaFactor": _row(_OTHERS, "AdaFactor", relative_step=False, scale_parameter=False),
        "Prodigy": _row(_OTHERS, "Prodigy", finds_rate=True),
        "DAdaptAdam": _row(_OTHERS, "DAdaptAdam", finds_rate=True),
        "DAdaptAdaGrad": _row(_OTHERS, "DAdaptAdaGrad", finds_rate=True),
        "DAdaptSGD": _row(_OTHERS, "DAdaptSGD", finds_rate=True),
        "DAdaptLion": _row(_OTHERS, "DAdaptLion", finds_rate=True),
        "DAdaptAdan": _row(_OTHERS, "DAdaptAdan", finds_rate=True),
        "DAdaptAdanIP": _row(_DADAPTATION, "DAdaptAdanIP", finds_rate=True),
        "DAdaptAdamPreprint": _row(_DADAPTATION, "DAdaptAdamPreprint", finds_rate=True),
        "ScheduleFreeAdamW": _row(_OTHERS, "ScheduleFreeAdamW"),
        "ScheduleFreeSGD": _row(_OTHERS, "ScheduleFreeSGD"),
        "ScheduleFreeRAdam": _row(_OTHERS, "ScheduleFreeRAdam"),
        "CAME": _row(_OTHERS, "CAME"),
        "Adan": _row(_OTHERS, "Adan"),
    },
    room=__package__,
)


def kind_of(name: str) -> OptimizerKind:
    """Return the optimizer of a name: a row of `KINDS`, or a class of torch or of a package on `SHELF`.

    Raises:
        SettingsError: there is none; says what the names are.
    """
    if name in KINDS:
        return KINDS[name]
    module, attribute, package = SHELF.place(name)
    return OptimizerKind(module, attribute, package, finds_rate=None)


def check_name(field: str, name: str) -> None:
    """Raise SettingsError, which names `field`, for a name that no optimizer has."""
    if name not in KINDS:
        known = ", ".join(KINDS)
        reason = f"must be one of {known}, another of torch.optim, or module.Class of a package, not {shown(name)}"
        SHELF.check(field, name, reason)


def build(parameters: Iterable[Tensor], name: str, arguments: str) -> torch.optim.Optimizer:
    """Return the optimizer `name` for `parameters`; its rate is set before each step.

    Raises:
        SettingsError: the package is missing, or an option is unknown or refused; names `name` or `arguments`.
    """
    kind, cls = kind_of(name), _class(name)
    weights = list(parameters)
    fused = {"fused": True} if kind.is_fused and _can_be_fused(weights) else {}
    options = kind.defaults | _of_class(kind, cls) | fused | _checked(name, cls, arguments)
    rate = None if options.get("relative_step") else 1.0  # transformers' AdaFactor refuses one beside its own
    try:
        optimizer = cls(weights, lr=rate, **options)
    except (TypeError, ValueError, AssertionError, RuntimeError, LookupError, ArithmeticError, AttributeError) as error:
        raise _refusal(name, arguments, error) from error
    except Exception as error:
        # pytorch-optimizer's errors for wrong values have no common base but Exception.
        if type(error).__module__.startswith("pytorch_optimizer"):
            raise _refusal(name, arguments, error) from error
        raise
    if optimizer.param_groups[0].get("train_mode") is False:  # schedule-free ones take no step before they are told
        optimizer.train()
        optimizer.state.clear()  # they look for the state of each weight, which leaves empty ones
    return optimizer


def check_arguments(name: str, text: str) -> None:
    """Raise SettingsError if `text` has another form than `key=value, ...`, or a key that the optimizer lacks.

    An optimizer whose package is missing is refused where the run starts, so that forms and files still open.
    """
    values = parse_arguments(text)
    if values and is_installed(kind_of(name).module):
        _checked(name, _class(name), text)


def finds_rate(name: str) -> bool:
    """Tell whether an optimizer finds the size of its steps by itself, as a multiple of the rate."""
    kind = kind_of(name)
    if kind.finds_rate is None:
        # D-Adaptation, Prodigy and what follows them begin with a guess of this name.
        return is_installed(kind.module) and "d0" in inspect.signature(_class(name)).parameters
    return kind.finds_rate


def _of_class(kind: OptimizerKind, cls: Any) -> dict[str, Any]:
    """Return what a class of no row must do otherwise than by itself, since the rate is set from outside."""
    known = inspect.signature(cls).parameters
    ours = {"relative_step": False, "scale_parameter": False}
    return {} if kind.defaults else {name: value for name, value in ours.items() if name in known}


def _refusal(name: str, arguments: str, error: Exception) -> SettingsError:
    if arguments:
        return SettingsError("optimizer.arguments", f"{name} refuses them: {error}")
    return SettingsError("optimizer.name", f"{name} cannot be made for these weights: {error}")


def _can_be_fused(weights: list[Tensor]) -> bool:
    """Tell whether torch has a fused step for the device of the weights.

    It is six times as fast on a CPU, and on a GPU it leaves out a bad step by itself, without waiting for the CPU.
    """
    devices = {weight.device.type for weight in weights}
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    return devices == {"cuda"} or (devices == {"cpu"} and version >= _FUSED_ON_CPU)


def _class(name: str) -> Any:
    kind = kind_of(name)
    try:
        return getattr(importlib.import_module(kind.module), kind.attribute)
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            "optimizer.name", f"{name} needs the package {kind.package}, which is not installed or too old"
        ) from error
    except Exception as error:  # a broken installation raises whatever it likes
        raise SettingsError(
            "optimizer.name", f"{name} needs the package {kind.package}, which does not load here: {error}"
        ) from error


def _checked(name: str, cls: Any, text: str) -> dict[str, Any]:
    values = parse_arguments(text)
    check_known(name, cls, values, _OURS)
    return values
