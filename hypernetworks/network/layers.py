"""The layers a hypernetwork is made of: activations, initial weights and the residual block."""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from ..base.errors import SettingsError
from ..kernels.linear import LayerNorm, Linear


class _LegacySoftmax(nn.Module):
    """A softmax over the axis that torch chooses when none is named, which is what the format's files mean.

    Torch takes axis 0 for one or three axes and axis 1 otherwise, so for [batch, tokens, width] the batch.
    """

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, dim=0 if x.dim() in {0, 1, 3} else 1)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "swish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "hardshrink": nn.Hardshrink,
    "hardsigmoid": nn.Hardsigmoid,
    "hardtanh": nn.Hardtanh,
    "logsigmoid": nn.LogSigmoid,
    "logsoftmax": lambda: _LegacySoftmax(functional.log_softmax),
    "mish": nn.Mish,
    "relu6": nn.ReLU6,
    "rrelu": nn.RReLU,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "softmax": lambda: _LegacySoftmax(functional.softmax),
    "softmax2d": nn.Softmax2d,
    "softmin": lambda: _LegacySoftmax(functional.softmin),
    "softplus": nn.Softplus,
    "softshrink": nn.Softshrink,
    "softsign": nn.Softsign,
    "tanhshrink": nn.Tanhshrink,
}
"""Every activation of the format by the name it has in a file; `linear` means none, `swish` means Hardswish."""

RULED_OUT = {
    "glu": "it halves the width",
    "threshold": "it needs arguments that the file cannot hold",
    "prelu": "it has weights of its own, which readers do not expect",
    "multiheadattention": "it is not an activation",
    "hardswish": "the format calls it swish",
}
"""Names the format could spell but no network should carry, each with the reason."""

WEIGHT_INITS = ("Normal", "XavierUniform", "XavierNormal", "KaimingUniform", "KaimingNormal")
"""Names of the initialisers as files spell them."""


def check_activation(name: str) -> None:
    """Raise SettingsError where `name` is no activation that a network may use."""
    if name in RULED_OUT:
        raise SettingsError("activation", f"{name} cannot be used, {RULED_OUT[name]}")
    if name not in ACTIVATIONS:
        raise SettingsError("activation", f"{name!r} is unknown, the choices are {', '.join(ACTIVATIONS)}")


def make_activation(name: str) -> nn.Module:
    """Build the activation called `name`; raises SettingsError for one that is ruled out or unknown."""
    check_activation(name)
    return ACTIVATIONS[name]()


class ResidualBlock(nn.Module):
    """One layer with its input added: Linear, LayerNorm, Dropout and activation, in that order.

    Where the widths differ the input is stretched to the new width by the nearest value, or, with
    `upsample_linear`, by a linear map of its own without bias.
    """

    def __init__(
        self, widths: tuple[int, int], activation: str, layer_norm: bool, dropout: float, linear: bool
    ) -> None:
        super().__init__()
        inputs, outputs = widths
        self.outputs = outputs
        self.upsample_layer = Linear(inputs, outputs, bias=False) if linear else None
        layers: list[nn.Module] = [Linear(inputs, outputs)]
        if layer_norm:
            layers.append(LayerNorm(outputs))
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        if activation != "linear":
            layers.append(make_activation(activation))
        self.linear = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [..., inputs] to [..., outputs]."""
        return self._stretch(x) + self.linear(x)

    def _stretch(self, x: torch.Tensor) -> torch.Tensor:
        if self.upsample_layer is not None:
            return self.upsample_layer(x)
        if x.shape[-1] == self.outputs:
            return x
        flat = x.reshape(1, -1, x.shape[-1])
        stretched = functional.interpolate(flat, size=self.outputs, mode="nearest-exact")
        return stretched.reshape(*x.shape[:-1], self.outputs)


def _fill_weight(weight: torch.Tensor, name: str, std: float, generator: torch.Generator | None) -> None:
    """Fill `weight` [outputs, inputs] by Glorot's rule (2010), He's (2015, gain of ReLU) or a normal of `std`."""
    outputs, inputs = weight.shape
    if name == "Normal":
        weight.normal_(0.0, std, generator=generator)
        return
    variance = 2.0 / (inputs + outputs) if name.startswith("Xavier") else 2.0 / inputs
    if name.endswith("Uniform"):
        bound = math.sqrt(3.0 * variance)
        weight.uniform_(-bound, bound, generator=generator)
    else:
        weight.normal_(0.0, math.sqrt(variance), generator=generator)


@torch.no_grad()
def initialise(module: nn.Module, name: str, std: float, generator: torch.Generator | None = None) -> None:
    """Give every linear map below `module` first weights by the rule `name`, zero biases, and LayerNorm ones.

    Only `generator` is drawn from. Raises SettingsError for an unknown rule.
    """
    if name not in WEIGHT_INITS:
        raise SettingsError("weight_init", f"{name!r} is unknown, the choices are {', '.join(WEIGHT_INITS)}")
    for layer in module.modules():
        if isinstance(layer, nn.LayerNorm):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Linear):
            _fill_weight(layer.weight, name, std, generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
