"""The layers of a hypernetwork: initial weights and the residual block."""

import math

import torch
from torch import nn
from torch.nn import functional

from ..base.errors import SettingsError
from ..kernels.linear import LayerNorm, Linear
from .activations import make_activation

WEIGHT_INITS = ("Normal", "XavierUniform", "XavierNormal", "KaimingUniform", "KaimingNormal")
"""Names of the initialisation rules in files."""


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
    """Initialise every linear map below `module` by the rule `name`, with zero biases, and LayerNorm with ones.

    Random numbers come only from `generator`. Raises SettingsError for an unknown rule.
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
