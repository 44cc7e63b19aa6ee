"""The activations of the format, each with its properties."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from ..base.errors import SettingsError
from ..base.registry import Registry


class _LegacySoftmax(nn.Module):
    """A softmax over the axis that torch chooses by default, as the format's files mean it.

    Torch takes axis 0 for one or three axes and axis 1 otherwise: for [batch, tokens, width] it is the batch.
    """

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, dim=0 if x.dim() in {0, 1, 3} else 1)


@dataclass(frozen=True)
class Activation:
    """An activation of the format.

    Attributes:
        make: builds its module.
        passes_zero: whether it is 0 at 0 with a slope there: a zero layer before it adds nothing and still learns.
        is_common: whether ComfyUI, which knows the fewest of all readers, knows it.
        is_random: whether it draws random numbers in training.
    """

    make: Callable[[], nn.Module]
    passes_zero: bool = False
    is_torchs: bool = True
    is_common: bool = False
    is_random: bool = False


ACTIVATIONS = Registry(
    {
        "linear": Activation(nn.Identity, passes_zero=True, is_common=True),
        "relu": Activation(nn.ReLU, is_common=True),
        "leakyrelu": Activation(nn.LeakyReLU, passes_zero=True, is_common=True),
        "elu": Activation(nn.ELU, passes_zero=True, is_common=True),
        "swish": Activation(nn.Hardswish, passes_zero=True, is_common=True),
        "tanh": Activation(nn.Tanh, passes_zero=True, is_common=True),
        "sigmoid": Activation(nn.Sigmoid, is_common=True),
        "celu": Activation(nn.CELU, passes_zero=True),
        "gelu": Activation(nn.GELU, passes_zero=True),
        "hardshrink": Activation(nn.Hardshrink),
        "hardsigmoid": Activation(nn.Hardsigmoid),
        "hardtanh": Activation(nn.Hardtanh, passes_zero=True),
        "logsigmoid": Activation(nn.LogSigmoid),
        "logsoftmax": Activation(lambda: _LegacySoftmax(functional.log_softmax)),
        "mish": Activation(nn.Mish, passes_zero=True, is_common=True),
        "relu6": Activation(nn.ReLU6),
        "rrelu": Activation(nn.RReLU, passes_zero=True, is_random=True),
        "selu": Activation(nn.SELU, passes_zero=True),
        "silu": Activation(nn.SiLU, passes_zero=True),
        "softmax": Activation(lambda: _LegacySoftmax(functional.softmax)),
        "softmax2d": Activation(nn.Softmax2d),
        "softmin": Activation(lambda: _LegacySoftmax(functional.softmin)),
        "softplus": Activation(nn.Softplus),
        "softshrink": Activation(nn.Softshrink),
        "softsign": Activation(nn.Softsign, passes_zero=True, is_common=True),
        "tanhshrink": Activation(nn.Tanhshrink),
    }
)
"""Every activation of the format by the name it has in a file; `linear` means none, `swish` means Hardswish."""

RULED_OUT = {
    "glu": "it halves the width",
    "threshold": "it needs arguments that the file cannot hold",
    "prelu": "it has weights of its own, which readers do not expect",
    "multiheadattention": "it is not an activation",
    "hardswish": "the format calls it swish",
}
"""Activations that the format could name but no network should have, each with the reason."""


def check_activation(name: str) -> None:
    """Raise SettingsError unless `name` is an activation that a network may use."""
    if name in RULED_OUT:
        raise SettingsError("activation", f"{name} cannot be used, {RULED_OUT[name]}")
    if name not in ACTIVATIONS:
        raise SettingsError("activation", f"{name!r} is unknown, the choices are {', '.join(ACTIVATIONS)}")


def make_activation(name: str) -> nn.Module:
    """Return the activation called `name`; raises SettingsError for one that is ruled out or unknown."""
    check_activation(name)
    return ACTIVATIONS[name].make()
